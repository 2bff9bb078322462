"""Comments: what somebody asks for by a slash command."""

from __future__ import annotations

from bot.domain.effects import Decision
from bot.domain.events import CommandsGiven
from bot.domain.projects import ProjectStatus
from bot.domain.repositories import Permission
from bot.policy.commands import CommandFacts, decide
from bot.ports.handlers import Context, Needs


async def answer_command(event: CommandsGiven, needs: Needs, context: Context) -> Decision:
    """Do what a comment asks for, where its writer may, and answer it."""
    del context
    repository, number = event.repository, event.comment.number
    project = await needs.projects.of_repository(repository.id)
    if project is not None and project.status is not ProjectStatus.ACTIVE:
        return Decision("the App is no longer active in this repository")
    permission = await needs.github.permission(repository, event.sender.login)
    configuration = await needs.configuration(repository, "")
    facts = CommandFacts(event, permission, configuration.parsed, configuration.path)
    if not event.is_pull_request:
        return decide(facts)
    pull = await needs.github.pull_request(repository, number)
    is_fork = pull.head_repository_id != repository.id
    return decide(
        CommandFacts(
            event,
            permission,
            configuration.parsed,
            configuration.path,
            pull,
            await needs.validations.of_commit(repository.id, pull.head_sha),
            await needs.validations.unended_of(repository.id, number),
            await needs.github.permission(repository, pull.author.login)
            if is_fork
            else Permission.NONE,
        )
    )
