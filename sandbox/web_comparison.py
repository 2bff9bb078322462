"""Head against base: what changed in what was seen, and in how the pages look.

Pictures that are equal byte by byte are alike; the others go to the probe box, whose browser
decodes and compares them. What can't be compared is left out and told, never a fault.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.domain.plan import Stage, StageAttachment
from bot.domain.web import (
    BasePicture,
    PageSeen,
    PictureChange,
    WebBase,
    WebComparison,
    WebEvaluation,
)
from bot.policy.web_comparison import NOTICEABLE_SHARE, compare
from bot.ports.sandbox import Emit
from sandbox.engine import EngineFault
from sandbox.probe import Probe
from sandbox.probe_parts import File, Parts

MOST_COMPARED = 12
"""Pictures that are not equal; each is worth two more on the validation's page."""
COMPARISON_SECONDS = 20.0
PIECE = 96 * 1024
STAGE = Stage.WEB_EVALUATION


@dataclass(frozen=True)
class _Pair:
    """A page's pictures, then and now."""

    page: PageSeen
    before: BasePicture
    after: File

    @property
    def equal(self) -> bool:
        return self.before.content == self.after.content


async def compared(
    probe: Probe,
    emit: Emit,
    base: WebBase | None,
    seen: WebEvaluation,
    files: Mapping[str, File],
    seconds: float,
) -> WebComparison | None:
    """Compare with what is known of the base; None where there is none to compare with.

    Emits the base's picture and one of the difference for each page that looks different.
    ``seconds`` bound the whole.
    """
    if base is None:
        return None
    if base.evaluation is None:
        return WebComparison(base.sha, base.reason)
    look = _Look(probe, emit, seconds)
    pairs = list(_pairs(base, base.evaluation, seen, files))
    gone = sum(it.picture not in {None, *base.pictures} for it in base.evaluation.pages)
    if gone:
        look.left_out.append(f"{gone} of the base's pictures, which are no longer kept")
    differing = [it for it in pairs if not it.equal]
    for pair in differing[:MOST_COMPARED]:
        await look.at(pair)
    if len(differing) > MOST_COMPARED:
        look.left_out.append(f"{len(differing) - MOST_COMPARED} more pictures that differ")
    return compare(
        base.sha,
        base.evaluation,
        seen,
        tuple(look.changes),
        tuple(look.left_out),
        len(pairs) - len(differing),
    )


def _pairs(
    base: WebBase, before: WebEvaluation, seen: WebEvaluation, files: Mapping[str, File]
) -> Iterator[_Pair]:
    known = {(it.path, it.size): it.picture or "" for it in before.pages}
    for page in seen.pages:
        then = base.pictures.get(known.get((page.path, page.size), ""))
        now = files.get(page.picture or "")
        if then is not None and now is not None:
            yield _Pair(page, then, now)


class _Look:
    """The pictures that were compared so far."""

    def __init__(self, probe: Probe, emit: Emit, seconds: float) -> None:
        self._probe = probe
        self._emit = emit
        self._clock = asyncio.get_running_loop().time
        self._end = self._clock() + seconds
        self.changes: list[PictureChange] = []
        self.left_out: list[str] = []

    async def at(self, pair: _Pair) -> None:
        """Compare a page's pictures, and emit them where they differ."""
        name = pair.after.name
        where = f"the picture of {pair.page.path} ({pair.page.size})"
        left = self._end - self._clock()
        if left < 1:
            self.left_out.append(f"{where}: the time was over")
            return
        before, changed = f"base-{name}", f"changed-{name}"
        parts = Parts()
        try:
            await self._put(before, pair.before)
            answer = await self._probe.ask(
                "compare",
                seconds=left,
                parts=parts,
                before=before,
                after=name,
                changed=changed,
                timeout=left,
            )
        except EngineFault as fault:
            self.left_out.append(f"{where}: {fault}")
            return
        share, marked = answer.get("share"), parts.files.get(changed)
        if not isinstance(share, int | float) or not 0 <= share <= 1 or marked is None:
            self.left_out.append(f"{where}: {answer.get('fault', 'the browser did not say')}")
            return
        page = pair.page
        self.changes.append(PictureChange(page.path, page.size, share, before, name, changed))
        if share >= NOTICEABLE_SHARE:
            was = pair.before
            await self._emit(StageAttachment(STAGE, before, was.media_type, was.content))
            await self._emit(StageAttachment(STAGE, changed, marked.media_type, marked.content))

    async def _put(self, name: str, picture: BasePicture) -> None:
        pieces = range(0, len(picture.content), PIECE)
        for number, at in enumerate(pieces):
            piece = picture.content[at : at + PIECE]
            await self._probe.ask(
                "put",
                name=name,
                media_type=picture.media_type,
                part=number,
                last=number == len(pieces) - 1,
                content=base64.b64encode(piece).decode("ascii"),
            )
