"""Pull requests: gather what is true of one now, and ask policy."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.effects import Decision
from bot.domain.events import PullRequestChanged, ValidationAsked
from bot.domain.projects import ProjectStatus
from bot.domain.repositories import Account, Permission, Repository
from bot.policy.agent_queue import shown
from bot.policy.requests import PullRequestFacts, decide, leave_inactive
from bot.ports.handlers import Context, Needs


async def validate_pull_request(
    event: PullRequestChanged, needs: Needs, context: Context
) -> Decision:
    """Have the head of an open pull request validated, and nothing older."""
    project = await needs.projects.of_repository(event.repository.id)
    if project is not None and project.status is not ProjectStatus.ACTIVE:
        unended = await needs.validations.unended_of(event.repository.id, event.number)
        return leave_inactive(unended, event.number)
    facts = await gather(event.repository, event.number, needs)
    decision = decide(facts, context.id)
    if not decision.effects:
        return decision
    # What runs brought is told of in their status comments, too.
    runs = await needs.runs.of_issue(event.repository.id, event.number)
    told = shown(event.repository, (number for it in runs for number in it.numbers))
    return replace(decision, effects=(*decision.effects, *told))


async def validate_again(event: ValidationAsked, needs: Needs, context: Context) -> Decision:
    """Validate a commit once more for somebody who may ask, if it is still the head."""
    facts = await gather(event.repository, event.number, needs, asked_by=event.sender)
    if facts.pull_request.head_sha != event.head_sha:
        return Decision(f"{event.head_sha[:12]} is no longer the head of #{event.number}")
    return decide(facts, context.id)


async def gather(
    repository: Repository, number: int, needs: Needs, asked_by: Account | None = None
) -> PullRequestFacts:
    """All that the decision is made of, each read once."""
    pull = await needs.github.pull_request(repository, number)
    config = (await needs.configuration(repository, "")).parsed.config
    is_fork = pull.head_repository_id != repository.id
    permission = (
        await needs.github.permission(repository, pull.author.login) if is_fork else Permission.NONE
    )
    ignored = config.validation.run_on.paths_ignore
    return PullRequestFacts(
        repository=repository,
        pull_request=pull,
        config=config,
        of_head=await needs.validations.of_commit(repository.id, pull.head_sha),
        unended=await needs.validations.unended_of(repository.id, number),
        author_permission=permission,
        changed_paths=await needs.github.changed_paths(repository, number) if ignored else (),
        asked_by=asked_by,
    )
