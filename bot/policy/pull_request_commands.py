"""What becomes of ``fix``, ``hold``, ``unhold``, ``merge``, ``override``, by word or button."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.commands import PREFIX, Command, Verb
from bot.domain.comments import Impossible
from bot.domain.effects import Effect, LeaveEvent, PublishCheck
from bot.domain.events import PullRequestTouched, StatusOutdated
from bot.domain.merging import Explanation
from bot.domain.pull_request_effects import (
    AskMerge,
    HoldPullRequest,
    OverrideCriterion,
    WishFix,
)
from bot.domain.pull_request_records import FixWish, Override, PullRequestRecord
from bot.domain.repositories import Account, PullRequest, Repository
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import FailureClass, Verdict
from bot.policy.agent_requests import NO_AGENT, NO_AGENT_MEND, Wanted
from bot.policy.merge_criteria import chosen

LONGEST_REASON = 500
OF_A_PERSON = {
    FailureClass.MISSING_SECRET: (
        "it fails for a secret that is missing, which no agent can give",
        "Give the secret its value, then write `/codegen validate`.",
    ),
    FailureClass.UNTRUSTED_FORK: (
        "nobody has let this commit of a fork run yet",
        "Look at what it does, then write `/codegen trust SHA`.",
    ),
}


@dataclass(frozen=True)
class Asked:
    """What is asked of a pull request, and what is known of it.

    ``id`` is what the wish is known by, whichever delivery tells of it. ``of_head`` are the
    validations of the head, oldest first. ``explanation`` is why it is not merged now, and
    ``overridable`` the criteria that can be overridden, where the command wants to know.
    """

    repository: Repository
    pull_request: PullRequest
    sender: Account
    id: str
    now: datetime
    of_head: Sequence[ValidationRecord]
    record: PullRequestRecord
    has_agent: bool
    explanation: Explanation | None = None
    overridable: Sequence[str] = ()

    @property
    def newest(self) -> ValidationRecord | None:
        """The newest validation of the head."""
        return self.of_head[-1] if self.of_head else None

    def then(self, *effects: Effect) -> tuple[Effect, ...]:
        """Effects, and what follows from any of them: another look, and another face."""
        repository, number = self.repository, self.pull_request.number
        shown = (PublishCheck(self.newest.id),) if self.newest else ()
        touched = LeaveEvent(PullRequestTouched(repository, number))
        told = LeaveEvent(StatusOutdated(repository, number))
        return (*effects, *shown, touched, told)


def decide(command: Command, asked: Asked) -> Wanted | Impossible:
    """What follows from a command that whoever gave it may give."""
    repository, pull = asked.repository, asked.pull_request
    if not pull.is_open:
        return Impossible(command.verb, "the pull request is closed", "Reopen it first.")
    match command.verb:
        case Verb.HOLD:
            hold = HoldPullRequest(repository, pull.number, asked.sender.login)
            said = "It is held: nothing merges it, and nothing is sent to the agent, until "
            return Wanted(f"{said}`{PREFIX} unhold`.", asked.then(hold))
        case Verb.UNHOLD:
            unhold = HoldPullRequest(repository, pull.number, "")
            said = "It is no longer held." if asked.record.held_by else "Nobody held it."
            return Wanted(said, asked.then(unhold))
        case Verb.MERGE:
            ask = AskMerge(repository, pull.number, asked.sender, pull.head_sha, pull.base_branch)
            return Wanted(_when(asked), asked.then(ask))
        case Verb.OVERRIDE:
            return _override(command, asked)
        case Verb.FIX:
            return _fix(command, asked)
        case _:
            raise AssertionError(f"{command.verb} is not decided here")


def _when(asked: Asked) -> str:
    """What `merge` is answered: what it waits for, if anything."""
    found = asked.explanation
    own = {"auto_merge", "hold"}  # what asking for it settles
    back = (
        [it.name for it in found.criteria if not it.holds and it.name not in own] if found else []
    )
    if not back:
        return "It is merged as soon as GitHub has it."
    names = ", ".join(f"`{name}`" for name in back)
    return f"It is merged as soon as nothing keeps it back. Now: {names}."


def _override(command: Command, asked: Asked) -> Wanted | Impossible:
    found = asked.explanation
    criteria = {it.name: it for it in found.criteria} if found else {}
    back = [it for it in asked.overridable if it in criteria and not criteria[it].holds]
    names = ", ".join(f"`{name}`" for name in back)
    mend = f"What can be overridden now: {names}." if names else "Nothing needs it now."
    said = chosen(f"{command.name} {command.text}", [*asked.overridable])
    if said is None:
        known = any(command.name == it for it in criteria)
        why = "GitHub decides it" if known else "there is no such criterion"
        return Impossible(command.verb, f"`{command.name[:60]}` can't be overridden: {why}", mend)
    name, reason = said
    pull = asked.pull_request
    override = Override(
        name,
        pull.head_sha,
        asked.sender.login,
        reason[:LONGEST_REASON],
        asked.now,
        pull.base_branch,
    )
    effect = OverrideCriterion(asked.repository, pull.number, override)
    said_of_it = f"`{name}` counts as met for `{pull.head_sha[:12]}`, and for no other commit."
    return Wanted(said_of_it, asked.then(effect))


def _fix(command: Command, asked: Asked) -> Wanted | Impossible:
    impossible = _why_no_fix(command.verb, asked)
    if impossible is not None:
        return impossible
    pull = asked.pull_request
    wish = FixWish(asked.id, asked.sender, pull.head_sha, asked.now, command.text)
    effect = WishFix(asked.repository, pull.number, wish)
    said = f"The failure of `{pull.head_sha[:12]}` goes to the agent; the status comment follows."
    return Wanted(said, asked.then(effect))


def _why_no_fix(verb: Verb, asked: Asked) -> Impossible | None:
    pull, newest = asked.pull_request, asked.newest
    head = f"`{pull.head_sha[:12]}`"
    if not asked.has_agent:
        return Impossible(verb, NO_AGENT, NO_AGENT_MEND)
    if asked.record.open_attempt is not None:
        return Impossible(verb, "a fix is under way", "Its status comment follows it.")
    if newest is None or not newest.ended:
        mend = "When it fails, ask again."
        return Impossible(verb, f"{head} has not been validated to the end", mend)
    if newest.verdict is Verdict.PASSED:
        mend = f"Write `{PREFIX} GOAL…` for what else is to be done."
        return Impossible(verb, f"nothing failed on {head}", mend)
    if newest.verdict is not Verdict.FAILED:
        return Impossible(
            verb, f"{head} has no failure to mend: {newest.title}", f"Write `{PREFIX} validate`."
        )
    if newest.failure_class in OF_A_PERSON:
        return Impossible(verb, *OF_A_PERSON[newest.failure_class])
    is_fork = pull.head_repository_id != asked.repository.id
    if is_fork and not pull.maintainer_can_modify:
        return Impossible(
            verb,
            "its branch is in a fork that nobody here may push to",
            'Have its author tick "Allow edits by maintainers".',
        )
    return None
