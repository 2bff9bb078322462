"""Fixing: what becomes of a failed validation, once its facts are gathered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.effects import Decision
from bot.domain.events import PullRequestChange, PullRequestChanged, PullRequestTouched
from bot.domain.projects import ProjectStatus
from bot.domain.repositories import Account, Repository
from bot.policy.autofix import FixFacts, decide
from bot.policy.budgets import DAY
from bot.ports.github import NotFound
from bot.ports.handlers import Context, Needs
from bot.ports.records import Unreadable


async def mend_pull_request(
    event: PullRequestTouched | PullRequestChanged, needs: Needs, context: Context
) -> Decision:
    """Send a failure to the agent, validate once more, stop, or see what an attempt came to."""
    repository, pusher = event.repository, None
    project = await needs.projects.of_repository(repository.id)
    if project is not None and project.status is not ProjectStatus.ACTIVE:
        return Decision("the App is no longer active in this repository")
    if isinstance(event, PullRequestChanged) and event.change is PullRequestChange.PUSHED:
        pusher = event.sender
    try:
        facts = await gather(repository, event.number, needs, pusher)
    except Unreadable as fault:
        return Decision(f"nothing is sent: {fault}")
    except NotFound:
        return Decision(f"#{event.number} is no pull request that we may see")
    return decide(facts, context.id)


async def gather(
    repository: Repository, number: int, needs: Needs, pusher: Account | None = None
) -> FixFacts:
    """All that the decision is made of, each read once. Raises Unreadable and NotFound."""
    record = await needs.pull_requests.get(repository, number)
    pull = await needs.github.pull_request(repository, number)
    now, attempt = needs.clock.now(), record.open_attempt
    pushed_paths = None
    if attempt is not None and attempt.head_sha != pull.head_sha:
        pushed_paths = await _pushed(repository, attempt.head_sha, pull.head_sha, needs)
    return FixFacts(
        repository=repository,
        pull_request=pull,
        config=(await needs.configuration(repository, "")).parsed.config,
        record=record,
        of_head=await needs.validations.of_commit(repository.id, pull.head_sha),
        runs=await needs.runs.of_issue(repository.id, number),
        now=now,
        attempt_run=await needs.runs.get(attempt.run_id) if attempt else None,
        sent_today=await sent_today(repository, needs),
        pushed_paths=pushed_paths,
        pusher=pusher,
        has_agent=needs.agent is not None,
    )


async def _pushed(repository: Repository, before: str, after: str, needs: Needs) -> Sequence[str]:
    """The paths that a push touched; a push of another history has touched everything."""
    try:
        return await needs.github.paths_between(repository, before, after)
    except NotFound:
        return ["(a history that has nothing in common with the one before)"]


async def sent_today(repository: Repository, needs: Needs) -> Sequence[datetime]:
    """When the agent was set going in a repository within the last day, oldest first."""
    since = needs.clock.now() - DAY
    return await needs.budget.spent_since(repository.id, since)
