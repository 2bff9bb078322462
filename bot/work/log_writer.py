"""Brings a running validation's output into the database, in pieces, while it runs."""

from __future__ import annotations

import asyncio

from bot.domain.plan import StageOutput
from bot.domain.problems import TryAgain
from bot.log import get_logger
from bot.ports.clock import Clock
from bot.ports.records import LogChunk, LogChunks

CHUNK_BYTES = 64 * 1024
CHUNK_SECONDS = 0.2
MOST_BYTES_A_STAGE = 64 * 1024 * 1024
"""Beyond it a stage's output is no longer kept; its head and tail stand in the report."""

log = get_logger()


class LogWriter:
    """Collects masked output and writes it, at the latest after ``CHUNK_SECONDS``.

    What the database does not take is told once and left out: a log must not end a validation.
    """

    def __init__(self, chunks: LogChunks, validation_id: str, job_id: str, clock: Clock) -> None:
        self._chunks = chunks
        self._validation_id = validation_id
        self._job_id = job_id
        self._clock = clock
        self._stage = ""
        self._text: list[str] = []
        self._bytes = 0
        self._offset = 0
        self._timer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._failed = False

    async def take(self, output: StageOutput) -> None:
        """Take one piece of output."""
        if output.stage.value != self._stage:
            await self.flush()
            self._stage, self._offset = output.stage.value, 0
        size = len(output.text.encode())
        if self._offset + self._bytes + size > MOST_BYTES_A_STAGE:
            return
        self._text.append(output.text)
        self._bytes += size
        if self._bytes >= CHUNK_BYTES:
            await self.flush()
        elif self._timer is None:
            self._timer = asyncio.create_task(self._later())

    async def close(self) -> None:
        """Write what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self.flush()

    async def flush(self) -> None:
        """Write what was collected."""
        async with self._writing:
            if not self._text:
                return
            text, size = "".join(self._text), self._bytes
            offset = self._offset
            self._text, self._bytes, self._offset = [], 0, offset + size
            chunks = [
                LogChunk(
                    self._validation_id, self._job_id, self._stage, at, piece, self._clock.now()
                )
                for at, piece in _pieces(text, offset)
            ]
            try:
                await self._chunks.write(chunks)
            except TryAgain as fault:
                if not self._failed:
                    log.warning("log lines were lost", reason=fault.message)
                self._failed = True

    async def _later(self) -> None:
        await self._clock.sleep(CHUNK_SECONDS)
        self._timer = None
        await self.flush()


def _pieces(text: str, offset: int) -> list[tuple[int, str]]:
    """Pieces of at most ``CHUNK_BYTES``, each with its offset, never within a character."""
    data = text.encode()
    pieces: list[tuple[int, str]] = []
    start = 0
    while start < len(data):
        end = min(start + CHUNK_BYTES, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append((offset + start, data[start:end].decode()))
        start = end
    return pieces
