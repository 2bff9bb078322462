"""What a merge hangs on: what GitHub says of a pull request now, and the criteria made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.repositories import Account, PullRequest


class MergeMethod(StrEnum):
    """GitHub's words."""

    SQUASH = "squash"
    MERGE = "merge"
    REBASE = "rebase"


class ReviewState(StrEnum):
    """The last word of a reviewer; comments are none."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    DISMISSED = "dismissed"


@dataclass(frozen=True)
class Review:
    """The last word of somebody who may write, and the commit that it is about."""

    author: Account
    state: ReviewState
    commit_sha: str
    submitted_at: datetime | None = None


class ReviewDecision(StrEnum):
    """What GitHub's own rules (protection, rulesets, code owners) make of the reviews."""

    APPROVED = "approved"
    REVIEW_REQUIRED = "review_required"
    CHANGES_REQUESTED = "changes_requested"


class CheckOutcome(StrEnum):
    """How a check of another App, or a commit status, stands."""

    SUCCESS = "success"
    NEUTRAL = "neutral"
    SKIPPED = "skipped"
    PENDING = "pending"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    ACTION_REQUIRED = "action_required"
    STALE = "stale"


@dataclass(frozen=True)
class CommitCheck:
    """The newest check run of a name and App on the head, or the status of a context.

    ``app_id`` is None for a status, which anybody who may push can write. ``required`` says that
    GitHub wants it for the merge of this pull request.
    """

    name: str
    outcome: CheckOutcome
    app_id: int | None = None
    app_slug: str = ""
    required: bool = False


@dataclass(frozen=True)
class RequiredCheck:
    """A check that a merge into a branch needs, by a rule of GitHub's.

    ``app_id`` is the App that it has to come from, None where any may give it.
    """

    name: str
    source: str
    app_id: int | None = None


@dataclass(frozen=True)
class BranchRules:
    """What branch protection and rulesets ask of a merge into a branch, as far as we may read it.

    ``methods`` are those that rules allow; empty: they say nothing. ``linear`` forbids merge
    commits. ``source`` names where approvals and conversations are asked for.
    """

    checks: tuple[RequiredCheck, ...] = ()
    up_to_date: bool = False
    approvals: int = 0
    last_push_approval: bool = False
    conversations: bool = False
    methods: tuple[MergeMethod, ...] = ()
    linear: bool = False
    merge_queue: bool = False
    protected: bool = False
    source: str = "branch protection"


@dataclass(frozen=True)
class MergeSituation:
    """What GitHub says of a pull request now, gathered in one go.

    ``mergeable`` is None while GitHub works it out. ``is_behind`` says that the base has commits
    that the head lacks; None where nobody asked. ``checks`` are all but our own of the head.
    ``linked_issues`` are those of this repository that its merge closes. ``node_id`` is GitHub's
    for its merge queue.
    """

    pull: PullRequest
    body: str = ""
    labels: tuple[str, ...] = ()
    merged: bool = False
    merge_sha: str = ""
    merged_at: datetime | None = None
    mergeable: bool | None = None
    is_behind: bool | None = None
    review_decision: ReviewDecision | None = None
    reviews: tuple[Review, ...] = ()
    checks: tuple[CommitCheck, ...] = ()
    unresolved_conversations: int = 0
    allowed_methods: tuple[MergeMethod, ...] = ()
    queue_required: bool = False
    in_merge_queue: bool = False
    linked_issues: tuple[int, ...] = ()
    node_id: str = ""


class CriterionState(StrEnum):
    """How a criterion stands. Only ``unmet`` and ``waiting`` keep a merge back."""

    MET = "met"
    UNMET = "unmet"
    WAITING = "waiting"
    OVERRIDDEN = "overridden"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True)
class Criterion:
    """One thing that a merge hangs on.

    ``name`` is what ``/codegen override`` takes; ``value`` is how it stands, ``source`` who asks
    for it, ``mend`` what would change it (empty where nothing needs to). ``again_at`` is when it
    may stand otherwise without any event.
    """

    name: str
    state: CriterionState
    value: str
    source: str
    mend: str = ""
    again_at: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether it does not keep the merge back."""
        return self.state not in (CriterionState.UNMET, CriterionState.WAITING)


@dataclass(frozen=True)
class Explanation:
    """Every criterion of a pull request at a time, for one head. ``sentence`` sums them up."""

    head_sha: str
    at: datetime
    sentence: str
    criteria: tuple[Criterion, ...]

    @property
    def digest(self) -> str:
        """What two explanations share that say the same; times apart."""
        return repr((self.head_sha, self.sentence, [_timeless(it) for it in self.criteria]))


def _timeless(criterion: Criterion) -> tuple[str, ...]:
    return (
        criterion.name,
        criterion.state.value,
        criterion.value,
        criterion.source,
        criterion.mend,
    )


class MergeAnswerKind(StrEnum):
    """What GitHub made of a merge that it was asked for."""

    MERGED = "merged"
    QUEUED = "queued"
    HEAD_MOVED = "head_moved"
    BASE_MOVED = "base_moved"
    CONFLICT = "conflict"
    METHOD_REFUSED = "method_refused"
    REFUSED = "refused"


@dataclass(frozen=True)
class MergeAnswer:
    """GitHub's answer; ``sha`` is the commit on the base, ``message`` GitHub's own sentence."""

    kind: MergeAnswerKind
    message: str = ""
    sha: str = ""


@dataclass(frozen=True)
class MergeOrder:
    """A merge as GitHub is asked for it. Title and message are left to GitHub where empty."""

    head_sha: str
    method: MergeMethod
    title: str = ""
    message: str = ""
