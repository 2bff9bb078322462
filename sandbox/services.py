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
from sandbox.engine import BoxSpec, Channel, Engine, EngineGone, EngineRefused, joined

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
MEGABYTE = 1024 * 1024
LOG_BYTES = 16 * 1024
GRACE_SECONDS = 1.0
ATTEMPT_SECONDS = 10.0


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
        await asyncio.gather(self.reader, return_exceptions=True)
        await self.channel.close()


async def start_service(
    engine: Engine, service: Service, application: str, labels: Mapping[str, str]
) -> RunningService:
    """Start a service in the network of the application box; it is not ready yet."""
    box = await engine.create(
        BoxSpec(
            image=service.image,
            labels=labels,
            environment=service.environment,
            network=joined(application),
            lease=False,
            shm_bytes=128 * MEGABYTE,
            memory_bytes=service.memory_mb * MEGABYTE,
            capabilities=CAPABILITIES,
        )
    )
    channel = await engine.attach(box)
    output = bytearray()
    reader = asyncio.create_task(_keep_tail(channel, output))
    await engine.start(box)
    return RunningService(service, box, channel, output, reader)


async def wait_until_ready(
    engine: Engine, services: Sequence[RunningService], clock: Clock
) -> None:
    """Wait for all of them. Raises ServiceNotReady for the first that will not be."""
    await asyncio.gather(*(_wait_for(engine, running, clock) for running in services))


async def _wait_for(engine: Engine, running: RunningService, clock: Clock) -> None:
    service, pause = running.service, 0.1
    try:
        async with asyncio.timeout(service.ready_seconds):
            if not service.ready_command:
                await clock.sleep(GRACE_SECONDS)
            while True:
                state = await engine.state(running.box)
                if not state.running:
                    fault = f"ended with exit code {state.exit_code}"
                    raise ServiceNotReady(service, fault, running.log)
                if not service.ready_command or await _is_ready(engine, running, clock):
                    return
                await clock.sleep(pause)
                pause = min(pause * 2, 1.0)
    except TimeoutError:
        fault = f"was not ready within {service.ready_seconds:.0f} s (`{service.ready_command}`)"
        raise ServiceNotReady(service, fault, running.log) from None


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
