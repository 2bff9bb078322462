"""Which commits of which pull requests are validated, and what becomes of those that were.

Level-triggered: the event says only what to look at, and the same facts give the same decision,
however often and in whatever order they are told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.domain.effects import (
    CancelValidation,
    Decision,
    DeclineValidation,
    Effect,
    LeavePullRequest,
    PublishCheck,
    RecordValidation,
    StartValidation,
    ValidationOrder,
)
from bot.domain.ids import derived
from bot.domain.repo_config import RepoConfig, RunOn
from bot.domain.repositories import Account, Permission, PullRequest, Repository
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import FailureClass, ValidationStatus, Verdict
from bot.policy.paths import all_match

TRUSTED = "it comes from a fork; whoever may write here lets it run by re-running this check"
NEVER = "forks are not validated here (`run_on.forks: never`)"
DRAFT = "a draft waits until it is ready for review (`run_on.drafts: false`)"
IGNORED = "only paths of `run_on.paths_ignore` changed"


@dataclass(frozen=True)
class PullRequestFacts:
    """What is known of a pull request now.

    ``of_head`` are the records of its head, oldest first; ``unended`` those of any commit that it
    still waits for. ``author_permission`` is asked for forks only; ``changed_paths`` only where
    some are ignored. ``asked_by`` is somebody who may have this very commit validated, and wants.
    """

    repository: Repository
    pull_request: PullRequest
    config: RepoConfig
    of_head: Sequence[ValidationRecord]
    unended: Sequence[ValidationRecord]
    author_permission: Permission = Permission.NONE
    changed_paths: Sequence[str] = ()
    asked_by: Account | None = None

    @property
    def is_fork(self) -> bool:
        """Whether its head is in another repository, or in one that is gone."""
        return self.pull_request.head_repository_id != self.repository.id

    @property
    def asker(self) -> Account | None:
        """Who asked for this commit, now or before: that trust stays with the SHA."""
        earlier = (record.order.asked_by for record in reversed(self.of_head))
        return self.asked_by or next((it for it in earlier if it is not None), None)


def decide(facts: PullRequestFacts, new_id: Callable[[int], str]) -> Decision:
    """What to do for a pull request. ``new_id`` gives the id for the effect with an index."""
    pull = facts.pull_request
    if not pull.is_open:
        reason = "the pull request was closed"
        return Decision(reason, _leave(facts.unended, pull.number, reason))
    left = _leave(
        [it for it in facts.unended if it.order.head_sha != pull.head_sha],
        pull.number,
        f"a newer commit was pushed: {pull.head_sha[:12]}",
    )
    known = facts.of_head[-1] if facts.of_head else None
    refusal = _refusal(facts)
    if known is not None and not known.ended:
        return _keep_or_leave(facts, known, refusal, left)
    if known is not None and not _wants_another(facts, known, refusal):
        return Decision(f"{pull.head_sha[:12]} is validated: {known.title or known.status}", left)
    order = order_of(facts, attempt=len(facts.of_head) + 1)
    return _request(order, refusal, left, new_id)


def leave_inactive(unended: Sequence[ValidationRecord], number: int) -> Decision:
    """Let go of what a repository wants that we no longer reach: GitHub can't be told."""
    reason = "the App is no longer active in this repository"
    return Decision(reason, tuple(LeavePullRequest(it.id, number, reason) for it in unended))


def order_of(facts: PullRequestFacts, attempt: int) -> ValidationOrder:
    """The order for a pull request's head."""
    pull = facts.pull_request
    return ValidationOrder(
        repository=facts.repository,
        head_sha=pull.head_sha,
        ref=pull.ref,
        base_branch=pull.base_branch,
        base_sha=pull.base_sha,
        number=pull.number,
        url=pull.url,
        trusted=not facts.is_fork,
        attempt=attempt,
        asked_by=facts.asker,
    )


def request(
    order: ValidationOrder,
    of_commit: Sequence[ValidationRecord],
    new_id: Callable[[int], str],
    *,
    asked: bool = False,
) -> Decision:
    """Validate a commit that is no pull request's: a merge group's; once more where asked."""
    newest = of_commit[-1] if of_commit else None
    if newest is not None and not newest.ended:
        return Decision(f"{order.head_sha[:12]} is being validated", (PublishCheck(newest.id),))
    if newest is not None and newest.status is not ValidationStatus.CANCELLED and not asked:
        return Decision(f"{order.head_sha[:12]} is validated: {newest.title}")
    order = replace(order, attempt=len(of_commit) + 1)
    return _request(order, None, (), new_id)


def cancel(records: Sequence[ValidationRecord], reason: str) -> Decision:
    """Cancel what has not ended."""
    effects = [
        effect
        for record in records
        if not record.ended
        for effect in (CancelValidation(record.id, reason), PublishCheck(record.id))
    ]
    return Decision(reason, tuple(effects))


@dataclass(frozen=True)
class _Refusal:
    """Why a commit is not run, as a clause for its check's title."""

    reason: str
    failure_class: FailureClass | None = None


def _refusal(facts: PullRequestFacts) -> _Refusal | None:
    rules: RunOn = facts.config.validation.run_on
    if facts.is_fork and rules.forks == "never":
        return _Refusal(NEVER)
    if facts.asker is not None:
        return None
    may_write = facts.author_permission.allows(Permission.WRITE)
    if facts.is_fork and rules.forks == "trusted" and not may_write:
        return _Refusal(TRUSTED, FailureClass.UNTRUSTED_FORK)
    if facts.pull_request.draft and not rules.drafts:
        return _Refusal(DRAFT)
    if rules.paths_ignore and all_match(facts.changed_paths, rules.paths_ignore):
        return _Refusal(IGNORED)
    return None


def _wants_another(
    facts: PullRequestFacts, known: ValidationRecord, refusal: _Refusal | None
) -> bool:
    """Whether an ended record is not the last word on its commit."""
    if facts.asked_by is not None:
        return True
    declined = known.verdict is Verdict.NEUTRAL and known.tries == 0
    return refusal is None and (declined or known.status is ValidationStatus.CANCELLED)


def _keep_or_leave(
    facts: PullRequestFacts,
    known: ValidationRecord,
    refusal: _Refusal | None,
    left: tuple[Effect, ...],
) -> Decision:
    number = facts.pull_request.number
    if refusal is not None:
        return Decision(refusal.reason, (*left, *_leave([known], number, refusal.reason)))
    join = RecordValidation(known.id, replace(known.order, number=number))
    effects: tuple[Effect, ...] = (*left, join, PublishCheck(known.id))
    if known.job_id is None:  # whoever recorded it never came to start it
        effects += (StartValidation(known.id, job_id(known.id, 1)),)
    return Decision(f"{known.order.head_sha[:12]} is being validated", effects)


def _request(
    order: ValidationOrder,
    refusal: _Refusal | None,
    left: tuple[Effect, ...],
    new_id: Callable[[int], str],
) -> Decision:
    validation_id = new_id(len(left))
    record = RecordValidation(validation_id, order)
    shown = PublishCheck(validation_id)
    if refusal is not None:
        decline = DeclineValidation(validation_id, refusal.reason, refusal.failure_class)
        return Decision(refusal.reason, (*left, record, decline, shown))
    start = StartValidation(validation_id, job_id(validation_id, 1))
    # The check stands on the commit before anything runs.
    return Decision(f"validate {order.head_sha[:12]}", (*left, record, shown, start))


def job_id(validation_id: str, tries: int) -> str:
    """The id of a validation's job; every try is a job of its own."""
    return derived(validation_id, "job", tries)


def _leave(records: Sequence[ValidationRecord], number: int, reason: str) -> tuple[Effect, ...]:
    return tuple(
        effect
        for record in records
        for effect in (LeavePullRequest(record.id, number, reason), PublishCheck(record.id))
    )
