"""Pushes: a second way to hear of a pull request's new head, should its own event be lost."""

from __future__ import annotations

from bot.domain.effects import Decision, LeaveEvent
from bot.domain.events import CommitsPushed, PullRequestChange, PullRequestChanged
from bot.ports.handlers import Context, Needs


async def look_at_pull_requests_of_branch(
    event: CommitsPushed, needs: Needs, context: Context
) -> Decision:
    """Look at the open pull requests of a branch that moved."""
    del context
    repository = event.repository
    if not event.head_sha:
        return Decision(f"{event.branch} was deleted")
    if event.branch == repository.default_branch:
        return Decision("the default branch moved; its configuration is read when it is needed")
    pulls = needs.github.open_pull_requests(repository, head_branch=event.branch)
    looks = [
        LeaveEvent(PullRequestChanged(repository, it.number, PullRequestChange.SEEN))
        async for it in pulls
    ]
    return Decision(f"{len(looks)} open pull requests of {event.branch}", tuple(looks))
