"""Services beside the application: databases and queues, on the application's own 127.0.0.1.

They are images of the deciding configuration, trusted as far as that is: they join the closed
network of the application box, and get the few capabilities that database images need to change
to their own user and to own their folders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.domain.log_text import plain
from bot.domain.plan import Service
from bot.ports.clock import Clock
from sandbox.box import finished
from sandbox.engine import BoxSpec, BoxState, Channel, Engine, EngineGone, EngineRefused, joined

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
MEGABYTE = 1024 * 1024
LOG_BYTES = 16 * 1024
GRACE_SECONDS = 1.0
ATTEMPT_SECONDS = 10.0
BROKEN = 500
RUNTIME_WORDS = ("runtime create failed", "exec:", "starting container process")


class ServiceNotReady(Exception):
    """A service ended, or was not ready in time; ``log`` is the end of what it printed."""

    def __init__(self, service: Service, fault: str, log: str) -> None:
        super().__init__(f"service `{service.name}` ({service.image}) {fault}")
        self.log = log


@dataclass
class RunningService:
    """A started service; ``reader`` keeps the end of its output."""

    service: Service
    box: str
    channel: Channel
    output: bytearray
    reader: asyncio.Task[None]

    @property
    def log(self) -> str:
        """The end of what it printed, readable."""
        return plain(self.output.decode(errors="replace"))

    async def close(self) -> None:
        """Stop reading."""
        self.reader.cancel()
        try:
            await asyncio.gather(self.reader, return_exceptions=True)
        finally:
            await self.channel.close()


async def start_service(
    engine: Engine, service: Service, application: str, labels: Mapping[str, str]
) -> RunningService:
    """Start a service in the network of the application box; it is not ready yet.

    Raises ServiceNotReady where its image has nothing that can be started; what is the engine's
    own fault stays one.
    """
    spec = BoxSpec(
        image=service.image,
        labels=labels,
        environment=service.environment,
        network=joined(application),
        lease=False,
        shm_bytes=128 * MEGABYTE,
        memory_bytes=service.memory_mb * MEGABYTE,
        capabilities=CAPABILITIES,
    )
    try:
        box = await engine.create(spec)
    except EngineRefused as refused:
        raise _told(service, refused) from refused
    channel = await engine.attach(box)
    output = bytearray()
    reader = asyncio.create_task(_keep_tail(channel, output))
    running = RunningService(service, box, channel, output, reader)
    try:
        await engine.start(box)
    except BaseException as fault:
        await running.close()
        if isinstance(fault, EngineRefused):
            raise _told(service, fault) from fault
        raise
    return running


def _told(service: Service, refused: EngineRefused) -> Exception:
    """A refusal as the configuration's fault, or as the engine's own.

    The runtime's complaint about a program that the image lacks comes with status 400, 404 or,
    from some engines, 500: it names the process that it tried to start.
    """
    if refused.status >= BROKEN and not any(word in str(refused) for word in RUNTIME_WORDS):
        return EngineGone(f"service `{service.name}`: {refused}")
    return ServiceNotReady(service, f"could not be started: {refused}", "")


async def ended_services(engine: Engine, services: Sequence[RunningService]) -> list[str]:
    """A sentence for each service that does not run any more."""
    sentences = []
    for running in services:
        state = await engine.state(running.box)
        if not state.running:
            name = f"service `{running.service.name}` ({running.service.image})"
            said = running.log.strip().rpartition("\n")[2]
            sentences.append(f"{name} {_end(running, state)}" + (f": {said}" if said else ""))
    return sentences


async def wait_until_ready(
    engine: Engine, services: Sequence[RunningService], clock: Clock
) -> None:
    """Wait for all of them. Raises ServiceNotReady for the first that will not be."""
    waits = [asyncio.ensure_future(_wait_for(engine, running, clock)) for running in services]
    try:
        await asyncio.gather(*waits)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _wait_for(engine: Engine, running: RunningService, clock: Clock) -> None:
    service, pause = running.service, 0.1
    try:
        async with asyncio.timeout(service.ready_seconds):
            if not service.ready_command:
                await clock.sleep(GRACE_SECONDS)
            while True:
                state = await engine.state(running.box)
                if not state.running:
                    raise ServiceNotReady(service, _end(running, state), running.log)
                if not service.ready_command or await _is_ready(engine, running, clock):
                    return
                await clock.sleep(pause)
                pause = min(pause * 2, 1.0)
    except TimeoutError:
        fault = f"was not ready within {service.ready_seconds:.0f} s (`{service.ready_command}`)"
        raise ServiceNotReady(service, fault, running.log) from None


def _end(running: RunningService, state: BoxState) -> str:
    """How a service ended."""
    if state.out_of_memory:
        return f"ran out of memory: it has {running.service.memory_mb} MB"
    return f"ended with exit code {state.exit_code}"


async def _is_ready(engine: Engine, running: RunningService, clock: Clock) -> bool:
    try:
        execution = await engine.execute(
            running.box, ("sh", "-c", running.service.ready_command), user="", environment={}
        )
    except EngineRefused:
        return False  # it ended just now; the next look at its state says so
    try:
        return await finished(execution, clock, ATTEMPT_SECONDS) == 0
    except EngineGone:
        return False  # a ready command that hangs is one that does not say yes


async def _keep_tail(channel: Channel, output: bytearray) -> None:
    while (chunk := await channel.read()) is not None:
        output += chunk[1]
        del output[:-LOG_BYTES]
