"""``ProjectService``: the repositories that the App is installed on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from bot.domain.problems import UserProblem
from bot.domain.projects import Project, ProjectStatus
from bot.domain.repositories import Repository
from bot.ports.clock import Clock
from bot.ports.records import AuditEvent, AuditLog, Projects

SETTINGS = frozenset({"deployment_settings", "auto_merge_enabled"})
"""What ``update_project`` may change: the rest is GitHub's to say."""


class ProjectService:
    """See the module; the verbs' names are public."""

    def __init__(self, projects: Projects, audit: AuditLog, clock: Clock) -> None:
        self._projects = projects
        self._audit = audit
        self._clock = clock

    async def create_project(self, repository: Repository) -> Project:
        """The active project of a repository, made or brought up to date."""
        known = await self._projects.of_repository(repository.id)
        project = await self._projects.keep(repository, self._clock.now())
        if known is None:
            await self._tell("project.created", project, {"name": project.name})
        elif known.name != project.name:
            told = {"from": known.name, "to": project.name}
            await self._tell("project.renamed", project, told)
        return project

    def get_projects(self, *, installation_id: int | None = None) -> AsyncIterator[Project]:
        """All projects by name, or those of one installation."""
        return self._projects.all(installation_id=installation_id)

    async def update_project(self, project_id: str, changes: Mapping[str, Any]) -> Project:
        """Change settings. Raises UserProblem for what is no setting, or no project."""
        wrong = sorted(set(changes) - SETTINGS)
        if wrong:
            raise UserProblem(
                f"{', '.join(wrong)} can't be set.", f"Settings are {', '.join(sorted(SETTINGS))}."
            )
        now = self._clock.now()
        project = await self._projects.update(project_id, {**changes, "updated_at": now})
        if project is None:
            raise UserProblem(f"There is no project {project_id}.")
        await self._tell("project.updated", project, dict(changes))
        return project

    async def configure_webhook(self, project_id: str, url: str) -> Project:
        """Set where notifications of a project go. Raises UserProblem where there is none."""
        now = self._clock.now()
        project = await self._projects.update(project_id, {"webhook_url": url, "updated_at": now})
        if project is None:
            raise UserProblem(f"There is no project {project_id}.")
        return project

    async def retire(self, repository_id: int, status: ProjectStatus, reason: str) -> None:
        """Have a repository's project inactive; its records stay."""
        known = await self._projects.of_repository(repository_id)
        if known is None or (known.status, known.reason) == (status, reason):
            return
        await self._projects.retire(repository_id, status, reason, self._clock.now())
        await self._tell("project.retired", known, {"status": status.value, "reason": reason})

    async def _tell(self, kind: str, project: Project, data: Mapping[str, Any]) -> None:
        now = self._clock.now()
        await self._audit.write([AuditEvent(kind, now, project.id, project.id, data)])
