"""A pull request that an agent run brought and whose head failed: what the fixing tables share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.agent_runs import AgentRun, RunMessage, RunRequest, RunStatus
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.effects import Decision, Effect, LeaveEvent, PublishStatus, ValidationOrder
from bot.domain.events import PullRequestTouched
from bot.domain.ids import derived
from bot.domain.pull_request_effects import EndAttempt, GoOnFixing, StopFixing
from bot.domain.pull_request_records import (
    FixAttempt,
    FixOutcome,
    FixWish,
    PullRequestRecord,
    Revalidation,
    Stop,
    StopRule,
)
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import Account, PullRequest, Repository
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import FailureClass, ValidationStatus, Verdict
from bot.policy.autofix import FixFacts, decide
from bot.policy.failure_signature import failure_of, signature_of

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
REPOSITORY = Repository(7, "octo", "shop", 1, default_branch="main")
NUMBER = 20
ALICE, BOB = Account(1, "alice"), Account(2, "bob")
AGENT = Account(9, "codegen-sh[bot]", is_bot=True)
OLD, HEAD, NEW = "a" * 40, "b" * 40, "c" * 40
PULL = PullRequest(
    number=NUMBER,
    title="t",
    url="https://github.com/octo/shop/pull/20",
    author=AGENT,
    is_open=True,
    draft=False,
    head_sha=HEAD,
    head_branch="change",
    head_repository_id=7,
    base_sha="d" * 40,
    base_branch="main",
)
ASKED = CommentReference(CommentKind.CONVERSATION, 50, 3, "https://x/3")
REQUEST = RunRequest(REPOSITORY, 3, "Add a list", ALICE, ASKED, "main")
RUN = AgentRun(
    "run", REQUEST, NOW, NOW, status=RunStatus.COMPLETED, remote_id=5, pull_request=NUMBER
)
ORDER = ValidationOrder(
    REPOSITORY, HEAD, "refs/pull/20/head", "main", "d" * 40, NUMBER, "https://x/20", trusted=True
)


def validation(
    failure_class: FailureClass | None = FailureClass.CODE,
    verdict: Verdict = Verdict.FAILED,
    *,
    head: str = HEAD,
    signature: str = "one",
    at: datetime = NOW - HOUR,
    **changes: Any,
) -> ValidationRecord:
    """An ended validation of a head, an hour old."""
    status = {
        Verdict.ERROR: ValidationStatus.ERROR,
        Verdict.CANCELLED: ValidationStatus.CANCELLED,
    }.get(verdict, ValidationStatus.COMPLETED)
    record = ValidationRecord(
        f"validation of {head[:1]}",
        replace(ORDER, head_sha=head),
        at,
        status=status,
        completed_at=at,
        verdict=verdict,
        failure_class=failure_class,
        reason="test failed: `npm test` exited with 1",
        result=result(finding(signature)) if verdict is Verdict.FAILED else {},
        pull_requests=frozenset({NUMBER}),
    )
    return replace(record, **changes)


def finding(signature: str = "one", **changes: Any) -> dict[str, Any]:
    return {
        "stage": "test",
        "file": "src/list.test.ts",
        "line": 12,
        "column": 3,
        "level": "failure",
        "message": f"expected {signature}",
        "rule": "",
        "signature": signature,
    } | changes


def result(*findings: Mapping[str, Any], stage: str = "test", rule: str = "line-blamed") -> Any:
    """The public JSON of a failure, as far as it is read."""
    return {
        "stages": [{"name": "build", "status": "passed"}, {"name": stage, "status": "failed"}],
        "class_rule": {"name": rule},
        "findings": [*findings],
    }


FAILED = validation()
PASSED = validation(None, Verdict.PASSED)
FAILURE = failure_of(FAILED)


def attempt(ordinal: int = 1, outcome: FixOutcome | None = None, **changes: Any) -> FixAttempt:
    """An attempt that was sent two hours ago to the run; for the old head, unless it is told."""
    made = FixAttempt(
        id=attempt_id(ordinal),
        ordinal=ordinal,
        head_sha=OLD,
        validation_id="validation of a",
        signature=signature_of(FAILED),
        failure=FAILURE,
        run_id="run",
        sent_at=NOW - 2 * HOUR,
        outcome=outcome,
        pushed_sha=HEAD if outcome is FixOutcome.PUSHED else "",
        ended_at=NOW - 2 * HOUR if outcome else None,
    )
    return replace(made, **changes)


def attempt_id(ordinal: int) -> str:
    return derived(REPOSITORY.id, NUMBER, "fix", ordinal)


def other(ordinal: int = 1, **changes: Any) -> FixAttempt:
    """An attempt at another failure, which was pushed for."""
    return attempt(ordinal, FixOutcome.PUSHED, **{"signature": f"other {ordinal}"} | changes)


def stop(rule: StopRule = StopRule.NO_PUSH, **changes: Any) -> Stop:
    return replace(Stop(rule, "A sentence.", OLD, NOW - 2 * HOUR, "alice"), **changes)


def wish(**changes: Any) -> FixWish:
    """Bob's, of a minute ago, for this head."""
    return replace(FixWish("wish", BOB, HEAD, NOW - timedelta(minutes=1)), **changes)


def record(**changes: Any) -> PullRequestRecord:
    return PullRequestRecord(REPOSITORY, NUMBER, head_sha=HEAD, **changes)


def revalidations(count: int, head: str = HEAD) -> tuple[Revalidation, ...]:
    return tuple(Revalidation(head, f"again {it}", NOW - 2 * HOUR) for it in range(count))


def config(**sections: Any) -> RepoConfig:
    return RepoConfig.model_validate(sections)


def run(status: RunStatus = RunStatus.COMPLETED, **changes: Any) -> AgentRun:
    return replace(RUN, status=status, **changes)


def message(ordinal: int = 1) -> RunMessage:
    """What an attempt is to its run."""
    return RunMessage(attempt_id(ordinal), "", "", failure="validation of a")


FACTS = FixFacts(REPOSITORY, PULL, RepoConfig(), record(), [FAILED], [RUN], NOW)


def facts(**changes: Any) -> FixFacts:
    """An agent's pull request whose head failed; what begins with ``record_`` is the record's."""
    kept = {k: changes.pop(k) for k in [*changes] if k.startswith("record_")}
    pull = {k: changes.pop(k) for k in [*changes] if k.startswith("pull_")}
    made = replace(FACTS, **changes)
    if kept:
        made = replace(
            made, record=record(**{k.removeprefix("record_"): v for k, v in kept.items()})
        )
    if pull:
        fields: dict[str, Any] = {k.removeprefix("pull_"): v for k, v in pull.items()}
        made = replace(made, pull_request=replace(made.pull_request, **fields))
    return made


def decided(given: FixFacts) -> Decision:
    return decide(given, lambda index: f"new {index}")


def kinds(effects: Iterable[Effect]) -> list[str]:
    return [it.kind for it in effects]


LOOK = LeaveEvent(PullRequestTouched(REPOSITORY, NUMBER))
TOUCHED: tuple[Effect, ...] = (PublishStatus(REPOSITORY, NUMBER), LOOK)


def goes_on(counted_from: int) -> tuple[Effect, ...]:
    return (GoOnFixing(REPOSITORY, NUMBER, counted_from), *TOUCHED)


def ended(ordinal: int, outcome: FixOutcome, *paths: str) -> EndAttempt:
    """With paths, that a push of the head led to it."""
    pushed = HEAD if paths else ""
    return EndAttempt(REPOSITORY, NUMBER, attempt_id(ordinal), outcome, pushed, paths)


def stop_of(decision: Decision) -> Stop | None:
    return next((it.stop for it in decision.effects if isinstance(it, StopFixing)), None)


def sends(decision: Decision) -> bool:
    """Whether the agent is set going."""
    return bool({"request_run", "message_run", "record_attempt"} & {*kinds(decision.effects)})
