"""PREPARE: a box with the tree and everything installed, its network cut and tested to be cut.

A cold one installs through the allow-list proxy, on an internal network with nothing else on it.
A warm one starts from a snapshot, without any network; where the install reads the source, it
runs again there, offline, and a snapshot on which that fails is left for a cold start.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, replace

from bot.domain.plan import (
    Cause,
    NetworkAccess,
    Plan,
    Stage,
    StageNote,
    StageResult,
    StageStarted,
    StageStatus,
)
from bot.policy.snapshot_key import snapshot_key
from bot.ports.sandbox import Emit, Environment, SandboxUnavailable, StageEnded
from bot.ports.source import Tree
from sandbox.box import (
    STEP_UID,
    WORKSPACE,
    Box,
    LeftoversRemain,
    application_box,
    furniture,
    step_environment,
)
from sandbox.closed import require_closed
from sandbox.egress import EgressPolicy
from sandbox.engine import NO_NETWORK, Channel, EngineFault, EngineRefused, Image, Kind
from sandbox.equipment import Equipment, Opened
from sandbox.guard import Guard
from sandbox.probe import Probe
from sandbox.snapshots import installed_on
from sandbox.steps import Runner, emit_result
from sandbox.subnets import Subnet, create_network

PULL_SECONDS = 900.0
BAD_REFERENCE = 400
NOT_FOUND = 404
NO_SHELL = re.compile(rb"exec \S*sh failed")
"""What the engine's init says in a box whose image has no shell, before it ends."""
LAST_WORDS_SECONDS = 2.0
OFFLINE: Mapping[str, str] = {
    "npm_config_offline": "true",
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this as "no isolation"; see its issue 5735
}


@dataclass
class Preparation:
    """One validation's PREPARE. ``name`` is the application box's, where it must be the only one.

    A ``kept`` box has no lease, and stays until its deadline. ``opened`` is what was started last.
    """

    equipment: Equipment
    id: str
    plan: Plan
    tree: Tree
    secrets: Mapping[str, str]
    emit: Emit
    scope: str
    name: str = ""
    kept: bool = False
    opened: Opened | None = None

    async def open(self) -> Opened:
        """Prepare; gives the box ready for its first step after install."""
        image = await self.find_image(self.plan.image)
        for service in self.plan.services:
            await self.find_image(service.image)
        deadline = _now() + self.plan.limits.total_seconds
        key = await self._key(image)
        opened = await self._from_snapshot(image, key, deadline) if key else None
        if opened is None:
            opened = await self.cold(image, key, deadline)
        if self.plan.build_network is NetworkAccess.NONE:
            await cut(opened)
        return opened

    async def cold(self, image: Image, key: str, deadline: float) -> Opened:
        """Start from the image and install, through the proxy where the plan has a network."""
        plan, step = self.plan, self.plan.step(Stage.INSTALL)
        online = step is not None and plan.prepare_network is not NetworkAccess.NONE
        online = online or plan.build_network is not NetworkAccess.NONE
        opened = await self._start(image, key, deadline, online=online, hit=False)
        if step is not None:
            result = await opened.runner.run(step, opened.proxy)
            await self._conclude(with_refusals(opened, result))
        return opened

    async def find_image(self, reference: str) -> Image:
        """The engine's image of a reference, pulled where it is missing; empty is our own."""
        equipment = self.equipment
        if not reference:
            return await equipment.own_image()
        image = await equipment.engine.image(reference)
        if image is None:
            await self.emit(StageNote(Stage.INSTALL, f"pulling the image {reference}"))
            try:
                async with asyncio.timeout(PULL_SECONDS):
                    await equipment.engine.pull(reference)
            except EngineRefused as refused:
                await self._no_image(reference, refused)
            except TimeoutError:
                raise SandboxUnavailable(
                    f"pulling {reference} took longer than {PULL_SECONDS:.0f} s"
                ) from None
            image = await equipment.engine.image(reference)
        if image is None:
            raise SandboxUnavailable(f"the engine pulled {reference} and does not have it")
        return image

    async def _no_image(self, reference: str, refused: EngineRefused) -> None:
        if refused.status not in (BAD_REFERENCE, NOT_FOUND):
            raise SandboxUnavailable(f"the image {reference} could not be pulled: {refused}")
        reason = f"there is no image {reference} (sandbox.image, sandbox.services): {refused}"
        await self._conclude(
            StageResult(Stage.INSTALL, StageStatus.FAILED, reason, Cause.CONFIGURATION)
        )

    async def _key(self, image: Image) -> str:
        """The snapshot's key; empty where the plan has nothing that may be kept."""
        recipe, step = self.plan.snapshot, self.plan.step(Stage.INSTALL)
        if recipe is None or step is None or step.secrets:
            return ""
        manifests = {path: await self.tree.read(path) or b"" for path in recipe.manifests}
        return snapshot_key(
            scope=f"{self.equipment.owner.installation}/{self.scope}",
            trusted=True,  # forks read what trusted code has made, and never write
            image_id=image.id,
            architecture=image.architecture,
            install=step,
            manifests=manifests,
        )

    async def _from_snapshot(self, base: Image, key: str, deadline: float) -> Opened | None:
        snapshot = await self.equipment.snapshots.find(key)
        step, recipe = self.plan.step(Stage.INSTALL), self.plan.snapshot
        if snapshot is None or step is None or recipe is None:
            return None
        online = self.plan.build_network is not NetworkAccess.NONE
        opened = await self._start(snapshot, key, deadline, online=online, hit=True, base=base)
        reason = f"from snapshot {key[:12]}, installed {installed_on(snapshot)}"
        if recipe.needs_source:
            result = await opened.runner.run(step, OFFLINE)
            if result.status is StageStatus.FAILED and result.cause is Cause.EXIT_CODE:
                await self.emit(StageNote(Stage.INSTALL, f"{reason}: did not fit, installing anew"))
                await discard(opened)
                self.opened = None
                return None
            await self._conclude(replace(result, reason=result.reason or f"{reason}, brought up"))
            return opened
        at = self.equipment.clock.now().timestamp()
        await self.emit(StageStarted(Stage.INSTALL, step.command, at))
        await self._conclude(
            StageResult(Stage.INSTALL, StageStatus.PASSED, reason, command=step.command)
        )
        return opened

    async def _start(
        self,
        image: Image,
        key: str,
        deadline: float,
        *,
        online: bool,
        hit: bool,
        base: Image | None = None,
    ) -> Opened:
        """Start both boxes and put the tree in."""
        equipment, plan = self.equipment, self.plan
        engine = equipment.engine
        network = None
        if online:
            labels = self._labels(Kind.NETWORK)
            network = await create_network(engine, f"codegenapp-{self.id}", labels, internal=True)
        spec = application_box(
            image,
            plan.limits,
            self._labels(Kind.APPLICATION),
            network=network.id if network else NO_NETWORK,
            name=self.name,
        )
        spec = replace(spec, kept=self.kept)
        box_id = await engine.create(spec)
        channel = await engine.attach(box_id)
        try:
            probe, proxy = await self._side_by_side(box_id, network, image, hit=hit)
        except EngineFault:
            said = await _last_words(channel) if plan.image else b""
            await channel.close()
            if NO_SHELL.search(said):
                lacks = "has no `/bin/sh`, which runs every step"
                reason = f"the image {plan.image} (sandbox.image) {lacks}"
                await self._conclude(
                    StageResult(Stage.INSTALL, StageStatus.FAILED, reason, Cause.CONFIGURATION)
                )
            raise
        except BaseException:
            await channel.close()
            raise
        box = Box(
            engine,
            box_id,
            channel,
            step_environment(image, plan.limits, equipment.ca_bundle),
            equipment.clock,
        )
        guard = Guard(engine, box_id, plan.limits, equipment.events, equipment.clock)
        runner = Runner(
            box, guard, plan, self.secrets, self.emit, equipment.clock, deadline=deadline
        )
        environment = Environment(self.id, plan, (base or image).id, key, hit)
        self.opened = Opened(
            equipment,
            self.id,
            plan,
            base or image,
            deadline,
            environment,
            box,
            probe,
            guard,
            runner,
            network,
            proxy_variables(proxy) | dict(equipment.index_variables) if proxy else {},
            kept=self.kept,
        )
        return self.opened

    async def _side_by_side(
        self, box: str, network: Subnet | None, image: Image, *, hit: bool
    ) -> tuple[Probe, str]:
        """Start both boxes, put the tree in, and bring the proxy, as far as they can go together.

        Gives the probe, and the proxy's URL, empty where there is no network.
        """
        engine, labels = self.equipment.engine, self._labels(Kind.PROBE)
        own = image if not self.plan.image and not hit else await self.equipment.own_image()
        starting: asyncio.Task[Probe] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(engine.start(box))
                starting = group.create_task(
                    Probe.start(
                        engine, own, box, labels, running=running, browser_cpus=self._browser
                    )
                )
                group.create_task(self._put_tree(box, running, fresh=not hit))
                proxy = group.create_task(self._proxy(network))
        except BaseException as fault:
            if starting and not starting.cancelled() and not starting.exception():
                await starting.result().close()
            if isinstance(fault, ExceptionGroup):
                # The engine's fault, or the source's: each has its own place further up.
                raise fault.exceptions[0] from None
            raise
        return starting.result(), proxy.result()

    @property
    def _browser(self) -> float | None:
        """The cores of a probe box that a browser will run in; None where none will."""
        return None if self.plan.web is None else max(1.0, self.plan.limits.cpus)

    async def _proxy(self, network: Subnet | None) -> str:
        if network is None:
            return ""
        policy = EgressPolicy(
            internet=self.plan.prepare_network is NetworkAccess.INTERNET,
            hosts=frozenset(self.plan.allow_hosts),
        )
        return await self.equipment.egress.attach(network, policy)

    def _labels(self, kind: Kind) -> dict[str, str]:
        seconds = self.plan.limits.total_seconds
        return self.equipment.labels(kind, self.id, seconds, kept=self.kept)

    async def _put_tree(self, box: str, running: Awaitable[None], *, fresh: bool) -> None:
        await running
        await self.equipment.engine.put_archive(box, "/", self._content(fresh=fresh))

    async def _content(self, *, fresh: bool) -> AsyncIterator[bytes]:
        """What a box gets, as one tar: each upload costs the engine a process and 80 ms."""
        if fresh:
            yield furniture(self.equipment.ca_bundle)
        async for chunk in self.tree.archive(WORKSPACE.lstrip("/"), STEP_UID):
            yield chunk

    async def _conclude(self, result: StageResult) -> None:
        await emit_result(self.emit, result)
        if result.status is not StageStatus.PASSED:
            raise StageEnded


async def _last_words(channel: Channel) -> bytes:
    """What a box has printed that would not stay."""
    said = b""
    with contextlib.suppress(TimeoutError, EngineFault):
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            while chunk := await channel.read():
                said += chunk[1]
    return said


async def cut(opened: Opened) -> None:
    """Take the box off its network, if it has one, and test that it is closed."""
    engine = opened.equipment.engine
    if not opened.runner.first:
        # What install left running could answer the test. If it can't be killed, the next step
        # says so.
        with contextlib.suppress(LeftoversRemain):
            await opened.box.clear()
    if network := opened.network:
        await engine.disconnect(network.id, opened.box.id)
        opened.network, opened.proxy = None, {}
        await _test_and_remove(opened, network)
    else:
        await require_closed(opened.probe)


async def _test_and_remove(opened: Opened, network: Subnet) -> None:
    """Test that the box is closed, while the network that it was on is removed."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(require_closed(opened.probe))
            group.create_task(_remove_network(opened.equipment, network))
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from None


async def _remove_network(equipment: Equipment, network: Subnet) -> None:
    await equipment.egress.detach(network.id)
    await equipment.engine.remove_network(network.id)


async def discard(opened: Opened) -> None:
    """Remove the boxes of a preparation that is begun anew."""
    engine = opened.equipment.engine
    await opened.stop_watching()
    await engine.remove(opened.probe.id)
    await engine.remove(opened.box.id)
    if network := opened.network:
        await _remove_network(opened.equipment, network)


def proxy_variables(proxy: str) -> dict[str, str]:
    """The variables by which package managers find the proxy."""
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    local = {"no_proxy": "localhost,127.0.0.1", "NO_PROXY": "localhost,127.0.0.1"}
    return dict.fromkeys(names, proxy) | local


def with_refusals(opened: Opened, result: StageResult) -> StageResult:
    """Tell a step that failed because a host was refused from one that failed by itself."""
    if opened.network is None:
        return result
    egress = opened.equipment.egress
    refused = egress.refusals(opened.network.addresses)
    # What an earlier step was refused, and passed without, is not this one's trouble.
    hosts = [host for host in refused if host not in opened.refused]
    opened.refused.update(hosts)
    if result.cause not in (Cause.EXIT_CODE, Cause.TIMEOUT):
        return result
    if not egress.alive(opened.network.id):
        raise SandboxUnavailable(f"the registries' proxy ended during the {result.stage}")
    if not hosts:
        return result
    named = ", ".join(hosts)
    reason = (
        f"{result.reason}; it tried to reach {named}, which the sandbox refuses: "
        f"add it to `sandbox.allow_hosts` if it belongs to the {result.stage}"
    )
    return replace(result, cause=Cause.HOST_REFUSED, reason=reason)


def _now() -> float:
    return asyncio.get_running_loop().time()
