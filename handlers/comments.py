"""Comments: what somebody asks for by a slash command."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.effects import Decision
from bot.domain.events import CommandsGiven
from bot.domain.projects import ProjectStatus
from bot.domain.repositories import Permission
from bot.policy.commands import CommandFacts, decide, wants_explanation
from bot.policy.merge import explain
from bot.policy.merge_criteria import overridable_names
from bot.ports.github import GitHubProblem
from bot.ports.handlers import Context, Needs
from bot.ports.records import Unreadable
from handlers.fixing import sent_today
from handlers.merging import gather


async def answer_command(event: CommandsGiven, needs: Needs, context: Context) -> Decision:
    """Do what a comment asks for, where its writer may, and answer it."""
    del context
    repository, number = event.repository, event.comment.number
    project = await needs.projects.of_repository(repository.id)
    if project is not None and project.status is not ProjectStatus.ACTIVE:
        return Decision("the App is no longer active in this repository")
    permission = await needs.github.permission(repository, event.sender.login)
    configuration = await needs.configuration(repository, "")
    now = needs.clock.now()
    facts = CommandFacts(
        event,
        permission,
        configuration.parsed,
        now,
        configuration.path,
        runs=await needs.runs.of_issue(repository.id, number),
        asked_today=await sent_today(repository, needs),
        has_agent=needs.agent is not None,
    )
    if not event.is_pull_request:
        return decide(facts)
    pull = await needs.github.pull_request(repository, number)
    merge, unseen = None, ""
    if wants_explanation(event):
        try:
            merge = await gather(repository, number, needs)
        except (GitHubProblem, Unreadable) as fault:
            unseen = str(fault)
    is_fork = pull.head_repository_id != repository.id
    return decide(
        replace(
            facts,
            pull_request=pull,
            of_head=await needs.validations.of_commit(repository.id, pull.head_sha),
            unended=await needs.validations.unended_of(repository.id, number),
            author_permission=await needs.github.permission(repository, pull.author.login)
            if is_fork
            else Permission.NONE,
            record=await needs.pull_requests.get(repository, number),
            explanation=explain(merge) if merge else None,
            overridable=overridable_names(merge) if merge else (),
            unseen=unseen,
        )
    )
