"""Head against base as templates see it: plain lines in reading order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.log_text import one_line
from bot.domain.validations import AttachmentReference
from bot.domain.web import PictureChange, Size, VitalsChange, WebComparison

NOTABLE_MS = 200.0
NOTABLE_SHIFT = 0.01
NOTABLE_BYTES = 10 * 1024
"""What a page's vitals must change by to be worth a line: less is noise."""


@dataclass(frozen=True)
class ShownPictures:
    """How a page looked, looks now, and what of it differs: ids of artifacts."""

    name: str
    told: str
    before: str
    after: str
    changed: str


@dataclass(frozen=True)
class ShownComparison:
    """``why_not`` says why there was none, ``same`` that nothing differs; else they are empty."""

    base: str
    why_not: str = ""
    same: str = ""
    new: Sequence[str] = ()
    gone: Sequence[str] = ()
    vitals: Sequence[str] = ()
    looks: Sequence[str] = ()
    pictures: Sequence[ShownPictures] = ()
    left_out: Sequence[str] = ()


def shown_comparison(
    it: WebComparison, attachments: Sequence[AttachmentReference]
) -> ShownComparison:
    """The view of a comparison. Every text is one plain line."""
    base = it.sha[:12]
    if it.reason:
        return ShownComparison(base, why_not=f"The base commit `{base}` {one_line(it.reason)}.")
    vitals = tuple(line for change in it.vitals if (line := _vitals(change)))
    kept = {reference.name: reference.id for reference in attachments if reference.id}
    same = not (it.new or it.gone or vitals or it.pictures or it.left_out)
    return ShownComparison(
        base,
        same=f"Nothing changed against the base commit `{base}`." if same else "",
        new=tuple(one_line(f"{found.kind}: {found.text}") for found in it.new),
        gone=tuple(one_line(f"{found.kind}: {found.text}") for found in it.gone),
        vitals=vitals,
        looks=tuple(map(_look, it.pictures)),
        pictures=tuple(_pictures(it.pictures, kept)),
        left_out=tuple(map(one_line, it.left_out)),
    )


def _pictures(changes: Sequence[PictureChange], kept: Mapping[str, str]) -> Iterator[ShownPictures]:
    for it in changes:
        ids = [kept.get(name, "") for name in (it.before, it.after, it.changed)]
        if all(ids):
            yield ShownPictures(_page(it), _share(it), *ids)


def _look(change: PictureChange) -> str:
    where = " on a phone" if change.size is Size.PHONE else ""
    return f"`{one_line(change.path)}`{where} looks different: {_share(change)}"


def _page(change: PictureChange) -> str:
    return one_line(change.path) + (" (phone)" if change.size is Size.PHONE else "")


def _share(change: PictureChange) -> str:
    percent = change.share * 100
    return f"{percent:.{1 if percent < 10 else 0}f} % of its pixels"


def _vitals(change: VitalsChange) -> str:
    """A line for a page whose vitals have changed notably, else empty."""
    told = []
    if change.lcp_ms is not None and abs(change.lcp_ms) >= NOTABLE_MS:
        told.append(f"largest paint {change.lcp_ms:+,.0f} ms")
    if change.cls is not None and abs(change.cls) >= NOTABLE_SHIFT:
        told.append(f"layout shift {change.cls:+.2f}")
    if change.ttfb_ms is not None and abs(change.ttfb_ms) >= NOTABLE_MS:
        told.append(f"first byte {change.ttfb_ms:+,.0f} ms")
    if change.transfer_bytes is not None and abs(change.transfer_bytes) >= NOTABLE_BYTES:
        told.append(f"transferred {change.transfer_bytes / 1024:+,.0f} kB")
    return f"`{one_line(change.path)}`: {', '.join(told)}" if told else ""
