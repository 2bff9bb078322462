"""A Docker engine (20.10 or newer) as the sandbox's engine.

Every box is hardened alike, whatever it is for (``docker_json.box_body``). Verbs that remove are
finished when they return: what they removed is no longer there.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import aclosing, suppress
from typing import Any

from sandbox import docker_json as words
from sandbox.docker_streams import DockerChannel, DockerExecution
from sandbox.docker_wire import FOREVER, Wire, raise_for_error
from sandbox.engine import (
    BoxSpec,
    BoxState,
    EngineFault,
    EngineInfo,
    EngineRefused,
    Image,
    NetworkSpec,
    NotThere,
    Thing,
    Usage,
)

CALL_TIMEOUT = 30.0
SLOW_TIMEOUT = 600.0

CONFLICT = 409
FORBIDDEN = 403
BROKEN = 500

EMPTYING_ATTEMPTS = 8
EMPTYING_SECONDS = 0.02
LAST_LINES = 20


class DockerEngine:
    """``sandbox.engine.Engine`` over Docker's HTTP API; one instance for one event loop.

    ``docker_host`` is the engine's address (``unix://``, ``tcp://``, ``ssh://``), None for the
    usual places. ``call_timeout`` bounds every call in seconds; verbs that move, build or delete
    files may be silent for ``slow_timeout``.
    """

    def __init__(
        self,
        docker_host: str | None = None,
        *,
        call_timeout: float = CALL_TIMEOUT,
        slow_timeout: float = SLOW_TIMEOUT,
    ) -> None:
        self._wire = Wire(docker_host, call_timeout, slow_timeout)
        self._unmaking: set[asyncio.Task[None]] = set()

    async def info(self) -> EngineInfo:
        found = await self._wire.call("GET", "info")
        return EngineInfo(
            id=found["ID"],
            version=found["ServerVersion"],
            cpus=found["NCPU"],
            memory_bytes=found["MemTotal"],
            architecture=found["Architecture"],
        )

    async def close(self) -> None:
        await asyncio.gather(*self._unmaking)
        await self._wire.close()

    # ── boxes ────────────────────────────────────────────────────────────────────────────────

    async def create(self, spec: BoxSpec) -> str:
        name = {"name": spec.name} if spec.name else {}
        body = words.box_body(spec)
        making = self._wire.call("POST", "containers/create", name, body)
        return str((await self._whole(making, lambda made: self.remove(made["Id"])))["Id"])

    async def _whole(
        self,
        making: Coroutine[Any, Any, Any],
        unmake: Callable[[Any], Awaitable[None]],
    ) -> Any:
        """The answer of a call that makes something; it is unmade where the caller is cancelled.

        The engine makes what it was asked for whether or not anybody still waits for the answer.
        """
        made = asyncio.ensure_future(making)
        try:
            return await asyncio.shield(made)
        except asyncio.CancelledError:
            unmaking = asyncio.create_task(_unmade(made, unmake))
            self._unmaking.add(unmaking)
            unmaking.add_done_callback(self._unmaking.discard)
            await asyncio.shield(unmaking)
            raise

    async def attach(self, box: str) -> DockerChannel:
        stream = self._wire.docker.containers.container(box).attach(
            stdin=True, stdout=True, stderr=True
        )
        return DockerChannel(self._wire, await self._wire.opened(stream))

    async def start(self, box: str) -> None:
        await self._wire.call("POST", f"containers/{box}/start")

    async def execute(
        self,
        box: str,
        command: Sequence[str],
        *,
        user: str,
        environment: Mapping[str, str],
        working_directory: str = "",
    ) -> DockerExecution:
        body = {
            "Cmd": list(command),
            "User": user,
            "Env": words.pairs(environment),
            "WorkingDir": working_directory,
            "AttachStdin": False,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": False,
        }
        made = await self._wire.call("POST", f"containers/{box}/exec", body=body)
        stream = await self._wire.opened(self._wire.output_of(made["Id"]))
        return DockerExecution(self._wire, made["Id"], stream)

    async def put_archive(self, box: str, path: str, tar: AsyncIterator[bytes]) -> None:
        await self._wire.upload("PUT", f"containers/{box}/archive", {"path": path}, tar)

    async def state(self, box: str) -> BoxState:
        return words.box_state(await self._wire.call("GET", f"containers/{box}/json"))

    async def usage(self, box: str) -> Usage:
        sized, tasks = await asyncio.gather(
            self._wire.call("GET", f"containers/{box}/json", {"size": 1}), self._tasks(box)
        )
        return Usage(disk_bytes=sized.get("SizeRw") or 0, pids=tasks)

    async def _tasks(self, box: str) -> int:
        """Processes and threads of a box, as its limit counts them; 0 where it has ended.

        The engine's statistics know them too, but take a second for a second sample, and 20.10
        does so even when asked for one. ``ps`` on the engine's machine answers in 20 ms for the
        same work; where there is none, the second it is.
        """
        try:
            columns = {"ps_args": "-o pid,nlwp"}
            listed = await self._wire.call("GET", f"containers/{box}/top", columns)
        except EngineRefused as refusal:
            if refusal.status == CONFLICT:
                return 0
            if refusal.status != BROKEN:
                raise
            once = {"stream": 0, "one-shot": 1}
            statistics = await self._wire.call("GET", f"containers/{box}/stats", once)
            return (statistics.get("pids_stats") or {}).get("current") or 0
        return sum(int(threads) for _, threads in listed["Processes"])

    async def wait(self, box: str) -> int | None:
        try:
            ended = await self._wire.call("POST", f"containers/{box}/wait", seconds=FOREVER)
        except NotThere:
            return None
        if ended is None:  # an engine that shuts down ends its answer before the first word
            raise self._wire.hung_up()
        return int(ended["StatusCode"])

    async def kill(self, box: str) -> None:
        try:
            await self._wire.call("POST", f"containers/{box}/kill")
        except EngineRefused as refusal:
            _forgive(refusal, CONFLICT)

    async def remove(self, box: str) -> None:
        # Ending the box is quick, but deleting tens of thousands of files is not.
        slow = self._wire.slow_timeout
        options = {"force": 1, "v": 1}
        try:
            await self._wire.call("DELETE", f"containers/{box}", options, seconds=slow)
        except EngineRefused as refusal:
            _forgive(refusal, CONFLICT)
            if refusal.status == CONFLICT:  # being removed already, by its lease or another of us
                await self._gone(box)

    async def _gone(self, box: str) -> None:
        slow = self._wire.slow_timeout
        removed = {"condition": "removed"}
        try:
            await self._wire.call("POST", f"containers/{box}/wait", removed, seconds=slow)
        except NotThere:
            return

    # ── networks ─────────────────────────────────────────────────────────────────────────────

    async def create_network(self, spec: NetworkSpec) -> str:
        body = words.network_body(spec)
        making = self._wire.call("POST", "networks/create", body=body)
        made = await self._whole(making, lambda made: self.remove_network(made["Id"]))
        return str(made["Id"])

    async def connect(self, network: str, box: str, address: str = "") -> None:
        endpoint = {"IPAMConfig": {"IPv4Address": address}} if address else {}
        body = {"Container": box, "EndpointConfig": endpoint}
        joining = self._wire.call("POST", f"networks/{network}/connect", body=body)
        await self._whole(joining, lambda _: self.disconnect(network, box))

    async def disconnect(self, network: str, box: str) -> None:
        body = {"Container": box, "Force": True}
        try:
            await self._wire.call("POST", f"networks/{network}/disconnect", body=body)
        except EngineRefused as refusal:
            if "is not connected to" not in str(refusal):
                _forgive(refusal)

    async def remove_network(self, network: str) -> None:
        for attempt in range(EMPTYING_ATTEMPTS):
            try:
                await self._wire.call("DELETE", f"networks/{network}")
                return
            except EngineRefused as refusal:
                _forgive(refusal, FORBIDDEN)
                if refusal.status != FORBIDDEN:
                    return
            # Forbidden: boxes are on it, or just joining or leaving, which takes them a moment
            # in which the engine does not name them. One more may join before the next try.
            await self._empty(network)
            await asyncio.sleep(EMPTYING_SECONDS * 2**attempt)  # noqa: TID251 - the engine's time
        raise EngineRefused(
            f"Boxes keep joining network {network}: it can't be removed.", FORBIDDEN
        )

    async def _empty(self, network: str) -> None:
        try:
            found = await self._wire.call("GET", f"networks/{network}")
        except NotThere:
            return
        for box in found.get("Containers") or {}:
            await self.disconnect(network, box)

    # ── what is there ────────────────────────────────────────────────────────────────────────

    async def list_boxes(self, label: str) -> Sequence[Thing]:
        parameters: dict[str, str | int] = {"all": 1, "filters": words.label_filter(label)}
        found = await self._wire.call("GET", "containers/json", parameters)
        return [words.box_thing(row) for row in found]

    async def list_networks(self, label: str) -> Sequence[Thing]:
        found = await self._wire.call("GET", "networks", {"filters": words.label_filter(label)})
        return [words.network_thing(row) for row in found]

    async def list_images(self, label: str) -> Sequence[Image]:
        parameters = {"filters": words.label_filter(label)}
        found = await self._wire.call("GET", "images/json", parameters)
        # The list knows neither environment nor tag time.
        images = await asyncio.gather(*(self.image(row["Id"]) for row in found))
        return [image for image in images if image is not None]

    # ── images ───────────────────────────────────────────────────────────────────────────────

    async def image(self, reference: str) -> Image | None:
        try:
            return words.image(await self._wire.call("GET", f"images/{reference}/json"))
        except NotThere:
            return None

    async def pull(self, reference: str) -> None:
        parameters = {"fromImage": reference}
        if "@" not in reference:  # without a tag the engine would pull every one
            parameters["fromImage"], parameters["tag"] = words.split_tag(reference)
        progress = self._wire.objects(
            "POST", "images/create", parameters, silence=self._wire.slow_timeout
        )
        try:
            async with aclosing(progress):
                async for step in progress:
                    raise_for_error(step)
        except EngineRefused as refusal:
            raise words.refused_pull(refusal) from refusal
        if await self.image(reference) is None:
            raise self._wire.hung_up()

    async def import_image(
        self, tar: AsyncIterator[bytes], tag: str, *, labels: Mapping[str, str]
    ) -> str:
        repository, name = words.split_tag(tag)
        parameters = {"fromSrc": "-", "repo": repository, "tag": name}
        if labels:
            pairs = " ".join(f"{json.dumps(key)}={json.dumps(labels[key])}" for key in labels)
            parameters["changes"] = f"LABEL {pairs}"
        answers = await self._wire.upload("POST", "images/create", parameters, tar)
        if not answers:
            raise self._wire.hung_up()
        return str(answers[-1]["status"])

    async def build(
        self,
        context: bytes,
        tag: str,
        *,
        labels: Mapping[str, str],
        arguments: Mapping[str, str],
    ) -> AsyncGenerator[str, None]:
        parameters: dict[str, str | int] = {
            "t": tag,
            "rm": 1,
            "forcerm": 1,
            "labels": json.dumps(dict(labels)),
            "buildargs": json.dumps(dict(arguments)),
        }
        latest: deque[str] = deque(maxlen=LAST_LINES)
        built = False
        rest = ""
        steps = self._wire.objects(
            "POST", "build", parameters, context, silence=self._wire.slow_timeout
        )
        async with aclosing(steps):
            async for step in steps:
                if "error" in step:
                    raise EngineRefused("\n".join([*latest, rest + str(step["error"])]))
                built = built or "ID" in (step.get("aux") or {})
                *lines, rest = (rest + step.get("stream", "")).split("\n")
                for line in lines:
                    latest.append(line)
                    yield line
        if not built:
            raise self._wire.hung_up()

    async def commit(self, box: str, tag: str, *, labels: Mapping[str, str]) -> str:
        """Keep a box's writable layer as an image, paused meanwhile; gives its id.

        The image keeps the box's environment, command and user, and Docker would have it keep the
        box's labels too: those that ``labels`` does not name are emptied, since they tell of the
        box (its run, its deadline) and would pass to every box made from the image.
        """
        repository, name = words.split_tag(tag)
        found = await self._wire.call("GET", f"containers/{box}/json")
        own = dict.fromkeys(found["Config"]["Labels"] or {}, "")
        made = await self._wire.call(
            "POST",
            "commit",
            {"container": box, "repo": repository, "tag": name, "pause": 1},
            {"Labels": {**own, **labels}},
            seconds=self._wire.slow_timeout,
        )
        return str(made["Id"])

    async def tag(self, image: str, tag: str) -> None:
        repository, name = words.split_tag(tag)
        await self._wire.call("POST", f"images/{image}/tag", {"repo": repository, "tag": name})

    async def remove_image(self, image: str) -> None:
        try:
            await self._wire.call("DELETE", f"images/{image}", seconds=self._wire.slow_timeout)
        except EngineRefused as refusal:
            _forgive(refusal, CONFLICT)

    # ── events ───────────────────────────────────────────────────────────────────────────────

    async def out_of_memory_events(self, label: str) -> AsyncGenerator[str, None]:
        """Ids of boxes with ``label``, as it happens; listening begins with the first step.

        It ends only by being closed. EngineGone where the engine hangs up.
        """
        filters = words.label_filter(label, type=["container"], event=["oom"])
        events = self._wire.objects("GET", "events", {"filters": filters}, silence=FOREVER)
        async with aclosing(events):
            async for event in events:
                yield str(event["Actor"]["ID"])
        raise self._wire.hung_up()


async def _unmade(made: asyncio.Future[Any], unmake: Callable[[Any], Awaitable[None]]) -> None:
    # Where the engine fails here, the object's label leaves it to the next sweep.
    with suppress(EngineFault):
        await unmake(await made)


def _forgive(refusal: EngineRefused, *statuses: int) -> None:
    """Let a refusal pass where what it refuses is done already."""
    if not isinstance(refusal, NotThere) and refusal.status not in statuses:
        raise refusal
