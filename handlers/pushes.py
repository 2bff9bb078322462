"""Pushes: a second way to hear of a pull request's new head, and a new base for the others."""

from __future__ import annotations

from bot.domain.effects import Decision, EvaluateBase, LeaveEvent
from bot.domain.events import CommitsPushed, PullRequestChange, PullRequestChanged
from bot.domain.projects import ProjectStatus
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


async def evaluate_base(event: CommitsPushed, needs: Needs, context: Context) -> Decision:
    """Have the default branch's new commit looked at in a browser, for what comes on top of it."""
    del context
    repository = event.repository
    if not event.head_sha or event.branch != repository.default_branch:
        return Decision("no new commit of the default branch")
    project = await needs.projects.of_repository(repository.id)
    if project is None or project.status is not ProjectStatus.ACTIVE:
        return Decision("there is no active project")
    config = (await needs.configuration(repository, "")).parsed.config
    if not (config.web_evaluation.enabled and config.features.web_evaluation):
        return Decision("there is no web evaluation here")
    effect = EvaluateBase(repository, event.head_sha, pushed=True)
    return Decision(f"evaluate {event.head_sha[:12]} of {event.branch}", (effect,))
