"""``Merger`` over the stand-in and a real database: once, for this head, on a fresh decision."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.github.app import GitHubApp
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.pull_requests import MongoPullRequests
from bot.domain.merging import MergeMethod
from bot.domain.problems import AssumptionFailed, TryAgain
from bot.domain.pull_request_effects import DeleteBranch, MergePullRequest, UpdateBranch
from bot.domain.pull_request_records import PullRequestRecord, Stop, StopRule
from bot.services.merger import GOOD_FOR, Merger
from demo.github.faults import Fault
from demo.github.merging_state import Requirements
from demo.github.state import PullRequestState
from tests.contract.github_adapter import Hasty, calls, opened
from tests.contract.github_calls import commit
from tests.stand_in import Stage, adapter, stage

pytestmark = pytest.mark.database


@dataclass
class Desk:
    """A merger, and what it works on."""

    on: Stage
    github: GitHubApp
    records: MongoPullRequests
    merger: Merger
    clock: Hasty

    async def wanted(self, pull: PullRequestState, **changes: object) -> MergePullRequest:
        whole = MergePullRequest(
            self.on.repository,
            pull.number,
            pull.head_sha,
            self.clock.now(),
            (MergeMethod.SQUASH, MergeMethod.MERGE),
            title=f"{pull.title} (#{pull.number})",
        )
        return replace(whole, **changes)  # type: ignore[arg-type]  # fields of it

    async def record(self, pull: PullRequestState) -> PullRequestRecord:
        return await self.records.get(self.on.repository, pull.number)

    @property
    def asked(self) -> int:
        """How often GitHub was asked to merge."""
        return len(calls(self.on, "/merge"))


@pytest.fixture
async def desk(tmp_path: Path, database: Database) -> AsyncIterator[Desk]:
    clock = Hasty()
    async with stage(tmp_path / "shop") as on, adapter(on.github, clock) as github:
        records = MongoPullRequests(database)
        yield Desk(on, github, records, Merger(records, github, clock), clock)


async def test_it_is_merged_once_however_often_it_is_done(desk: Desk) -> None:
    pull = await opened(desk.on)
    effect = await desk.wanted(pull)
    assert (await desk.merger.merge(effect)).startswith("merged ")
    assert await desk.merger.merge(effect) == "it was merged before"
    assert desk.asked == 1
    merge = (await desk.record(pull)).merge
    assert merge is not None
    assert (merge.head_sha, merge.method, merge.refusal) == (pull.head_sha, MergeMethod.SQUASH, "")


@pytest.mark.parametrize("fault", [Fault.BROKEN_AFTER, Fault.LOST_ANSWER], ids=["502", "lost"])
async def test_what_may_have_landed_is_looked_up(desk: Desk, fault: Fault) -> None:
    pull = await opened(desk.on)
    effect = await desk.wanted(pull)
    desk.on.github.faults.choose = lambda _number, _method, path: (
        fault if path.endswith("/merge") else None
    )
    desk.on.github.faults.hang_seconds = 0.1
    with pytest.raises(TryAgain):
        await desk.merger.merge(effect)
    assert pull.merged_at is not None
    assert await desk.merger.merge(effect) == "it was merged before"


async def test_an_old_decision_is_made_anew(desk: Desk) -> None:
    pull = await opened(desk.on)
    effect = await desk.wanted(pull)
    desk.clock.ahead = GOOD_FOR + timedelta(seconds=1)
    with pytest.raises(AssumptionFailed, match="a while ago"):
        await desk.merger.merge(effect)
    assert desk.asked == 0


@pytest.mark.parametrize("changes", [{"held_by": "alice"}, {"stop": True}], ids=["held", "stopped"])
async def test_what_people_said_since_counts(desk: Desk, changes: dict[str, object]) -> None:
    pull = await opened(desk.on)
    if "stop" in changes:
        changes = {"stop": Stop(StopRule.ONLY_TESTS, "x", pull.head_sha, desk.clock.now())}
    await desk.records.change(desk.on.repository, pull.number, changes)
    with pytest.raises(AssumptionFailed, match="since"):
        await desk.merger.merge(await desk.wanted(pull))
    assert desk.asked == 0


async def test_an_admins_word_for_it_counts_as_well(desk: Desk) -> None:
    pull = await opened(desk.on)
    stop = Stop(StopRule.ONLY_TESTS, "x", pull.head_sha, desk.clock.now())
    changes = {"held_by": "alice", "stop": stop}
    await desk.records.change(desk.on.repository, pull.number, changes)
    with pytest.raises(AssumptionFailed, match="waits for a person since"):
        await desk.merger.merge(await desk.wanted(pull, overridden=("hold",)))
    effect = await desk.wanted(pull, overridden=("hold", "needs_human"))
    assert (await desk.merger.merge(effect)).startswith("merged ")


async def test_a_base_that_moved_on_is_not_merged_into(desk: Desk) -> None:
    pull = await opened(desk.on)
    await commit(desk.on.shop, "main", "Something else", to="main")
    with pytest.raises(AssumptionFailed, match="main moved on"):
        await desk.merger.merge(await desk.wanted(pull, up_to_date_with="main"))
    assert desk.asked == 0


async def test_a_base_that_moves_at_that_moment_is_looked_at_again(desk: Desk) -> None:
    pull = await opened(desk.on)
    desk.on.shop.base_moves = 1
    with pytest.raises(AssumptionFailed, match="Base branch was modified"):
        await desk.merger.merge(await desk.wanted(pull))
    assert pull.merged_at is None


async def test_a_head_that_moved_is_judged_anew(desk: Desk) -> None:
    pull = await opened(desk.on)
    effect = await desk.wanted(pull)
    pushed = await commit(desk.on.shop, "change", "More of it", to="change")
    await desk.on.github.push(desk.on.shop, pull, pushed, sender=desk.on.mallory)
    with pytest.raises(AssumptionFailed):
        await desk.merger.merge(effect)
    assert pull.merged_at is None


async def test_what_github_refuses_is_kept_in_its_own_words(desk: Desk) -> None:
    pull = await opened(desk.on)
    desk.on.github.protect(desk.on.shop, "main", Requirements(approvals=1))
    with pytest.raises(AssumptionFailed):
        await desk.merger.merge(await desk.wanted(pull))
    merge = (await desk.record(pull)).merge
    assert merge is not None
    assert "approving review" in merge.refusal


async def test_a_branch_is_brought_up_to_date_once(desk: Desk) -> None:
    pull = await opened(desk.on)
    await commit(desk.on.shop, "main", "Something else", name="other.txt")
    effect = UpdateBranch(desk.on.repository, pull.number, pull.head_sha)
    assert await desk.merger.update_branch(effect) == "queued"
    assert await desk.merger.update_branch(effect) == "it is being done"
    assert (await desk.record(pull)).updating_from == effect.expected_head_sha


async def test_a_branch_that_can_not_be_brought_up_to_date_says_why(desk: Desk) -> None:
    pull = await opened(desk.on)
    await commit(desk.on.shop, "main", "Something else")
    effect = UpdateBranch(desk.on.repository, pull.number, pull.head_sha)
    with pytest.raises(AssumptionFailed, match="would not bring the branch up to date"):
        await desk.merger.update_branch(effect)
    record = await desk.record(pull)
    assert record.updating_from == "", "no head may pass for what never came"
    assert record.merge is not None
    assert "would not bring" in record.merge.refusal


async def test_a_branch_that_is_not_merged_stays(desk: Desk) -> None:
    pull = await opened(desk.on)
    with pytest.raises(TryAgain):
        await desk.merger.delete_branch(DeleteBranch(desk.on.repository, pull.number, "change"))
    assert await desk.on.shop.commit("change") == pull.head_sha
