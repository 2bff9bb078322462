"""Head against base: what a browser saw of the one and not of the other.

Things are told apart by texts without what differs from one build to the next. What is flaky, and
what was not looked at on one side, counts for neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.domain.log_text import one_line
from bot.domain.web import (
    ComponentOutcome,
    Difference,
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

BROKEN_PAGE = "broken page"
BROKEN_LINK = "broken link"
CONSOLE_ERROR = "console error"
EXCEPTION = "uncaught exception"
REQUEST = "failed request"
VIOLATION = "accessibility violation"
FLOW = "failed flow"
COMPONENT = "broken component"

Key = tuple[str, ...]


@dataclass
class _Thing:
    """Something that was seen, and the looks that it was seen in."""

    difference: Difference
    looks: set[Key] = field(default_factory=set)


def compare(
    sha: str,
    base: WebEvaluation,
    head: WebEvaluation,
    pictures: tuple[PictureChange, ...] = (),
    left_out: tuple[str, ...] = (),
    alike: int = 0,
) -> WebComparison:
    """What changed from base to head, the commit ``sha`` being the base's."""
    new, gone = _only_in(head, base), _only_in(base, head)
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


def _only_in(one: WebEvaluation, other: WebEvaluation) -> list[Difference]:
    """What was seen in one, and would have been in the other, if it were there."""
    there, looks = _things(other), set(_looks(other))
    return [
        it.difference for key, it in _things(one).items() if key not in there and it.looks & looks
    ]


def _looks(seen: WebEvaluation) -> Iterator[Key]:
    """What was looked at: by kind of thing, and where."""
    for page in seen.pages:
        if page.was_reached:
            for kind in (BROKEN_PAGE, BROKEN_LINK, CONSOLE_ERROR, EXCEPTION, REQUEST):
                yield kind, page.path
            if page.violations is not None:
                yield VIOLATION, page.path
    for flow in seen.flows:
        if flow.outcome is not FlowOutcome.NOT_RUN:
            yield FLOW, flow.name
    for it in seen.components:
        yield COMPONENT, it.page, it.kind, steady(it.label)


def _things(seen: WebEvaluation) -> dict[Key, _Thing]:
    """All that can be new or gone, by what tells it from others; the first text of each."""
    found: dict[Key, _Thing] = {}
    for key, look, text in _seen(seen):
        told = one_line(text)[:LONGEST_TEXT]
        found.setdefault(key, _Thing(Difference(key[0], told))).looks.add(look)
    return found


def _seen(seen: WebEvaluation) -> Iterator[tuple[Key, Key, str]]:
    """Each thing as its key, the look that it was seen in, and its text."""
    for page in seen.pages:
        yield from _of_page(page)
    for link in seen.links:
        key: Key = (BROKEN_LINK, link.page, steady(link.url))
        yield key, key[:2], f"{_code(link.page)}: {link.url}"
    for flow in seen.flows:
        if flow.outcome is FlowOutcome.FAILED and not flow.flaky:
            key = (FLOW, flow.name)
            yield key, key, f"{_code(flow.name)}: {flow.reason}"
    for it in seen.components:
        if it.outcome is ComponentOutcome.BROKE and not it.flaky:
            key = (COMPONENT, it.page, it.kind, steady(it.label))
            yield key, key, f"{_code(it.page)}: {it.kind} “{it.label}”: {it.reason}"


def _of_page(page: PageSeen) -> Iterator[tuple[Key, Key, str]]:
    where = _code(page.path)
    if page.fault and page.was_reached and not page.fault.flaky:
        key: Key = (BROKEN_PAGE, page.path, page.size, page.fault.kind)
        yield key, key[:2], f"{where}: {page.fault.reason} ({page.size})"
    for error in page.console:
        if not error.flaky:
            key = (CONSOLE_ERROR, page.path, steady(error.text))
            yield key, key[:2], f"{where}: {error.text}"
    for thrown in page.exceptions:
        if not thrown.flaky:
            key = (EXCEPTION, page.path, steady(thrown.text))
            yield key, key[:2], f"{where}: {thrown.text}"
    for request in page.requests:
        if not request.flaky:
            what = f"{request.method} {request.url}"
            # The same one of several pages is one thing.
            key = (REQUEST, steady(what), str(request.status))
            text = f"{_code(what)}: {request.status or request.reason}"
            yield key, (REQUEST, page.path), text
    for it in page.violations or ():
        key = (VIOLATION, page.path, it.rule)
        yield key, key[:2], f"{where}: {it.help or it.rule} ({it.rule}, {it.impact})"


def _code(text: str) -> str:
    return f"`{text.replace('`', '´')}`"


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
