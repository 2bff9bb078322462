"""The Checks tab: "Re-run", and the buttons of our check run."""

from __future__ import annotations

from bot.domain.effects import Decision, LeaveEvent
from bot.domain.events import CheckActionRequested, CheckRerequested, ValidationAsked
from bot.domain.repositories import Account, Permission, Repository
from bot.policy.check_view import TRUST
from bot.policy.requests import request
from bot.ports.handlers import Context, Needs


async def hear_rerequest(event: CheckRerequested, needs: Needs, context: Context) -> Decision:
    """Pass the wish on to the pull requests whose head the commit is."""
    return await _ask(event.repository, event.head_sha, event.sender, needs, context)


async def hear_button(event: CheckActionRequested, needs: Needs, context: Context) -> Decision:
    """A button of our check run; an unknown one was made by a later version."""
    if event.identifier != TRUST.identifier:
        return Decision(f"nothing is behind the button {event.identifier!r}")
    return await _ask(event.repository, event.head_sha, event.sender, needs, context)


async def _ask(
    repository: Repository, head_sha: str, sender: Account, needs: Needs, context: Context
) -> Decision:
    permission = await needs.github.permission(repository, sender.login)
    if not permission.allows(Permission.WRITE):
        return Decision(f"{sender.login} may not ask for a validation: {permission}")
    numbers = await needs.github.pull_requests_of(repository, head_sha)
    if numbers:
        wishes = (ValidationAsked(repository, number, head_sha, sender) for number in numbers)
        return Decision(
            f"{sender.login} asks for {head_sha[:12]} again",
            tuple(LeaveEvent(wish) for wish in wishes),
        )
    known = await needs.validations.of_commit(repository.id, head_sha)
    of_groups = [it for it in known if it.order.number is None]
    if of_groups:
        return request(of_groups[-1].order, known, context.id, asked=True)
    return Decision(f"{head_sha[:12]} is the head of no open pull request")
