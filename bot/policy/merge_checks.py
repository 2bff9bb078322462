"""The criteria that are checks: our own validation of the head, and what others have to report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.check_runs import CHECK_NAME
from bot.domain.merging import CheckOutcome, CommitCheck, Criterion
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import Check, FailureClass, ValidationStatus, Verdict
from bot.policy.merge_facts import Asked, MergeFacts, listed, override_mend

_CONFIGURED = "`validation.required_checks`"
_GITHUB = "GitHub's rules"
_PUSH_OR_FIX = "Push a commit that mends it, or write `/codegen fix`."
_VALIDATE = "Write `/codegen validate`."


def validation(facts: MergeFacts) -> Criterion:
    """Our own validation of exactly this head; a check of our name by somebody else is none."""
    asked = Asked("validation", CHECK_NAME)
    newest = facts.validation
    if newest is None:
        return asked.waiting("this commit was not validated yet", "It is validated by itself.")
    if not newest.ended:
        queued = newest.status is ValidationStatus.REQUESTED
        value = "it is queued" if queued else "it is running"
        return asked.waiting(value, "It is judged once it has ended.")
    if passed(newest):
        return asked.met(newest.title or "it passed")
    value = newest.title or newest.reason or f"it ended as {newest.verdict or newest.status}"
    return asked.unmet(value, f"{_mend_of(newest)} {override_mend(asked.name)}")


def passed(record: ValidationRecord | None) -> bool:
    """Whether a validation ended green."""
    return (
        record is not None
        and record.status is ValidationStatus.COMPLETED
        and record.verdict is Verdict.PASSED
    )


def _mend_of(record: ValidationRecord) -> str:
    if record.failure_class is FailureClass.UNTRUSTED_FORK:
        return f"Write `/codegen trust {record.order.head_sha[:12]}`."
    if record.verdict is Verdict.FAILED:
        return _PUSH_OR_FIX
    return _VALIDATE


# ── what others have to report ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Wanted:
    """A check that has to be there.

    ``app_id`` is the App that it has to come from, None where any may give it. ``strict`` wants it
    to have run and succeeded; GitHub's own rules take a skipped or neutral one as well.
    ``by_github`` says that GitHub refuses a merge without it.
    """

    criterion: str
    check: str
    app_id: int | None
    source: str
    strict: bool
    by_github: bool


def required_checks(facts: MergeFacts) -> tuple[Criterion, ...]:
    """A criterion for each check that has to be there, by its name."""
    return tuple(_judge(facts, it) for it in wanted_checks(facts))


def wanted_checks(facts: MergeFacts) -> Iterator[Wanted]:
    """Every required check, once for its name and App, those of the configuration first.

    Whoever names no App means the one that another rule names. Ours is left out: it is
    ``validation``, and never waits for itself.
    """
    stages = {it.value for it in Check}
    configured = [
        it
        for it in facts.config.validation.required_checks
        if it not in stages and not _is_ours(facts, it, None)
    ]
    rules = [it for it in facts.rules.checks if not _is_ours(facts, it.name, it.app_id)]
    required = [
        it
        for it in facts.situation.checks
        if it.required and not _is_ours(facts, it.name, it.app_id)
    ]
    names = (*configured, *(it.name for it in rules), *(it.name for it in required))
    for name in dict.fromkeys(names):
        here = [it for it in rules if it.name == name]
        sources = [_CONFIGURED] if name in configured else []
        sources += [it.source for it in here]
        by_github = bool(here) or any(it.name == name for it in required)
        if by_github and not here:
            sources.append(_GITHUB)
        apps = list(dict.fromkeys(it.app_id for it in here if it.app_id is not None))
        either: list[int | None] = [*apps] or [None]
        shown = f"check:{name}" if name in OWN_NAMES else name
        for app_id in either:
            yield Wanted(
                criterion=f"{shown} ({_app(facts, app_id)})" if len(apps) > 1 else shown,
                check=name,
                app_id=app_id,
                source=listed(list(dict.fromkeys(sources))),
                strict=name in configured,
                by_github=by_github,
            )


def _is_ours(facts: MergeFacts, name: str, app_id: int | None) -> bool:
    return name == CHECK_NAME and app_id in (None, facts.own_app_id)


def _judge(facts: MergeFacts, wanted: Wanted) -> Criterion:
    asked = Asked(wanted.criterion, wanted.source)
    extra = "" if wanted.by_github else f" {override_mend(wanted.criterion)}"
    there = _that_count(facts.situation.checks, wanted)
    if not there:
        others = [it for it in facts.situation.checks if it.name == wanted.check]
        if others:
            return asked.unmet(_forged(facts, wanted, others), f"{_expected(facts, wanted)}{extra}")
        return asked.waiting(
            "it has not reported for this commit",
            f"{_expected(facts, wanted)} If it never does, see that it runs for this pull "
            f"request.{extra}",
        )
    worst = max((it.outcome for it in there), key=list(CheckOutcome).index)
    good = _GOOD_WHERE_STRICT if wanted.strict else _GOOD
    bad = [it.outcome for it in there if it.outcome not in good]
    if not bad:
        return asked.met(_VALUES[worst])
    outcome = max(bad, key=list(CheckOutcome).index)
    if outcome is CheckOutcome.PENDING:
        return asked.waiting(_VALUES[outcome], f"It is judged once it has ended.{extra}")
    value = _VALUES[outcome] + _WHERE_STRICT.get(outcome, "")
    return asked.unmet(value, f"{_MENDS.get(outcome, _RUN_AGAIN)}{extra}")


def _that_count(checks: Iterable[CommitCheck], wanted: Wanted) -> Sequence[CommitCheck]:
    """Those of the name that GitHub would look at: the expected App's have to be among them."""
    named = [it for it in checks if it.name == wanted.check]
    required = [it for it in named if it.required]
    if wanted.app_id is None:
        return required or named
    theirs = [it for it in named if it.app_id == wanted.app_id]
    return [it for it in named if it in theirs or it in required] if theirs else []


def _forged(facts: MergeFacts, wanted: Wanted, others: Sequence[CommitCheck]) -> str:
    app = _app(facts, wanted.app_id)
    runs = [it for it in others if it.app_id is not None]
    if not runs:
        return (
            f"a commit status of this name is there, and not the check of {app}; "
            "anybody who may push can write a status"
        )
    givers = listed(list(dict.fromkeys(_app(facts, it.app_id) for it in runs)))
    return f"a check of this name is there, but from {givers}, not from {app}"


def _expected(facts: MergeFacts, wanted: Wanted) -> str:
    if wanted.app_id is None:
        return "It counts once it has reported."
    return f"It counts once {_app(facts, wanted.app_id)} has reported it."


def _app(facts: MergeFacts, app_id: int | None) -> str:
    """An App as people know it, where a check tells its name."""
    slugs = (it.app_slug for it in facts.situation.checks if it.app_id == app_id and it.app_slug)
    slug = next(slugs, "")
    return f"the App `{slug}`" if slug else f"the App with id {app_id}"


_GOOD_WHERE_STRICT = frozenset({CheckOutcome.SUCCESS})
_GOOD = frozenset({CheckOutcome.SUCCESS, CheckOutcome.NEUTRAL, CheckOutcome.SKIPPED})
_RUN_AGAIN = "Run it again."
_MENDS: Mapping[CheckOutcome, str] = {
    CheckOutcome.FAILURE: "Push a commit that mends it, or run it again.",
    CheckOutcome.ACTION_REQUIRED: "Do what it asks for, in its own report.",
    CheckOutcome.SKIPPED: "See that it runs for this pull request.",
    CheckOutcome.NEUTRAL: "See in its own report what it needs to succeed.",
}
_VALUES: Mapping[CheckOutcome, str] = {
    CheckOutcome.SUCCESS: "it succeeded",
    CheckOutcome.NEUTRAL: "it was neutral",
    CheckOutcome.SKIPPED: "it was skipped",
    CheckOutcome.PENDING: "it is pending",
    CheckOutcome.FAILURE: "it failed",
    CheckOutcome.CANCELLED: "it was cancelled",
    CheckOutcome.TIMED_OUT: "it ran out of time",
    CheckOutcome.ACTION_REQUIRED: "it waits for somebody's action",
    CheckOutcome.STALE: "GitHub gave it up: it had not ended within 14 days",
}
_WHERE_STRICT: Mapping[CheckOutcome, str] = {
    CheckOutcome.NEUTRAL: "; it has to have succeeded",
    CheckOutcome.SKIPPED: "; it has to have run",
}
OWN_NAMES = frozenset(
    {
        "open", "validation", "approvals", "changes_requested", "code_review", "conversations",
        "mergeable", "up_to_date", "merge_method", "draft", "hold", "labels", "title",
        "merge_window", "auto_merge", "merge_feature", "paused", "needs_human", "github_rules",
        "merge_line", "merge_queue", "agent_at_work",
    }
)  # fmt: skip
"""What our own criteria are called; a check of the same name is told as ``check:NAME``."""
