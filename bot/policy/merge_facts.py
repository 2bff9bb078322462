"""What a merge hangs on, as plain data, and how a criterion is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.agent_runs import AgentRun
from bot.domain.log_text import one_line
from bot.domain.merging import BranchRules, Criterion, CriterionState, MergeSituation
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import PullRequest, Repository
from bot.domain.validation_records import ValidationRecord

LONGEST_QUOTE = 300


UPDATING = timedelta(minutes=2)
"""How long GitHub is given to bring a branch up to date, and its event to tell of it."""


def needs_line(config: RepoConfig, rules: BranchRules) -> bool:
    """Whether what merges has to have all of its base: then one goes after the other."""
    return config.validation.require_up_to_date or rules.up_to_date


@dataclass(frozen=True)
class MergeFacts:
    """All that a merge hangs on, each read once.

    ``of_head`` are the validations of the head, oldest first; ``runs`` the agent runs of the pull
    request, newest first. ``auto_merge`` is the effective setting and ``auto_merge_source`` where
    it comes from. ``paused`` says in a clause why nothing is merged here at all, empty where it
    is. ``line`` are the numbers that stand in the line of the base, the first one first;
    ``has_turn`` is true where the line's own handler decides. ``details_url`` is the page of the
    head's validation. ``own_update`` are the heads after and before our own update of the branch,
    where GitHub's event just told of it.
    """

    repository: Repository
    situation: MergeSituation
    rules: BranchRules
    config: RepoConfig
    record: PullRequestRecord
    of_head: Sequence[ValidationRecord]
    runs: Sequence[AgentRun]
    own_app_id: int
    now: datetime
    auto_merge: bool = False
    auto_merge_source: str = "default"
    paused: str = ""
    line: Sequence[int] = ()
    has_turn: bool = False
    details_url: str = ""
    own_update: tuple[str, str] | None = None

    @property
    def pull(self) -> PullRequest:
        """The pull request as GitHub tells it now."""
        return self.situation.pull

    @property
    def validation(self) -> ValidationRecord | None:
        """The newest validation of exactly this head, under our own name."""
        own = [
            it
            for it in self.of_head
            if it.order.head_sha == self.pull.head_sha
            and it.order.repository.id == self.repository.id
        ]
        return own[-1] if own else None

    @property
    def by_queue(self) -> bool:
        """Whether GitHub's own merge queue merges here."""
        return self.rules.merge_queue or self.situation.queue_required

    @property
    def by_line(self) -> bool:
        """Whether pull requests go one after the other through our own line."""
        return needs_line(self.config, self.rules) and not self.by_queue

    @property
    def may_be_our_update(self) -> bool:
        """Whether the head may be what we asked GitHub for a moment ago: its event says so, or not.

        Parents prove nothing: anybody can make a commit of any content upon any two others.
        """
        since, before = self.record.updating_since, self.record.updating_from
        is_new = bool(before) and before != self.pull.head_sha and self.own_update is None
        return is_new and since is not None and self.now < since + UPDATING

    @property
    def update_given_up(self) -> datetime | None:
        """When what was asked of GitHub is no longer waited for."""
        since = self.record.updating_since
        return since + UPDATING if since is not None else None

    def same_work(self, commit_sha: str) -> bool:
        """Whether a commit is the head, but for the base that was merged into it for us."""
        updates = self.record.updates
        if self.own_update is not None:
            updates = (*updates, self.own_update)
        known = replace(self.record, head_sha=self.pull.head_sha, updates=updates)
        return known.same_work(commit_sha)


@dataclass(frozen=True)
class Asked:
    """A criterion that is yet to be judged: its name, and who asks for it."""

    name: str
    source: str

    def met(self, value: str) -> Criterion:
        """It holds."""
        return Criterion(self.name, CriterionState.MET, value, self.source)

    def idle(self, value: str) -> Criterion:
        """It is not applicable."""
        return Criterion(self.name, CriterionState.NOT_APPLICABLE, value, self.source)

    def unmet(self, value: str, mend: str, again_at: datetime | None = None) -> Criterion:
        """It keeps the merge back until somebody does something, or a time has come."""
        return Criterion(self.name, CriterionState.UNMET, value, self.source, mend, again_at)

    def waiting(self, value: str, mend: str, again_at: datetime | None = None) -> Criterion:
        """It keeps the merge back, and what is under way, or time, may change that."""
        return Criterion(self.name, CriterionState.WAITING, value, self.source, mend, again_at)


def override_mend(name: str) -> str:
    """What an admin can do about a criterion."""
    return f"An admin may write `/codegen override {name} REASON…`."


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 approval``, ``2 approvals``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def quoted(text: str) -> str:
    """What somebody wrote, on one line and not too long."""
    said = one_line(text)
    return said if len(said) <= LONGEST_QUOTE else f"{said[: LONGEST_QUOTE - 1].rstrip()}…"
