"""A base moves: pull requests into it learn what that means to them, at few calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.merging import Criterion, CriterionState
from demo.github.pushes import Push
from demo.github.state import PullRequestState
from tests.flow.agency import Agency, agency

pytestmark = pytest.mark.database

CONFIGURED = """
validation: {auto_merge: true, required_approvals: 1}
web_evaluation: {enabled: false}
"""


@pytest.fixture
async def it(mongodb: str, tmp_path: Path) -> AsyncIterator[Agency]:
    async with agency(mongodb, tmp_path, with_agent=False) as running:
        await running.configure(CONFIGURED)
        yield running


async def opened(it: Agency, name: str) -> PullRequestState:
    """A green pull request that writes a file, and waits for an approval."""
    on = it.bot.on
    commit = await it.write("main", name, "by the change\n")
    await on.shop.git("update-ref", f"refs/heads/write-{name}", commit)
    pull = await on.github.open_pull_request(on.shop, f"write-{name}", author=on.alice)
    await it.bot.concluded(pull.head_sha)
    await it.bot.idle()
    return pull


async def moved(it: Agency, name: str) -> Push:
    """Have the base write a file; nothing is told yet."""
    on = it.bot.on
    before = await on.shop.commit("main")
    after = await it.write(before, name, "by the base\n")
    await on.shop.git("update-ref", "refs/heads/main", after)
    return Push("refs/heads/main", before, after)


async def tell(it: Agency, push: Push) -> None:
    await it.bot.on.github.pushed(it.bot.on.shop, push, it.bot.on.alice)
    await it.bot.idle()


async def mergeable(it: Agency, pull: PullRequestState) -> Criterion:
    record = await it.bot.it.pull_requests.get(it.bot.on.repository, pull.number)
    assert record.explanation is not None
    (found,) = [it for it in record.explanation.criteria if it.name == "mergeable"]
    return found


async def decisions(it: Agency) -> list[str]:
    """What was decided of the base's moves, in order."""
    found = await it.bot.it.audit.of_subject(f"{it.bot.on.shop.id}:base:main", 100)
    return [event.data["reason"] for event in reversed(found)]


async def test_a_conflict_that_the_base_brings_is_told(it: Agency) -> None:
    one, other = await opened(it, "one.md"), await opened(it, "other.md")
    assert (await mergeable(it, one)).state is CriterionState.MET
    await tell(it, await moved(it, "one.md"))
    assert (await mergeable(it, one)).state is CriterionState.UNMET
    assert (await mergeable(it, other)).state is CriterionState.MET
    assert await decisions(it) == ["1 of 2 pull requests into main"]
    await tell(it, await moved(it, "more.md"))
    assert (await decisions(it))[1:] == ["0 of 2 pull requests into main"], "it is known"


async def test_of_pushes_in_a_row_the_last_one_is_looked_at(it: Agency) -> None:
    await opened(it, "one.md")
    pushes = [await moved(it, f"{n}.md") for n in range(3)]
    for push in pushes:
        await tell(it, push)
    assert await decisions(it) == [
        *["main moved on since, which is an event of its own"] * 2,
        "0 of 1 pull requests into main",
    ]


async def test_it_takes_some_calls_for_all_of_them(it: Agency) -> None:
    for n in range(5):
        await opened(it, f"{n}.md")
    kinds = it.bot.on.github.kinds
    kinds.clear()
    await tell(it, await moved(it, "base.md"))
    assert kinds["graphql query"] == 2, "their numbers, and all of them"
