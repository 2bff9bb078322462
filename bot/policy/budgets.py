"""How much the agent may be asked, and how much of that is spent: for rules and for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.agent_runs import AgentRun
from bot.domain.pull_request_records import FixOutcome, PullRequestRecord
from bot.domain.repo_config import RepoConfig

DAY = timedelta(days=1)


def of_pull_request(runs: Sequence[AgentRun], record: PullRequestRecord) -> int:
    """Its runs, and the messages that attempts to fix were.

    An attempt that began a run has the run's id, so that each counts once. It counts though its
    run be lost or went elsewhere, and so does the run that it was a message to. What people say
    to a run does not count.
    """
    sent = {it.id for it in runs} | {it.id for it in record.attempts}
    return len(sent | {it.run_id for it in record.attempts})


def of_day(sent_today: Sequence[datetime], now: datetime) -> Sequence[datetime]:
    """The times within the last day, oldest first."""
    return [it for it in sent_today if it > now - DAY]


def free_again(sent_today: Sequence[datetime], most: int, now: datetime) -> datetime | None:
    """When the day's budget has room again; None where it has, or never will."""
    sent = of_day(sent_today, now)
    return sent[-most] + DAY if 0 < most <= len(sent) else None


def spent(
    config: RepoConfig,
    runs: Sequence[AgentRun],
    record: PullRequestRecord | None,
    sent_today: Sequence[datetime],
    now: datetime,
) -> tuple[str, ...]:
    """A sentence for each budget; those of a pull request only where there is one."""
    budgets, said = config.budgets, []
    if record is not None:
        tried = [it for it in record.counted if it.outcome is not FixOutcome.OVERTAKEN]
        said.append(
            f"Attempts to mend it since a person had a hand in it: {len(tried)} of "
            f"{config.validation.max_retries} (`validation.max_retries`)"
        )
        said.append(
            f"Agent runs for this pull request: {of_pull_request(runs, record)} of "
            f"{budgets.agent_runs_per_pull_request} (`budgets.agent_runs_per_pull_request`)"
        )
    most, today = budgets.agent_runs_per_day, of_day(sent_today, now)
    again = today[0] + DAY if today else None
    resets = f"; the first of them is free again at {again:%Y-%m-%d %H:%M} UTC" if again else ""
    said.append(
        f"Agent runs in this repository within a day: {len(today)} of {most} "
        f"(`budgets.agent_runs_per_day`){resets}"
    )
    return tuple(said)
