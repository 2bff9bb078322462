"""Why fixing stopped, in the words that people read: what happened, and which key says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bot.domain.pull_request_records import FixAttempt, FixOutcome
from bot.domain.repo_config import RepoConfig

GOAL: Final = "Mend what fails in this pull request."
FORK: Final = (
    "The branch is in a fork that maintainers may not push to: have its author tick “Allow edits "
    "by maintainers”, or push the mend there."
)


def same_failure(last: FixAttempt, failure: str) -> str:
    """The newest push changed nothing about it."""
    push = f"the push of `{last.pushed_sha[:12]}`" if last.pushed_sha else "the agent's push"
    return f"The same failure came back after {push}: {failure}"


def failure_came_back(failure: str) -> str:
    """It was gone in between."""
    return f"A failure that the agent was sent twice is back: {failure}"


def attempts_spent(tried: Sequence[FixAttempt], failure: str) -> str:
    """As many as the configuration has."""
    spent = f"{_times(len(tried), 'attempt')} made (`validation.max_retries`)"
    return f"{spent[0].upper()}{spent[1:]}, and it still fails: {failure}"


def agent_failed(tried: Sequence[FixAttempt], failure: str) -> str:
    """As many, and the agent came to nothing in each."""
    each = "in the attempt" if len(tried) == 1 else f"in each of the {len(tried)} attempts"
    return f"The agent failed {each} (`validation.max_retries`); it still fails: {failure}"


def all_failed(tried: Sequence[FixAttempt]) -> bool:
    """Whether the agent itself failed in every attempt."""
    return bool(tried) and all(it.outcome is FixOutcome.AGENT_FAILED for it in tried)


def budget_of_pull_request(config: RepoConfig) -> str:
    """For good, but for another configuration."""
    most, key = config.budgets.agent_runs_per_pull_request, "budgets.agent_runs_per_pull_request"
    if most == 0:
        return f"No agent runs are allowed for a pull request here (`{key}`)."
    runs = "its one agent run" if most == 1 else f"its {most} agent runs"
    return f"This pull request has had {runs} (`{key}`): raise it, or mend the rest by hand."


def budget_of_day(config: RepoConfig, again_at: datetime | None) -> str:
    """Until the time of reset."""
    most, key = config.budgets.agent_runs_per_day, "budgets.agent_runs_per_day"
    if again_at is None:
        return f"No agent runs are allowed in this repository (`{key}`)."
    runs = "its one agent run" if most == 1 else f"its {most} agent runs"
    return (
        f"This repository has had {runs} of a day (`{key}`); fixing goes on by itself at "
        f"{again_at:%Y-%m-%d %H:%M} UTC."
    )


def _times(count: int, what: str) -> str:
    return f"one {what} was" if count == 1 else f"{count} {what}s were"
