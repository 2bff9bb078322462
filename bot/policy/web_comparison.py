"""Head against base: what a browser saw of the one and not of the other.

Things are told apart by texts without what differs from one build to the next. What is flaky, and
what was not looked at on one side, counts for neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.domain.log_text import one_line
from bot.domain.web import (
    ComponentOutcome,
    Difference,
    FaultKind,
    FlowOutcome,
    PageSeen,
    PictureChange,
    VitalsChange,
    WebComparison,
    WebEvaluation,
    steady,
)

MOST_DIFFERENCES = 50
LONGEST_TEXT = 300
NOTICEABLE_SHARE = 0.0005
"""Of a page's pixels: a blinking caret is less."""

ANYWHERE = ""
Key = tuple[str, ...]


def compare(
    sha: str,
    base: WebEvaluation,
    head: WebEvaluation,
    pictures: tuple[PictureChange, ...] = (),
    left_out: tuple[str, ...] = (),
    alike: int = 0,
) -> WebComparison:
    """What changed from base to head, the commit ``sha`` being the base's."""
    before, after = _things_of(base), _things_of(head)
    looked_at = _looked_at(head)
    new = [it for key, it in after.items() if key not in before]
    gone = [it for key, it in before.items() if key not in after and key[1] in looked_at]
    left_out += tuple(
        f"{len(found) - MOST_DIFFERENCES} more that are {word}"
        for word, found in (("new", new), ("gone", gone))
        if len(found) > MOST_DIFFERENCES
    )
    shown = [it for it in pictures if it.share >= NOTICEABLE_SHARE]
    return WebComparison(
        sha,
        new=tuple(new[:MOST_DIFFERENCES]),
        gone=tuple(gone[:MOST_DIFFERENCES]),
        vitals=tuple(_vitals(base, head)),
        pictures=tuple(sorted(shown, key=lambda it: -it.share)),
        alike=alike + len(pictures) - len(shown),
        left_out=left_out,
    )


def _things_of(seen: WebEvaluation) -> dict[Key, Difference]:
    found: dict[Key, Difference] = {}
    for key, it in _things(seen):
        found.setdefault(key, it)
    return found


def _looked_at(seen: WebEvaluation) -> set[str]:
    """The pages and flows that were looked at, and could be; and what is no single page's."""
    pages = {it.path for it in seen.pages if not _not_reached(it)}
    return (
        {ANYWHERE} | pages | {it.name for it in seen.flows if it.outcome is not FlowOutcome.NOT_RUN}
    )


def _not_reached(page: PageSeen) -> bool:
    return page.fault is not None and page.fault.kind is FaultKind.NOT_REACHED


def _things(seen: WebEvaluation) -> Iterator[tuple[Key, Difference]]:
    """All that can be new or gone: by kind, page or flow, and what tells it from others."""
    for page in seen.pages:
        yield from _of_page(page)
    for link in seen.links:
        yield _thing("broken link", link.page, (steady(link.url),), link.url)
    for flow in seen.flows:
        if flow.outcome is FlowOutcome.FAILED and not flow.flaky:
            yield _thing("failed flow", flow.name, (), flow.reason)
    for it in seen.components:
        if it.outcome is ComponentOutcome.BROKE and not it.flaky:
            words = f"{it.kind} “{it.label}”: {it.reason}"
            yield _thing("broken component", it.page, (it.kind, steady(it.label)), words)


def _of_page(page: PageSeen) -> Iterator[tuple[Key, Difference]]:
    if page.fault and not page.fault.flaky and not _not_reached(page):
        where = f"{page.fault.reason} ({page.size})"
        yield _thing("broken page", page.path, (page.size, page.fault.kind), where)
    for error in page.console:
        if not error.flaky:
            yield _thing("console error", page.path, (steady(error.text),), error.text)
    for thrown in page.exceptions:
        if not thrown.flaky:
            yield _thing("uncaught exception", page.path, (steady(thrown.text),), thrown.text)
    for request in page.requests:
        if not request.flaky:
            what = f"{request.method} {request.url}"
            key = ("failed request", ANYWHERE, steady(what), str(request.status))
            answered = request.status or request.reason
            yield key, Difference(key[0], _told(what, str(answered)))
    for it in page.violations or ():
        words = f"{it.help or it.rule} ({it.rule}, {it.impact})"
        yield _thing("accessibility violation", page.path, (it.rule,), words)


def _thing(kind: str, where: str, parts: Key, words: str) -> tuple[Key, Difference]:
    return (kind, where, *parts), Difference(kind, _told(where, words))


def _told(where: str, words: str) -> str:
    """Where, as a code span, and what."""
    return one_line(f"`{where.replace('`', '´')}`: {words}")[:LONGEST_TEXT]


def _vitals(base: WebEvaluation, head: WebEvaluation) -> Iterator[VitalsChange]:
    before: Mapping[str, PageSeen] = {it.path: it for it in base.pages if it.vitals}
    for page in head.pages:
        then = before[page.path].vitals if page.path in before else None
        if (now := page.vitals) is not None and then is not None:
            yield VitalsChange(
                page.path,
                _minus(now.lcp_ms, then.lcp_ms),
                _minus(now.cls, then.cls),
                _minus(now.ttfb_ms, then.ttfb_ms),
                _minus(now.transfer_bytes, then.transfer_bytes),
            )


def _minus(now: float | None, then: float | None) -> float | None:
    return None if now is None or then is None else round(now - then, 4)
