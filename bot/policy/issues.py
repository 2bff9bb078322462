"""Issues that start an agent run by themselves, where the configuration says so."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.commands import Command, Verb
from bot.domain.comments import Impossible, Reaction, Refused
from bot.domain.effects import Decision, React, Reply
from bot.domain.events import IssueChange, IssueChanged
from bot.domain.repositories import Permission
from bot.policy.agent_requests import Place, request
from bot.policy.commands import least

GOAL = "Resolve this issue."


@dataclass(frozen=True)
class IssueFacts:
    """An issue that was opened or got a label, by whom, and what there is of runs."""

    event: IssueChanged
    place: Place
    permission: Permission


def wanted(event: IssueChanged, place: Place) -> bool:
    """Whether the configuration has such an issue start a run."""
    start_on = place.config.agent.start_on
    if event.change is IssueChange.OPENED:
        return start_on.issue_opened
    label = start_on.issue_label
    return bool(label) and event.label.casefold() == label.casefold()


def decide(facts: IssueFacts) -> Decision:
    """Start one run for an issue; whoever caused it must be allowed to start one by a command."""
    event, place = facts.event, facts.place
    if not wanted(event, place):
        return Decision("the configuration has it start no run")
    if place.runs:
        return Decision("the issue has an agent run already")
    answer: Refused | Impossible
    needed = least(Verb.RUN, place.config)
    login = event.sender.login
    if not facts.permission.allows(needed):
        reason = f"{login} may not start a run: {facts.permission}"
        if event.change is IssueChange.OPENED:  # no stranger's issue is answered with a refusal
            return Decision(reason)
        answer = Refused(Verb.RUN, login, facts.permission, needed)
        return Decision(reason, (Reply(event.repository, event.comment, login, (answer,)),))
    asked = request(Command(Verb.RUN, GOAL), place, 0)
    if isinstance(asked, Impossible):
        reply = Reply(event.repository, event.comment, login, (asked,))
        return Decision(f"no run: {asked.reason}", (reply,))
    seen = React(event.repository, event.comment, Reaction.SEEN)
    done = React(event.repository, event.comment, Reaction.DONE)
    return Decision(f"{login} has the agent take it", (seen, *asked.effects, done))
