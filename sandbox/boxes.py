"""Boxes on a container engine: fulfils ``bot.ports.sandbox.Sandbox``.

The life cycle of one validation is told in ``preparation`` and ``running``; here stand its doors,
and the cleaning up behind it: by labels, so that it does not matter how far it had come.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace

from bot.domain.code_analysis import CodeAnalysis
from bot.domain.masking import Masker
from bot.domain.plan import Plan, Stage, StageEvent, StageFinished, StageNote
from bot.ports.explorer import Explore
from bot.ports.sandbox import Emit, Environment, Examined, SandboxUnavailable
from bot.ports.source import Tree
from sandbox.closed import prove_closed
from sandbox.code_analysis import analyse
from sandbox.engine import EngineFault, Thing
from sandbox.equipment import Equipment
from sandbox.examination import examine
from sandbox.ownership import INSTALLATION, OWNER, RUN, expired
from sandbox.preparation import Preparation
from sandbox.running import run_stages
from sandbox.snapshot_making import make_snapshot, preparation_of

LET_GO_SECONDS = 5.0


class BoxSandbox:
    """Runs plans in boxes of one engine."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._preparations: dict[str, Preparation] = {}
        self._unremoved: set[str] = set()
        self._ready = False
        self._cpus: float | None = None
        self._getting_ready = asyncio.Lock()

    async def ready(self) -> None:
        """Sweep, have the image, and prove that boxes are closed. Raises SandboxUnavailable."""
        async with self._getting_ready:
            if self._ready:
                return
            with _infrastructure():
                await self.sweep()
                equipment = self._equipment
                await prove_closed(
                    equipment.engine,
                    await equipment.own_image(),
                    equipment.owner,
                    equipment.clock,
                    equipment.home / "closed.json",
                )
            self._ready = True

    async def open(
        self,
        environment_id: str,
        plan: Plan,
        tree: Tree,
        secrets: Mapping[str, str],
        emit: Emit,
        *,
        scope: str,
        kept: bool = False,
    ) -> Environment:
        """PREPARE; see the port."""
        await self.ready()
        with _infrastructure():
            await self._catch_up()
            plan, emit = await self._fitted(plan), masked(emit, secrets)
            await _tell_unmaskable(emit, secrets)
            preparation = Preparation(
                self._equipment, environment_id, plan, tree, secrets, emit, scope, kept=kept
            )
            self._preparations[environment_id] = preparation
            opened = await preparation.open()
        return opened.environment

    async def run(self, environment: Environment, explore: Explore | None = None) -> None:
        """RUN; see the port."""
        opened = self._preparations[environment.id].opened
        assert opened is not None
        with _infrastructure():
            await run_stages(opened, explore)

    async def close(self, environment_id: str) -> None:
        """Remove everything that carries this environment's id."""
        preparation = self._preparations.pop(environment_id, None)
        label = f"{RUN}={environment_id}"
        try:
            if preparation is not None and (opened := preparation.opened):
                with contextlib.suppress(TimeoutError, EngineFault):
                    async with asyncio.timeout(LET_GO_SECONDS):
                        await opened.stop_watching()
        finally:
            with _infrastructure():
                try:
                    # Removing what a box has written may take long; it has ended long before.
                    await self._kill(label)
                    await self._remove(label)
                except EngineFault:
                    self._unremoved.add(environment_id)
                    raise

    async def analyse(
        self, environment_id: str, head: Tree, base: Tree, emit: Emit
    ) -> CodeAnalysis:
        """See the port."""
        await self.ready()
        told: list[str] = []
        with _infrastructure():
            found = await analyse(self._equipment, environment_id, head, base, progress=told.append)
        for text in filter(None, told[-1:]):
            await emit(StageNote(Stage.CODE_ANALYSIS, text))
        return found

    async def keep_snapshot(self, environment: Environment, tree: Tree) -> bool:
        """Make the snapshot of an environment's key, aside; see the port."""
        key, plan = environment.snapshot_key, environment.plan
        if not key or environment.snapshot_hit or not plan.trusted:
            return False
        run = str(uuid.uuid4())
        with _infrastructure():
            if await self._equipment.snapshots.find(key):
                return False
            preparation = preparation_of(self._equipment, environment, tree, run)
            self._preparations[run] = preparation
            try:
                return await make_snapshot(preparation, key)
            finally:
                await asyncio.shield(self.close(run))

    async def sweep(self) -> int:
        """Remove what is past its deadline or belongs to a dead owner of this installation."""
        owner = self._equipment.owner
        with _infrastructure():
            swept = await self._remove(f"{INSTALLATION}={owner.installation}", orphans_only=True)
            return swept + await self._equipment.snapshots.forget()

    def examine(self) -> AsyncIterator[Examined]:
        """What ``doctor`` shows."""
        return examine(self._equipment)

    async def _fitted(self, plan: Plan) -> Plan:
        """Fit the plan to the machine: an engine refuses a box with more cores than it has."""
        if self._cpus is None:
            self._cpus = float((await self._equipment.engine.info()).cpus)
        return plan.with_cpus(min(plan.limits.cpus, self._cpus))

    async def _catch_up(self) -> None:
        """Remove what stayed behind when the engine was away at its end: no sweep takes it.

        For a sweep it is a living owner's, until its deadline.
        """
        for environment_id in list(self._unremoved):
            await self._remove(f"{RUN}={environment_id}")
            self._unremoved.discard(environment_id)

    async def _kill(self, label: str) -> None:
        boxes = await self._equipment.engine.list_boxes(label)
        mine = [it for it in boxes if it.running and self._may_go(it, orphans_only=False)]
        await asyncio.gather(*(self._equipment.engine.kill(it.id) for it in mine))

    async def _remove(self, label: str, *, orphans_only: bool = False) -> int:
        """Remove our boxes and networks that carry a label; says how many."""
        engine, egress = self._equipment.engine, self._equipment.egress
        boxes, networks = await asyncio.gather(
            engine.list_boxes(label), engine.list_networks(label)
        )
        boxes = [it for it in boxes if self._may_go(it, orphans_only=orphans_only)]
        networks = [it for it in networks if self._may_go(it, orphans_only=orphans_only)]
        await asyncio.gather(*(engine.remove(box.id) for box in boxes))
        for network in networks:
            await egress.detach(network.id)
            await engine.remove_network(network.id)
        return len(boxes) + len(networks)

    def _may_go(self, thing: Thing, *, orphans_only: bool) -> bool:
        owner, labels = self._equipment.owner, thing.labels
        if labels.get(INSTALLATION) != owner.installation:
            return False
        orphan = expired(labels, self._equipment.clock.now()) or not owner.lives(
            labels.get(OWNER, "")
        )
        return orphan or not orphans_only


def masked(emit: Emit, secrets: Mapping[str, str]) -> Emit:
    """The same, with secrets masked in reasons and notes as they are in output.

    A redirect, the name of a refused host, or a page's text, can carry one.
    """
    masker = Masker(secrets)

    async def pass_on(event: StageEvent) -> None:
        match event:
            case StageFinished(result):
                seen, changed = result.evaluation, result.comparison
                masked_result = replace(
                    result,
                    reason=masker.mask(result.reason),
                    faults=tuple(map(masker.mask, result.faults)),
                    advice=tuple(map(masker.mask, result.advice)),
                    evaluation=None if seen is None else seen.masked(masker.mask_cut),
                    comparison=None if changed is None else changed.masked(masker.mask_cut),
                )
                event = StageFinished(masked_result)
            case StageNote(stage, text):
                event = StageNote(stage, masker.mask(text))
        await emit(event)

    return pass_on


async def _tell_unmaskable(emit: Emit, secrets: Mapping[str, str]) -> None:
    if names := Masker(secrets).unmaskable:
        text = f"too short to be masked where a step prints them: {', '.join(names)}"
        await emit(StageNote(Stage.INSTALL, text))


@contextlib.contextmanager
def _infrastructure() -> Iterator[None]:
    """Turn every fault of the engine into the port's one word for it."""
    try:
        yield
    except EngineFault as fault:
        raise SandboxUnavailable(str(fault)) from fault
