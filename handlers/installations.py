"""Installations and repositories: which projects there are, and under which name."""

from __future__ import annotations

from bot.domain.effects import Decision, Effect, KeepProject, LeaveEvent, RetireProject
from bot.domain.events import (
    AgentRunsTouched,
    InstallationChange,
    InstallationChanged,
    PullRequestChange,
    PullRequestChanged,
    RepositoryChange,
    RepositoryChanged,
)
from bot.domain.projects import Project, ProjectStatus
from bot.ports.github import InstallationGone, NotFound
from bot.ports.handlers import Context, Needs


async def keep_projects(event: InstallationChanged, needs: Needs, context: Context) -> Decision:
    """Have a project for each repository that an installation reaches, and for no other."""
    del context
    known = [it async for it in needs.projects.all(installation_id=event.installation_id)]
    if event.change is InstallationChange.DELETED:
        return await _retire(known, ProjectStatus.REMOVED, "the App was uninstalled", needs)
    if event.change is InstallationChange.SUSPENDED:
        return await _retire(known, ProjectStatus.SUSPENDED, "the App was suspended", needs)
    try:
        found = [it async for it in needs.github.installation_repositories(event.installation_id)]
    except InstallationGone as gone:
        return await _retire(known, ProjectStatus.REMOVED, gone.message, needs)
    as_it_is = {it.repository for it in known if it.status is ProjectStatus.ACTIVE}
    keep = [KeepProject(it) for it in found if it not in as_it_is]
    reached = {it.id for it in found}
    lost = [it for it in known if it.repository.id not in reached]
    retired = await _retire(lost, ProjectStatus.REMOVED, "the App no longer reaches it", needs)
    reason = f"{len(found)} repositories: {len(keep)} new or changed, {len(lost)} no longer reached"
    return Decision(reason, (*keep, *retired.effects))


async def follow_repository(event: RepositoryChanged, needs: Needs, context: Context) -> Decision:
    """Follow a repository under its new name, owner or visibility, or let it go."""
    del context
    known = await needs.projects.of_repository(event.repository.id)
    if event.change is RepositoryChange.DELETED:
        gone = [known] if known else []
        return await _retire(gone, ProjectStatus.REMOVED, "the repository was deleted", needs)
    try:
        found = await needs.github.repository(event.repository)
    except NotFound:
        gone = [known] if known else []
        return await _retire(gone, ProjectStatus.REMOVED, "the App no longer reaches it", needs)
    return Decision(f"it is {found.full_name} now", (KeepProject(found),))


async def _retire(
    projects: list[Project], status: ProjectStatus, reason: str, needs: Needs
) -> Decision:
    """Let projects go; what they still validate is cancelled by their pull requests' own keys."""
    ids = {it.repository.id for it in projects}
    effects: list[Effect] = [
        RetireProject(it.repository.id, status, reason)
        for it in projects
        if it.status is not status
    ]
    # What the agent does there is given up by the key of its runs.
    effects += [LeaveEvent(AgentRunsTouched(it.repository)) for it in projects]
    async for record in needs.validations.unended():
        repository = record.order.repository
        if repository.id in ids:
            effects += [
                LeaveEvent(PullRequestChanged(repository, number, PullRequestChange.SEEN))
                for number in sorted(record.pull_requests)
            ]
    return Decision(reason, tuple(effects))
