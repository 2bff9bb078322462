"""Which commits of which pull requests are validated: a table of facts and decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.effects import (
    CancelValidation,
    DeclineValidation,
    Effect,
    LeavePullRequest,
    PublishCheck,
    RecordValidation,
    StartValidation,
    ValidationOrder,
)
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import Account, Permission, PullRequest, Repository
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import FailureClass, ValidationStatus, Verdict
from bot.policy.requests import (
    PullRequestFacts,
    cancel,
    decide,
    job_id,
    leave_inactive,
    request,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
REPOSITORY = Repository(7, "octo", "shop", 1)
HEAD, OLD = "a" * 40, "b" * 40
ALICE = Account(1, "alice")
PULL = PullRequest(
    number=3,
    title="t",
    url="https://x/3",
    author=ALICE,
    is_open=True,
    draft=False,
    head_sha=HEAD,
    head_branch="change",
    head_repository_id=7,
    base_sha="c" * 40,
    base_branch="main",
)
ORDER = ValidationOrder(
    REPOSITORY, HEAD, "refs/pull/3/head", "main", "c" * 40, 3, "https://x/3", trusted=True
)
RECORD = ValidationRecord("known", ORDER, NOW, pull_requests=frozenset({3}), job_id="job", tries=1)
DONE = replace(RECORD, status=ValidationStatus.COMPLETED, verdict=Verdict.PASSED, title="Passed")
CANCELLED = replace(RECORD, status=ValidationStatus.CANCELLED, verdict=Verdict.CANCELLED)
DECLINED = replace(DONE, verdict=Verdict.NEUTRAL, tries=0, job_id=None)
OLDER = replace(RECORD, id="older", order=replace(ORDER, head_sha=OLD))


def config(**run_on: Any) -> RepoConfig:
    return RepoConfig.model_validate({"validation": {"run_on": run_on}})


FACTS = PullRequestFacts(REPOSITORY, PULL, RepoConfig(), (), ())
FORK = replace(FACTS, pull_request=replace(PULL, head_repository_id=8))
DRAFT = replace(FACTS, pull_request=replace(PULL, draft=True))


def effects(facts: PullRequestFacts) -> tuple[Effect, ...]:
    return decide(facts, lambda index: f"new {index}").effects


def new(index: int = 0, **order: Any) -> tuple[Effect, ...]:
    """Validate the head as a new record."""
    name = f"new {index}"
    wanted = replace(ORDER, **order)
    start = StartValidation(name, job_id(name, 1))
    return (RecordValidation(name, wanted), PublishCheck(name), start)


def declined(reason: str, failure: FailureClass | None = None, **order: Any) -> tuple[Effect, ...]:
    wanted = RecordValidation("new 0", replace(ORDER, **order))
    return (wanted, DeclineValidation("new 0", reason, failure), PublishCheck("new 0"))


def left(record: ValidationRecord, reason: str) -> tuple[Effect, ...]:
    return (LeavePullRequest(record.id, 3, reason), PublishCheck(record.id))


JOINED = (RecordValidation("known", ORDER), PublishCheck("known"))
NEWER = f"a newer commit was pushed: {HEAD[:12]}"
WAITS = "a draft waits until it is ready for review (`run_on.drafts: false`)"
TRUST = "it comes from a fork; whoever may write here lets it run by re-running this check"
NEVER = "forks are not validated here (`run_on.forks: never`)"
IGNORED = "only paths of `run_on.paths_ignore` changed"
ANOTHER = {"attempt": 2}


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        pytest.param(FACTS, new(), id="a new head"),
        pytest.param(
            replace(FACTS, unended=[OLDER]), (*left(OLDER, NEWER), *new(2)), id="a newer head"
        ),
        pytest.param(replace(FACTS, of_head=[RECORD]), JOINED, id="it runs already"),
        pytest.param(
            replace(FACTS, of_head=[replace(RECORD, job_id=None)]),
            (*JOINED, StartValidation("known", job_id("known", 1))),
            id="recorded and never started",
        ),
        pytest.param(replace(FACTS, of_head=[DONE]), (), id="validated already"),
        pytest.param(replace(FACTS, of_head=[CANCELLED]), new(**ANOTHER), id="cancelled before"),
        pytest.param(
            replace(FACTS, pull_request=replace(PULL, is_open=False), unended=[RECORD]),
            left(RECORD, "the pull request was closed"),
            id="closed",
        ),
        pytest.param(
            replace(FACTS, pull_request=replace(PULL, is_open=False)), (), id="closed, nothing left"
        ),
        pytest.param(DRAFT, declined(WAITS), id="a draft"),
        pytest.param(replace(DRAFT, of_head=[DECLINED]), (), id="a draft, told before"),
        pytest.param(
            replace(FACTS, of_head=[DECLINED]), new(**ANOTHER), id="a draft that became ready"
        ),
        pytest.param(
            replace(DRAFT, of_head=[RECORD], unended=[RECORD]),
            left(RECORD, WAITS),
            id="it became a draft while it runs",
        ),
        pytest.param(replace(DRAFT, config=config(drafts=True)), new(), id="drafts are wanted"),
        pytest.param(
            replace(DRAFT, asked_by=ALICE), new(asked_by=ALICE), id="a draft, asked for by hand"
        ),
        pytest.param(
            replace(DRAFT, of_head=[replace(RECORD, order=replace(ORDER, asked_by=ALICE))]),
            (
                RecordValidation("known", replace(ORDER, asked_by=ALICE)),
                PublishCheck("known"),
            ),
            id="a draft that runs because somebody asked",
        ),
        pytest.param(
            replace(FACTS, of_head=[DONE], asked_by=ALICE),
            new(attempt=2, asked_by=ALICE),
            id="once more",
        ),
        pytest.param(
            replace(FACTS, of_head=[RECORD], asked_by=ALICE), JOINED, id="once more while it runs"
        ),
        pytest.param(
            FORK,
            declined(TRUST, FailureClass.UNTRUSTED_FORK, trusted=False),
            id="a stranger's fork",
        ),
        pytest.param(
            replace(FORK, author_permission=Permission.WRITE),
            new(trusted=False),
            id="a fork of who may write",
        ),
        pytest.param(
            replace(FORK, author_permission=Permission.TRIAGE),
            declined(TRUST, FailureClass.UNTRUSTED_FORK, trusted=False),
            id="a fork of who may not",
        ),
        pytest.param(
            replace(FORK, of_head=[DECLINED], asked_by=ALICE),
            new(attempt=2, trusted=False, asked_by=ALICE),
            id="a fork that is trusted now",
        ),
        pytest.param(
            replace(
                FORK,
                of_head=[replace(CANCELLED, order=replace(ORDER, asked_by=ALICE, trusted=False))],
            ),
            new(attempt=2, trusted=False, asked_by=ALICE),
            id="trust stays with the commit",
        ),
        pytest.param(
            replace(FORK, config=config(forks="always")), new(trusted=False), id="forks: always"
        ),
        pytest.param(
            replace(FORK, config=config(forks="never"), asked_by=ALICE),
            declined(NEVER, trusted=False, asked_by=ALICE),
            id="forks: never, whoever asks",
        ),
        pytest.param(
            replace(FORK, pull_request=replace(PULL, head_repository_id=None)),
            declined(TRUST, FailureClass.UNTRUSTED_FORK, trusted=False),
            id="a fork that is gone",
        ),
        pytest.param(
            replace(FACTS, config=config(paths_ignore=["docs/**"]), changed_paths=["docs/a.md"]),
            declined(IGNORED),
            id="only ignored paths",
        ),
        pytest.param(
            replace(
                FACTS, config=config(paths_ignore=["docs/**"]), changed_paths=["docs/a.md", "b.py"]
            ),
            new(),
            id="not only ignored paths",
        ),
    ],
)
def test_decisions(facts: PullRequestFacts, wanted: tuple[Effect, ...]) -> None:
    assert effects(facts) == wanted
    assert decide(facts, str).reason


def test_the_check_stands_before_anything_runs() -> None:
    kinds = [effect.kind for effect in effects(FACTS)]
    assert kinds.index("publish_check") < kinds.index("start_validation")


def test_what_is_no_longer_reached_is_let_go_untold() -> None:
    decision = leave_inactive([RECORD, OLDER], 3)
    assert [effect.kind for effect in decision.effects] == ["leave_pull_request"] * 2


@pytest.mark.parametrize(
    ("known", "asked", "kinds"),
    [
        ([], False, ["record_validation", "publish_check", "start_validation"]),
        ([RECORD], True, ["publish_check"]),
        ([DONE], False, []),
        ([DONE], True, ["record_validation", "publish_check", "start_validation"]),
        ([CANCELLED], False, ["record_validation", "publish_check", "start_validation"]),
    ],
    ids=["new", "running", "done", "done, asked again", "cancelled"],
)
def test_a_commit_of_no_pull_request(
    known: list[ValidationRecord], asked: bool, kinds: list[str]
) -> None:
    order = replace(ORDER, number=None)
    decision = request(order, known, lambda index: f"new {index}", asked=asked)
    assert [effect.kind for effect in decision.effects] == kinds


def test_only_what_has_not_ended_is_cancelled() -> None:
    decision = cancel([DONE, RECORD], "the queue is gone")
    assert decision.effects == (
        CancelValidation("known", "the queue is gone"),
        PublishCheck("known"),
    )
