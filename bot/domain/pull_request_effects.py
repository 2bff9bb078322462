"""What the bot may do about a pull request's course: fixing, holding, explaining, merging.

They belong to the closed list of ``effects``; see there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.domain.merging import Explanation, MergeMethod
from bot.domain.pull_request_records import (
    FixAttempt,
    FixOutcome,
    FixWish,
    Override,
    Revalidation,
    Stop,
)
from bot.domain.repositories import Account, Repository


@dataclass(frozen=True)
class HoldPullRequest:
    """Have a pull request held by somebody, or by nobody where ``login`` is empty."""

    repository: Repository
    number: int
    login: str
    kind: Literal["hold_pull_request"] = "hold_pull_request"


@dataclass(frozen=True)
class AskMerge:
    """Have it merged as soon as it may be: somebody asked so at this head, for this base."""

    repository: Repository
    number: int
    by: Account
    head_sha: str
    base_branch: str
    kind: Literal["ask_merge"] = "ask_merge"


@dataclass(frozen=True)
class OverrideCriterion:
    """Have an admin's word for a criterion and head among the record's."""

    repository: Repository
    number: int
    override: Override
    kind: Literal["override_criterion"] = "override_criterion"


@dataclass(frozen=True)
class WishFix:
    """Have a person's wish for a fix in the record; it takes away a stop."""

    repository: Repository
    number: int
    wish: FixWish
    kind: Literal["wish_fix"] = "wish_fix"


@dataclass(frozen=True)
class RecordAttempt:
    """Have an attempt to fix among the record's; a known one stays as it is."""

    repository: Repository
    number: int
    attempt: FixAttempt
    kind: Literal["record_attempt"] = "record_attempt"


@dataclass(frozen=True)
class EndAttempt:
    """Have an attempt's outcome in the record; one that has an outcome keeps it."""

    repository: Repository
    number: int
    attempt_id: str
    outcome: FixOutcome
    pushed_sha: str = ""
    changed: tuple[str, ...] = ()
    kind: Literal["end_attempt"] = "end_attempt"


@dataclass(frozen=True)
class StopFixing:
    """Have fixing stopped: the record, the label ``needs-human``, and one mention."""

    repository: Repository
    number: int
    stop: Stop
    kind: Literal["stop_fixing"] = "stop_fixing"


@dataclass(frozen=True)
class GoOnFixing:
    """Have no stop, and only attempts from this ordinal on count: a person had a hand in it."""

    repository: Repository
    number: int
    counted_from: int
    kind: Literal["go_on_fixing"] = "go_on_fixing"


@dataclass(frozen=True)
class NoteRevalidation:
    """Have it written down that a head is validated again by itself."""

    repository: Repository
    number: int
    revalidation: Revalidation
    kind: Literal["note_revalidation"] = "note_revalidation"


@dataclass(frozen=True)
class KeepExplanation:
    """Have the record say how the pull request stands, and why it is not merged."""

    repository: Repository
    number: int
    base_branch: str
    head_sha: str
    is_open: bool
    explanation: Explanation | None
    kind: Literal["keep_explanation"] = "keep_explanation"


@dataclass(frozen=True)
class MergePullRequest:
    """Have a pull request merged, if its head is still this one; never twice.

    ``methods`` are tried in order where GitHub does not allow one. ``by_queue`` asks GitHub's own
    merge queue instead. ``decided_at`` is when all criteria held: it is not done much later without
    another look. ``up_to_date_with`` is a branch that must have nothing that the head lacks;
    ``overridden`` are the criteria that an admin's word made count as met.
    """

    repository: Repository
    number: int
    expected_head_sha: str
    decided_at: datetime
    methods: tuple[MergeMethod, ...] = ()
    title: str = ""
    message: str = ""
    by_queue: bool = False
    node_id: str = ""
    up_to_date_with: str = ""
    overridden: tuple[str, ...] = ()
    kind: Literal["merge_pull_request"] = "merge_pull_request"


@dataclass(frozen=True)
class UpdateBranch:
    """Have the base merged into a pull request's branch, if its head is still this one."""

    repository: Repository
    number: int
    expected_head_sha: str
    kind: Literal["update_branch"] = "update_branch"


@dataclass(frozen=True)
class NoteUpdate:
    """Have it known that a head is another one with the base merged into it, and no more."""

    repository: Repository
    number: int
    head_sha: str
    before: str
    kind: Literal["note_update"] = "note_update"


@dataclass(frozen=True)
class TakeTurn:
    """Have it known since when the first one of a line has its turn."""

    repository: Repository
    number: int
    at: datetime
    kind: Literal["take_turn"] = "take_turn"


@dataclass(frozen=True)
class NoteMerged:
    """Have the record say that it was merged, and what it became."""

    repository: Repository
    number: int
    sha: str
    at: datetime | None
    kind: Literal["note_merged"] = "note_merged"


@dataclass(frozen=True)
class DeleteBranch:
    """Have the branch of a merged pull request gone, where nothing else needs it."""

    repository: Repository
    number: int
    branch: str
    kind: Literal["delete_branch"] = "delete_branch"


@dataclass(frozen=True)
class JoinMergeLine:
    """Have a pull request in the line of its base since a time; who is in it keeps the place."""

    repository: Repository
    number: int
    at: datetime
    kind: Literal["join_merge_line"] = "join_merge_line"


@dataclass(frozen=True)
class LeaveMergeLine:
    """Have a pull request in no line."""

    repository: Repository
    number: int
    kind: Literal["leave_merge_line"] = "leave_merge_line"


PullRequestEffect = (
    HoldPullRequest
    | AskMerge
    | OverrideCriterion
    | WishFix
    | RecordAttempt
    | EndAttempt
    | StopFixing
    | GoOnFixing
    | NoteRevalidation
    | KeepExplanation
    | MergePullRequest
    | UpdateBranch
    | NoteUpdate
    | TakeTurn
    | NoteMerged
    | DeleteBranch
    | JoinMergeLine
    | LeaveMergeLine
)
