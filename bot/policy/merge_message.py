"""The commit message of a merge: what was changed, who wanted it, and what vouches for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.domain.agent_runs import AgentRun
from bot.domain.check_runs import CHECK_NAME
from bot.domain.log_text import one_line
from bot.domain.merging import MergeMethod
from bot.policy.merge_checks import passed
from bot.policy.merge_facts import MergeFacts

LONGEST_BODY = 4_000
LONGEST_GOAL = 200
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MENTION = re.compile(r"(?<![A-Za-z0-9_])@+(?=[A-Za-z0-9])")
"""What GitHub takes for one; an address of mail is none."""
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


def message(facts: MergeFacts, method: MergeMethod) -> tuple[str, str]:
    """Title and body; each is left to GitHub where it is empty. A rebase makes no commit."""
    match method:
        case MergeMethod.SQUASH:
            return _title(facts), _body(facts)
        case MergeMethod.MERGE:
            return "", _body(facts)
        case MergeMethod.REBASE:
            return "", ""


def _title(facts: MergeFacts) -> str:
    number = f"(#{facts.pull.number})"
    said = _unmentioned(one_line(facts.pull.title)).removesuffix(number).strip()
    return f"{said} {number}".strip()


def _body(facts: MergeFacts) -> str:
    trailers = "\n".join(f"{name}: {value}" for name, value in _trailers(facts))
    return "\n\n".join(filter(None, (_described(facts.situation.body), trailers)))


def _described(text: str) -> str:
    """A description as its author meant it to be read, and without anybody to notify."""
    text = _COMMENT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _unmentioned(_CONTROL.sub("", text))
    text = _BLANK_LINES.sub("\n\n", text).strip()
    return text if len(text) <= LONGEST_BODY else f"{text[: LONGEST_BODY - 1].rstrip()}…"


def _trailers(facts: MergeFacts) -> Iterator[tuple[str, str]]:
    """In a paragraph of their own at the end: a description can't pass for them."""
    run = _asked_for(facts)
    if run is not None:
        first = next((it for it in run.request.goal.splitlines() if it.strip()), "")
        goal = _CLOSING.sub(r"\1 (\2)", _unmentioned(one_line(first)))
        if goal:
            short = len(goal) <= LONGEST_GOAL
            yield "Goal", goal if short else f"{goal[: LONGEST_GOAL - 1].rstrip()}…"
        yield "Requested-by", one_line(run.request.asked_by.login)
    if passed(facts.validation):
        yield "Validated-by", f"{CHECK_NAME} {facts.details_url}".strip()


def _asked_for(facts: MergeFacts) -> AgentRun | None:
    """The run that the pull request comes from: the first one that was to mend no failure."""
    return next((it for it in reversed(facts.runs) if not it.request.failure), None)


_CLOSING = re.compile(
    r"(?i)\b(close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+((?:[\w./-]+)?#\d+|https?://\S+)"
)
"""What closes an issue wherever it stands in a commit's message: a goal is no order to do so."""


def _unmentioned(text: str) -> str:
    return _MENTION.sub("", text)
