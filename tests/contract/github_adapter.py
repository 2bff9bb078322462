"""What the suites of the adapter's merges share: a clock, a pull request, the calls made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.adapters.clock import SystemClock
from demo.github.state import PullRequestState
from tests.contract.github_calls import commit
from tests.stand_in import Stage


class Hasty(SystemClock):
    """A clock that tells the time, moved as far as a test likes, and does not wait for it."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 100)


async def opened(on: Stage, text: str = "It.", **more: Any) -> PullRequestState:
    """A pull request of one commit more than main has."""
    await commit(on.shop, "main", text, to="change")
    return await on.github.open_pull_request(on.shop, "change", author=on.mallory, **more)


def calls(on: Stage, ending: str) -> list[str]:
    """The calls whose path ends so."""
    return [it for it in on.github.faults.calls if it.endswith(ending)]
