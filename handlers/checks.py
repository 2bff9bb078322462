"""The Checks tab: "Re-run", and the buttons of our check run."""

from __future__ import annotations

from bot.domain.commands import Command, Verb
from bot.domain.comments import Impossible
from bot.domain.effects import Decision, LeaveEvent
from bot.domain.events import (
    ButtonPressed,
    CheckActionRequested,
    CheckRerequested,
    ValidationAsked,
)
from bot.domain.ids import derived
from bot.domain.repositories import Account, Repository
from bot.domain.validations import FailureClass
from bot.policy import pull_request_commands
from bot.policy.check_view import BUTTONS, TRUST
from bot.policy.commands import least
from bot.policy.pull_request_commands import Asked
from bot.policy.requests import request
from bot.ports.handlers import Context, Needs


async def hear_rerequest(event: CheckRerequested, needs: Needs, context: Context) -> Decision:
    """Pass the wish on to the pull requests whose head the commit is."""
    return await _ask(event.repository, event.head_sha, event.sender, needs, context, Verb.VALIDATE)


async def hear_button(event: CheckActionRequested, needs: Needs, context: Context) -> Decision:
    """A button of our check run; an unknown one was made by a later version."""
    if event.identifier == TRUST.identifier:
        return await _ask(
            event.repository, event.head_sha, event.sender, needs, context, Verb.TRUST
        )
    if event.identifier not in BUTTONS:
        return Decision(f"nothing is behind the button {event.identifier!r}")
    verb, who = Verb(event.identifier), event.sender
    permission = await needs.github.permission(event.repository, who.login)
    config = (await needs.configuration(event.repository, "")).parsed.config
    if not permission.allows(least(verb, config)):
        return Decision(f"{who.login} may not press {verb}: {permission}")
    record = await needs.validations.get(event.external_id)
    numbers = sorted(record.pull_requests) if record is not None else []
    if len(numbers) != 1:
        # A check run is a commit's. Nobody says which of them is meant, or into which branch.
        return Decision(f"{verb} is for one pull request, and the commit has {len(numbers)}")
    (number,) = numbers
    wish = derived(context.id(0), number)
    pressed = ButtonPressed(event.repository, number, event.head_sha, verb, who, wish)
    return Decision(f"{who.login} presses {verb}", (LeaveEvent(pressed),))


async def do_as_pressed(event: ButtonPressed, needs: Needs, context: Context) -> Decision:
    """Do what a button says, for one pull request: the same as its command does."""
    del context
    pull = await needs.github.pull_request(event.repository, event.number)
    if not pull.is_open or pull.head_sha != event.head_sha:
        return Decision(f"{event.head_sha[:12]} is not the head of #{event.number} any more")
    asked = Asked(
        repository=event.repository,
        pull_request=pull,
        sender=event.sender,
        id=event.id,
        now=needs.clock.now(),
        of_head=await needs.validations.of_commit(event.repository.id, pull.head_sha),
        record=await needs.pull_requests.get(event.repository, event.number),
        has_agent=needs.agent is not None,
    )
    wanted = pull_request_commands.decide(Command(event.verb), asked)
    if isinstance(wanted, Impossible):
        return Decision(f"not done: {wanted.reason}")
    return Decision(wanted.sentence, wanted.effects)


async def _ask(
    repository: Repository,
    head_sha: str,
    sender: Account,
    needs: Needs,
    context: Context,
    verb: Verb,
) -> Decision:
    permission = await needs.github.permission(repository, sender.login)
    config = (await needs.configuration(repository, "")).parsed.config
    known = await needs.validations.of_commit(repository.id, head_sha)
    # What re-running lets run for the first time is trusted by it.
    trusts = any(it.failure_class is FailureClass.UNTRUSTED_FORK for it in known[-1:])
    if not permission.allows(least(Verb.TRUST if trusts else verb, config)):
        return Decision(f"{sender.login} may not ask for a validation: {permission}")
    numbers = await needs.github.pull_requests_of(repository, head_sha)
    if numbers:
        wishes = (ValidationAsked(repository, number, head_sha, sender) for number in numbers)
        return Decision(
            f"{sender.login} asks for {head_sha[:12]} again",
            tuple(LeaveEvent(wish) for wish in wishes),
        )
    of_groups = [it for it in known if it.order.number is None]
    if of_groups:
        return request(of_groups[-1].order, known, context.id, asked=True)
    return Decision(f"{head_sha[:12]} is the head of no open pull request")
