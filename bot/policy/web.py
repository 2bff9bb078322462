"""What a web evaluation comes to: what gates, and what is advice.

Gates: a page that does not load, is blank or an error page; an exception that nobody caught; a
request of the application's own that answers 5xx, or an asset that is missing; a failed flow; a
budget that is passed and worse than the base; where the base was not looked at, one that the
project has set itself; with ``budgets.absolute`` any. All else is advice, and so is what did not
happen again, and what scripts or stylesheets of other hosts may have caused: those can't be loaded
in the box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from bot.domain.log_text import one_line
from bot.domain.web import (
    ComponentOutcome,
    FailedRequest,
    FaultKind,
    FlowOutcome,
    FlowSeen,
    Frame,
    PageSeen,
    Size,
    Thrown,
    Vitals,
    WebEvaluation,
    WebPlan,
    steady,
)

LONGEST_QUOTE = 200
LCP_NOISE_MS = 200.0
LCP_NOISE_SHARE = 1.2
CLS_NOISE = 0.02
"""What two measurements of the same page may differ by."""

_ASSETS = frozenset({"script", "stylesheet", "image", "font", "media", "document"})
_OF_COLOURS = frozenset({"color-contrast", "link-in-text-block", "target-size"})
_NOT_THERE = frozenset({404, 410})
_ASKS_WHO_YOU_ARE = frozenset({401, 403})
_ONLY_MEASURE = (
    "googletagmanager.com",
    "google-analytics.com",
    "plausible.io",
    "clarity.ms",
    "hotjar.com",
    "cloudflareinsights.com",
)
"""Hosts whose scripts only count visitors: no page breaks without them."""
_OF_A_PROMISE = "Uncaught (in promise) "
_SCRIPTS = (".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx")
"""A page's own first character is what a browser gives where it knows no place."""
_UNASKED = ("/favicon.ico", "/apple-touch-icon")
"""What browsers ask for by themselves: nobody's asset."""


@dataclass(frozen=True)
class WebJudgement:
    """Sentences without a full stop: what fails the stage, and what is worth a look."""

    gates: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing gates."""
        return not self.gates


def judge(seen: WebEvaluation, plan: WebPlan) -> WebJudgement:
    """Judge an evaluation by the rules above."""
    gates, advice = _Sentences(), _Sentences()
    for page in seen.pages:
        _judge_page(page, gates, advice)
    for flow in seen.flows:
        _judge_flow(flow, gates, advice)
    for link in seen.links:
        text = f" (“{_quoted(link.text)}”)" if link.text else ""
        advice.add(f"{link.page}: the link to {_code(link.url)}{text} is broken: {link.reason}")
    for it in seen.components:
        if it.outcome is ComponentOutcome.BROKE:
            how = " breaks at times" if it.flaky else " breaks"
            name = f" “{_quoted(it.label)}”" if it.label else ""
            what = f"{it.kind}{name} ({_code(it.selector)}){how}: {_quoted(it.reason)}"
            advice.add(f"{it.page}: {what}")
    _Budgets(plan, gates, advice).judge(seen)
    return WebJudgement(gates.all, advice.all)


def reason(seen: WebEvaluation, judgement: WebJudgement) -> str:
    """The stage's own sentence, without a full stop."""
    if judgement.gates:
        more = len(judgement.gates) - 1
        return judgement.gates[0] + (f" (and {more} more)" if more else "")
    paths = {page.path for page in seen.pages}
    parts = [_count(len(paths), "page")]
    if seen.flows:
        parts.append(_count(len(seen.flows), "flow"))
    if seen.components:
        parts.append(_count(len(seen.components), "component"))
    looked = f"{', '.join(parts)} looked at"
    advice = len(judgement.advice)
    return f"{looked}; {_count(advice, 'remark')}" if advice else looked


# ── pages and flows ──────────────────────────────────────────────────────────────────────────


class _Sentences:
    """Sentences in order, each once."""

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    def add(self, sentence: str) -> None:
        self._found.setdefault(one_line(sentence))

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self._found)


def _judge_page(page: PageSeen, gates: _Sentences, advice: _Sentences) -> None:
    where = _code(page.path) + (" (phone)" if page.size is Size.PHONE and page.fault else "")
    lacking = without_scripts(page.missing)
    if page.fault:
        reason = page.fault.reason.removeprefix("it ")
        excuse = lacking if page.fault.kind is FaultKind.BLANK else ""
        excuse = ", at times" if page.fault.flaky else excuse
        (advice if excuse else gates).add(f"{where} {reason}{_why_blank(page)}{excuse}")
    for thrown in page.exceptions:
        _judge_exception(_code(page.path), thrown, lacking, gates, advice)
    for request in page.requests:
        if not gating(request):
            continue
        into, at_times = (advice, ", at times") if request.flaky else (gates, "")
        into.add(f"{_code(page.path)}: {_request(request)}{at_times}")
    for error in page.console:
        at_times = ", at times" if error.flaky else ""
        said = f"{_quoted(error.text)}{_at(error.frame)}"
        advice.add(f"{_code(page.path)}: console error: {said}{at_times}")
    for violation in page.violations or ():
        example = f", at {_code(violation.selectors[0])}" if violation.selectors else ""
        advice.add(
            f"{_code(page.path)}: accessibility, {violation.impact}: {violation.help} "
            f"({violation.rule}, {_count(violation.nodes, 'place')}{example})"
        )


def _why_blank(page: PageSeen) -> str:
    """What the browser says of a page on which nothing is, where no exception tells of it."""
    blank = page.fault is not None and page.fault.kind is FaultKind.BLANK
    error = next((it for it in page.console if not it.flaky), None)
    if not blank or page.exceptions or error is None:
        return ""
    return f"; the console says: {_quoted(error.text)}{_at(error.frame)}"


def _judge_exception(
    where: str, thrown: Thrown, lacking: str, gates: _Sentences, advice: _Sentences
) -> None:
    at = _at(thrown.frames[0]) if thrown.frames else ""
    text = _quoted(thrown.text.removeprefix(_OF_A_PROMISE))
    said = f"{where}: uncaught exception: {text}{at}"
    excuse = ", at times" if thrown.flaky else lacking
    (advice if excuse else gates).add(f"{said}{excuse}")


def _judge_flow(flow: FlowSeen, gates: _Sentences, advice: _Sentences) -> None:
    name = f"the flow “{_quoted(flow.name)}”"
    if flow.outcome is FlowOutcome.NOT_RUN:
        gates.add(f"{name} was not tried: {flow.reason}")
    elif flow.outcome is FlowOutcome.FAILED:
        told = f"step {flow.step} of {flow.steps} ({_code(flow.doing)}): {_quoted(flow.reason)}"
        if flow.flaky:
            advice.add(f"{name} fails at times, in {told}")
        else:
            lacking = without_scripts(flow.missing)
            (advice if lacking else gates).add(f"{name} failed in {told}{lacking}")
    for thrown in flow.exceptions:
        _judge_exception(name, thrown, without_scripts(flow.missing), gates, advice)


def without_scripts(missing: tuple[str, ...]) -> str:
    """What may excuse a page: scripts of other hosts it went without; empty where none matter."""
    hosts = [it.removeprefix("script ") for it in missing if it.startswith("script ")]
    hosts = [it for it in hosts if not it.endswith(_ONLY_MEASURE)]
    if not hosts:
        return ""
    return f"; it went without the scripts of {', '.join(map(_code, hosts[:3]))}, out of reach here"


def gating(request: FailedRequest) -> bool:
    """Whether a request is one of those that fail the stage by themselves."""
    if request.url.startswith(_UNASKED):
        return False
    if request.status is not None and request.status >= 500:
        return True
    return request.type in _ASSETS and (request.status is None or request.status in _NOT_THERE)


def _request(request: FailedRequest) -> str:
    what = f"{request.method} {_code(request.url)}"
    if request.status is None:
        return f"{what} failed ({request.reason})"
    missing = request.status in _NOT_THERE and request.type in _ASSETS
    return f"{what} answered {request.status}" + (
        f", the {request.type} is missing" if missing else ""
    )


# ── budgets ──────────────────────────────────────────────────────────────────────────────────


class _Budgets:
    """Puts what passes a budget where it belongs, held against the base where there is one."""

    def __init__(self, plan: WebPlan, gates: _Sentences, advice: _Sentences) -> None:
        self._budgets = plan.budgets
        self._gates = gates
        self._advice = advice
        self._base = plan.base.evaluation if plan.base and not plan.budgets.absolute else None
        pages = self._base.pages if self._base else ()
        self._vitals = {page.path: page.vitals for page in pages if page.vitals}

    def judge(self, seen: WebEvaluation) -> None:
        """Judge counts over all pages, and the vitals of each."""
        self._count("console_errors", "console error", _console_errors, seen)
        self._count("failed_requests", "failed request", _other_requests, seen)
        name = "serious accessibility violation"
        self._count("accessibility_serious", name, _serious, seen)
        for page in seen.pages:
            if page.vitals is not None:
                self._measured(page.path, page.vitals)

    def _unknown(self, budget: str) -> _Sentences:
        """Where there is no base nobody knows whose it is: what the project itself set gates."""
        own = self._budgets.absolute or budget in self._budgets.model_fields_set
        return self._gates if own else self._advice

    def _count(
        self, key: str, name: str, things: Callable[[WebEvaluation], list[str]], seen: WebEvaluation
    ) -> None:
        all_of_it, budget = things(seen), getattr(self._budgets, key)
        if len(all_of_it) <= budget:
            return
        said = f"{_count(len(all_of_it), name)}, the budget is {budget}: {all_of_it[0]}"
        if self._base is None:
            self._unknown(key).add(said)
            return
        examined = key == "accessibility_serious"
        now, before = (things(it) for it in _of_both(seen, self._base, examined=examined))
        if len(now) > len(before):
            self._gates.add(f"{said} (the base has {len(before)} on the same pages)")
        elif len(all_of_it) > len(now):
            self._unknown(key).add(f"{said} (the base was not looked at everywhere)")
        else:
            self._advice.add(f"{said} (the base has {len(before)} as well)")

    def _measured(self, path: str, now: Vitals) -> None:
        then = self._vitals.get(path) or Vitals()
        if now.lcp_ms is not None and now.lcp_ms > (budget := self._budgets.lcp_ms):
            said = f"its largest content is painted after {now.lcp_ms:.0f} ms"
            said = f"{_code(path)}: {said}, the budget is {budget} ms"
            if then.lcp_ms is None:
                self._unknown("lcp_ms").add(said)
            else:
                allowed = max(then.lcp_ms * LCP_NOISE_SHARE, then.lcp_ms + LCP_NOISE_MS)
                said += f" (the base takes {then.lcp_ms:.0f} ms)"
                (self._gates if now.lcp_ms > allowed else self._advice).add(said)
        if now.cls is not None and now.cls > self._budgets.cls:
            said = f"{_code(path)}: its layout shifts by {now.cls:.2f}"
            said += f", the budget is {self._budgets.cls:g}"
            if then.cls is None:
                self._unknown("cls").add(said)
            else:
                said += f" (the base's by {then.cls:.2f})"
                (self._gates if now.cls > then.cls + CLS_NOISE else self._advice).add(said)


def _of_both(
    head: WebEvaluation, base: WebEvaluation, *, examined: bool
) -> tuple[WebEvaluation, WebEvaluation]:
    """Both, with the pages alone that were looked at in both; ``examined`` is for accessibility."""

    def looked_at(seen: WebEvaluation) -> set[tuple[str, Size]]:
        return {
            (it.path, it.size)
            for it in seen.pages
            if it.was_reached and not (examined and it.violations is None)
        }

    both = looked_at(head) & looked_at(base)
    heads, bases = (
        replace(seen, pages=tuple(it for it in seen.pages if (it.path, it.size) in both))
        for seen in (head, base)
    )
    return heads, bases


def _console_errors(seen: WebEvaluation) -> list[str]:
    """Console errors of all pages, each once a page, without flaky ones."""
    return _distinct(
        (page.path, steady(error.text), f"{_code(page.path)}: {_quoted(error.text)}")
        for page in seen.pages
        for error in page.console
        if not error.flaky and not without_scripts(page.missing)
    )


def _other_requests(seen: WebEvaluation) -> list[str]:
    """Failed requests that do not gate by themselves; asking who one is is no failure."""
    return _distinct(
        (request.method, steady(request.url), _request(request))
        for page in seen.pages
        for request in page.requests
        if not request.flaky
        and not gating(request)
        and request.status not in _ASKS_WHO_YOU_ARE
        and not request.url.startswith(_UNASKED)
    )


def _serious(seen: WebEvaluation) -> list[str]:
    """Serious and critical violations, each rule once a page."""
    return _distinct(
        (page.path, it.rule, f"{_code(page.path)}: {it.help} ({it.rule})")
        for page in seen.pages
        for it in page.violations or ()
        if it.serious and not (it.rule in _OF_COLOURS and _lacks_styles(page))
    )


def _lacks_styles(page: PageSeen) -> bool:
    return any(it.startswith("stylesheet ") for it in page.missing)


def _distinct(found: Iterable[tuple[str, str, str]]) -> list[str]:
    told: dict[tuple[str, str], str] = {}
    for one, two, sentence in found:
        told.setdefault((one, two), sentence)
    return list(told.values())


# ── words ────────────────────────────────────────────────────────────────────────────────────


def _at(frame: Frame) -> str:
    nowhere = (frame.line, frame.column) == (1, 1) and not frame.url.endswith(_SCRIPTS)
    if not frame.url or nowhere:
        return ""
    numbers = [str(it) for it in (frame.line, frame.column) if it is not None]
    return f" ({_code(':'.join([frame.url, *numbers]))})"


def _code(text: str) -> str:
    """A text of the application's as a code span."""
    return f"`{_quoted(text).replace('`', '´')}`"


def _quoted(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
