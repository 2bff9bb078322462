"""Whether a pull request is merged, what keeps it back, and what would change that.

Level-triggered: the same facts give the same decision, however often they are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.effects import Decision, Effect, LeaveEvent, PublishCheck
from bot.domain.events import MergeLineMoved, PullRequestTouched, StatusOutdated
from bot.domain.ids import derived
from bot.domain.merging import Criterion, CriterionState, Explanation
from bot.domain.pull_request_effects import (
    DeleteBranch,
    JoinMergeLine,
    KeepExplanation,
    LeaveMergeLine,
    MergePullRequest,
    NoteMerged,
    NoteUpdate,
    TakeTurn,
    UpdateBranch,
)
from bot.policy.merge_branch import may_update, methods, soon
from bot.policy.merge_checks import passed
from bot.policy.merge_criteria import criteria
from bot.policy.merge_facts import UPDATING, MergeFacts, listed
from bot.policy.merge_message import message
from bot.policy.notices import notify

__all__ = ["MergeFacts", "criteria", "decide", "explain", "worth_a_look"]

TURN = timedelta(hours=1)
"""How long the first one of a line may wait for others: then the next one has its turn."""
LATER_SECONDS = 5
OLD = timedelta(minutes=5)
"""After this a judgement is written down again, though it says the same."""
AFTER_MERGE_SECONDS = 10
"""When to look at a pull request whose merge was asked for before and has not shown yet."""
_MOST_NAMES = 8
_OF_THE_TURN = frozenset({"mergeable", "up_to_date", "merge_line"})
"""What is worked out last: asking for it again is of no use while something else is missing."""


def explain(facts: MergeFacts) -> Explanation:
    """How a pull request stands, criterion by criterion."""
    found = criteria(facts)
    return Explanation(facts.pull.head_sha, facts.now, _sentence(facts, found), found)


def decide(facts: MergeFacts) -> Decision:
    """Merge it where all criteria hold; else say what is missing, and when to look again."""
    if facts.situation.merged:
        return _close(facts)
    explanation = explain(facts)
    told = _told(facts, explanation)
    if not facts.pull.is_open:
        return Decision(explanation.sentence, (*told, *_leave_line(facts)))
    look = _Look(facts, explanation.criteria)
    line = look.line()
    # One that has just joined is first in no line yet.
    joins = any(isinstance(it, JoinMergeLine) for it in line)
    done = () if joins else look.done()
    effects = (*_noted(facts), *told, *line, *done, *look.again())
    return Decision(look.reason(explanation.sentence), effects)


def _noted(facts: MergeFacts) -> tuple[Effect, ...]:
    """What is kept before anything else is done: our own update, and the turn in the line."""
    number, repository = facts.pull.number, facts.repository
    noted: list[Effect] = []
    if facts.own_update is not None:
        noted.append(NoteUpdate(repository, number, *facts.own_update))
    if facts.has_turn and facts.record.turn_since is None:
        noted.append(TakeTurn(repository, number, facts.now))
    return tuple(noted)


def worth_a_look(facts: MergeFacts) -> bool:
    """Whether a base that moved may change what becomes of it, as far as these facts say.

    GitHub works out what conflicts when it is asked for one, and not for all that are listed: who
    waits for something else as well is looked at when that comes.
    """
    if facts.situation.merged or not facts.pull.is_open:
        return True
    found = criteria(facts)
    missing = {it.name for it in found if not it.holds}
    if missing <= _OF_THE_TURN:
        return True
    known = facts.record.explanation
    before = next((it for it in known.criteria if it.name == "mergeable"), None) if known else None
    conflicts = facts.situation.mergeable is False
    return conflicts and (before is None or before.state is not CriterionState.UNMET)


def _sentence(facts: MergeFacts, found: Sequence[Criterion]) -> str:
    if facts.situation.merged:
        return f"Merged as `{facts.situation.merge_sha[:12]}`."
    if not facts.pull.is_open:
        return "It was closed without a merge."
    names = [it.name for it in found if not it.holds]
    if not names:
        return "Nothing keeps it back."
    verb = "criterion keeps" if len(names) == 1 else "criteria keep"
    more = len(names) - _MOST_NAMES
    shown = [*names[:_MOST_NAMES], f"{more} more"] if more > 0 else names
    return f"{len(names)} {verb} it back: {listed(shown)}."


def _told(facts: MergeFacts, explanation: Explanation) -> tuple[Effect, ...]:
    """The record's explanation, and what people see of it where it says something new."""
    record, pull = facts.record, facts.pull
    known = record.explanation
    is_new = (
        known is None
        or known.digest != explanation.digest
        or (record.base_branch, record.is_open) != (pull.base_branch, pull.is_open)
    )
    if not is_new and record.looked_at is not None and facts.now - record.looked_at <= OLD:
        return ()
    keep = KeepExplanation(
        facts.repository,
        pull.number,
        pull.base_branch,
        pull.head_sha,
        pull.is_open,
        explanation,
    )
    return (keep, *_shown(facts, (pull.number,))) if is_new else (keep,)


def _shown(facts: MergeFacts, numbers: Sequence[int]) -> tuple[Effect, ...]:
    """The head's check and the status comments, brought to what the records say."""
    newest = facts.validation
    check = (PublishCheck(newest.id),) if newest is not None else ()
    events = (StatusOutdated(facts.repository, it) for it in dict.fromkeys(numbers))
    return (*check, *(LeaveEvent(it) for it in events))


def _leave_line(facts: MergeFacts) -> tuple[Effect, ...]:
    """Out of the line that it stands in, so that the next one has the turn."""
    if facts.record.queued_at is None:
        return ()
    base = facts.record.base_branch or facts.pull.base_branch
    left = LeaveMergeLine(facts.repository, facts.pull.number)
    return (left, LeaveEvent(MergeLineMoved(facts.repository, base)))


# ── merged ───────────────────────────────────────────────────────────────────────────────────


def _close(facts: MergeFacts) -> Decision:
    """Close the story: once, its last word being that it is no longer open."""
    explanation, record, pull = explain(facts), facts.record, facts.pull
    if record.merged_at is not None and not record.is_open:
        return Decision(explanation.sentence, (*_leave_line(facts), *_branch_gone(facts)))
    merged_at = facts.situation.merged_at or facts.now
    noted = NoteMerged(facts.repository, pull.number, facts.situation.merge_sha, merged_at)
    first = (noted,) if record.merged_at is None else ()
    numbers = (
        pull.number,
        *(number for run in facts.runs for number in run.numbers),
        *facts.situation.linked_issues,
    )
    keep = KeepExplanation(
        facts.repository,
        pull.number,
        pull.base_branch,
        pull.head_sha,
        is_open=False,
        explanation=explanation,
    )
    told = notify(
        facts.config,
        facts.repository,
        pull,
        "merge_complete",
        facts.situation.merge_sha,
        f"`{facts.repository.full_name}#{pull.number}` {explanation.sentence.lower()}",
        merged_at,
    )
    shown = (*_shown(facts, numbers), *(told if first else ()))
    effects = (*first, *_leave_line(facts), keep, *shown, *_branch_gone(facts))
    return Decision(explanation.sentence, effects)


def _branch_gone(facts: MergeFacts) -> tuple[Effect, ...]:
    """The branch of what we merged; one that others may need is not ours to take away."""
    record, pull, merge = facts.record, facts.pull, facts.record.merge
    ours = merge is not None and merge.head_sha == pull.head_sha and not merge.refusal
    kept = {facts.repository.default_branch, pull.base_branch}
    if (
        not ours
        or record.branch_deleted
        or not facts.config.validation.delete_branch
        or pull.head_repository_id != facts.repository.id
        or pull.head_branch in kept
    ):
        return ()
    return (DeleteBranch(facts.repository, pull.number, pull.head_branch),)


# ── open ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Look:
    """An open pull request and its criteria: what is to be done about it."""

    facts: MergeFacts
    criteria: tuple[Criterion, ...]

    @property
    def missing(self) -> frozenset[str]:
        """The names of what keeps it back."""
        return frozenset(it.name for it in self.criteria if not it.holds)

    @property
    def is_behind(self) -> bool:
        """Whether it is behind its base, and can be brought up to date for it."""
        behind = "up_to_date" in self.missing and self.facts.situation.is_behind is True
        return behind and may_update(self.facts)

    @property
    def in_line(self) -> bool:
        """Whether it stands in the line of the base that it has now."""
        record = self.facts.record
        return record.queued_at is not None and record.base_branch == self.facts.pull.base_branch

    def line(self) -> tuple[Effect, ...]:
        """What to do about its place in the line."""
        facts = self.facts
        if not facts.by_line or self._must_leave():
            return _leave_line(facts)
        if self.in_line:
            return ()
        left = _leave_line(facts)  # of another base
        rest = self.missing - {"merge_line"} - ({"up_to_date"} if self._may_be_behind() else set())
        if rest:
            return left
        number, base = facts.pull.number, facts.pull.base_branch
        joined = JoinMergeLine(facts.repository, number, facts.now)
        return (*left, joined, LeaveEvent(MergeLineMoved(facts.repository, base)))

    def done(self) -> tuple[Effect, ...]:
        """Merge it, or bring it up to date, or leave that to the line's own handler."""
        facts, number = self.facts, self.facts.pull.number
        behind = self.is_behind and self.missing == {"up_to_date"}
        if self.missing and not behind:
            return ()
        if facts.by_line and not facts.has_turn:
            base = facts.pull.base_branch
            return (LeaveEvent(MergeLineMoved(facts.repository, base)),)
        if behind:
            again = self._look_at(facts.now + UPDATING + timedelta(seconds=LATER_SECONDS))
            return (UpdateBranch(facts.repository, number, facts.pull.head_sha), again)
        return self._merge()

    def again(self) -> tuple[Effect, ...]:
        """A look at the earliest time that may change something by itself."""
        others = self.missing - _OF_THE_TURN
        facts = self.facts
        times = [
            it.again_at
            for it in self.criteria
            if not it.holds and it.again_at and not (others and it.name in _OF_THE_TURN)
        ]
        later = [it for it in times if it > facts.now]
        if not later:
            return ()
        return (self._look_at(min(later)),)

    def reason(self, sentence: str) -> str:
        """The decision in a sentence, for the audit log."""
        if self.missing == {"merge_feature"}:
            return "It would be merged; merging is switched off (`features.merge`)."
        if self.is_behind and self.missing == {"up_to_date"}:
            return "It is behind its base; everything else holds."
        if not self.missing and self.facts.by_line and not self.facts.has_turn:
            return "Nothing keeps it back; the line of its base merges it."
        return sentence

    def _must_leave(self) -> bool:
        """Whether somebody has to do something for it, or it had its turn."""
        since = self.facts.record.turn_since
        if self.missing and since is not None and self.facts.now > since + TURN:
            return True
        return any(
            it.state is CriterionState.UNMET and not (it.name == "up_to_date" and self.is_behind)
            for it in self.criteria
        )

    def _may_be_behind(self) -> bool:
        return self.is_behind or self.facts.situation.is_behind is None

    def _merge(self) -> tuple[Effect, ...]:
        facts, head = self.facts, self.facts.pull.head_sha
        overridden = tuple(it.name for it in self.criteria if it.state is CriterionState.OVERRIDDEN)
        if not passed(facts.validation) and "validation" not in overridden:
            return ()  # never, whatever the criteria say
        allowed = methods(facts)
        title, text = message(facts, allowed[0]) if allowed and not facts.by_queue else ("", "")
        merge = MergePullRequest(
            facts.repository,
            facts.pull.number,
            head,
            facts.now,
            allowed,
            title,
            text,
            by_queue=facts.by_queue,
            up_to_date_with=facts.pull.base_branch if facts.by_line else "",
            node_id=facts.situation.node_id if facts.by_queue else "",
            overridden=overridden,
        )
        # At once the first time; after that GitHub is given a moment, or nothing would end this.
        if facts.record.merge is not None and facts.record.merge.head_sha == head:
            return (merge, self._look_at(soon(facts, AFTER_MERGE_SECONDS)))
        return (merge, LeaveEvent(PullRequestTouched(facts.repository, facts.pull.number)))

    def _look_at(self, due: datetime) -> LeaveEvent:
        """Look at it again at a time: once, whoever asks for it."""
        facts, number = self.facts, self.facts.pull.number
        second = due.isoformat(timespec="seconds")
        once = derived(facts.repository.id, number, "again", facts.pull.head_sha, second)
        return LeaveEvent(PullRequestTouched(facts.repository, number), due, once)
