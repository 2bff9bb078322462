"""A step's output on its way: decoded, masked, cut into whole lines, its head and tail kept.

Memory stays flat however much a step prints: ``Log`` holds at most the limit, and what is
emitted is passed on piece by piece.
"""

from __future__ import annotations

import codecs

from bot.domain.masking import Masker
from bot.domain.plan import Log, Stage, StageOutput
from bot.ports.sandbox import Emit

HEAD_SHARE = 4
LONGEST_LINE = 64 * 1024


class LogCollector:
    """Takes one step's raw bytes; keeps a ``Log`` of some ``limit`` characters."""

    def __init__(self, stage: Stage, masker: Masker, limit: int, emit: Emit) -> None:
        self._stage = stage
        self._masker = masker
        self._emit = emit
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._head_limit = limit // HEAD_SHARE
        self._tail_limit = limit - self._head_limit
        self._head = ""
        self._tail: list[str] = []
        self._tail_size = 0
        self._dropped = 0
        self._unfinished = ""
        self._offset = 0

    async def feed(self, data: bytes) -> None:
        """Take a chunk; emits the whole lines that it completes."""
        self._unfinished += self._masker.feed(self._decoder.decode(data))
        cut = self._unfinished.rfind("\n") + 1
        if not cut and len(self._unfinished) > LONGEST_LINE:
            cut = len(self._unfinished)
        if cut:
            ready, self._unfinished = self._unfinished[:cut], self._unfinished[cut:]
            await self._pass_on(ready)

    async def finish(self) -> Log:
        """The end of the stream: pass on what is left; gives the log."""
        rest = self._masker.feed(self._decoder.decode(b"", final=True)) + self._masker.flush()
        self._unfinished += rest
        if self._unfinished:
            ready, self._unfinished = self._unfinished, ""
            await self._pass_on(ready)
        return self.log

    @property
    def log(self) -> Log:
        """What has been passed on so far."""
        return Log(self._head, "".join(self._tail), self._dropped)

    async def _pass_on(self, text: str) -> None:
        event = StageOutput(self._stage, self._offset, text)
        self._offset += len(text)
        self._keep(text)
        await self._emit(event)

    def _keep(self, text: str) -> None:
        space = self._head_limit - len(self._head)
        if space > 0 and not self._tail:
            taken = text[:space] if len(text) > space else text
            taken = taken[: taken.rfind("\n") + 1] if len(taken) < len(text) else taken
            self._head += taken
            text = text[len(taken) :]
        if not text:
            return
        self._tail.append(text)
        self._tail_size += len(text)
        if self._tail_size > 2 * self._tail_limit:
            self._trim()

    def _trim(self) -> None:
        whole = "".join(self._tail)
        cut = whole.find("\n", len(whole) - self._tail_limit) + 1 or len(whole) - self._tail_limit
        self._dropped += len(whole[:cut].encode())
        self._tail = [whole[cut:]]
        self._tail_size = len(whole) - cut
