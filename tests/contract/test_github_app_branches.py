"""The adapter's branches, rules and labels, over the stand-in and by its rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.github.app import GitHubApp
from bot.domain.merging import (
    BranchRules,
    MergeAnswer,
    MergeMethod,
    MergeOrder,
    RequiredCheck,
)
from bot.domain.merging import MergeAnswerKind as Kind
from bot.ports.github import Unprocessable
from demo.git_command import run_git
from demo.github.faults import Fault
from demo.github.merging_state import Requirements
from tests.contract.github_adapter import Hasty, calls, opened
from tests.contract.github_calls import commit, held_to
from tests.contract.github_events import Webhooks
from tests.stand_in import Stage, adapter

pytestmark = pytest.mark.slow

ACTIONS = 15368


@pytest.fixture(scope="module")
def contract() -> Webhooks:
    return Webhooks()


@pytest.fixture
async def on(tmp_path: Path, contract: Webhooks) -> AsyncIterator[Stage]:
    async with held_to(contract, tmp_path / "shop") as it:
        yield it


@pytest.fixture
def clock() -> Hasty:
    return Hasty()


@pytest.fixture
async def github(on: Stage, clock: Hasty) -> AsyncIterator[GitHubApp]:
    async with adapter(on.github, clock) as it:
        yield it


async def test_a_branch_is_brought_up_to_date(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    head = pull.head_sha
    assert not await github.is_behind(on.repository, "main", head)
    await commit(on.shop, "main", "Else.", name="else.txt")
    assert await github.is_behind(on.repository, "main", head)
    answer = await github.update_branch(on.repository, 1, head)
    assert answer.kind is Kind.QUEUED
    assert pull.head_sha != head
    assert not await github.is_behind(on.repository, "main", pull.head_sha)
    assert (await github.update_branch(on.repository, 1, head)).kind is Kind.HEAD_MOVED
    assert (await github.update_branch(on.repository, 1, pull.head_sha)).kind is Kind.MERGED


async def test_a_base_whose_name_has_slashes(on: Stage, github: GitHubApp) -> None:
    await commit(on.shop, "main", "Else.", name="else.txt", to="release/1.x#a")
    pull = await opened(on, base="release/1.x#a")
    assert await github.is_behind(on.repository, "release/1.x#a", pull.head_sha)
    on.github.protect(on.shop, "release/1.x#a", Requirements(checks={"build": None}))
    rules = await github.branch_rules(on.repository, "release/1.x#a")
    assert [it.name for it in rules.checks] == ["build"]
    listed = github.open_pull_requests(on.repository, base_branch="release/1.x#a")
    assert [it.number async for it in listed] == [1]
    assert [it async for it in github.open_pull_requests(on.repository, base_branch="main")] == []


async def test_a_conflict_of_an_update(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    await commit(on.shop, "main", "Something else.")
    answer = await github.update_branch(on.repository, 1, pull.head_sha)
    assert answer == MergeAnswer(Kind.CONFLICT, "merge conflict between base and head")


async def test_a_fork_s_branch_is_updated_only_where_its_owner_lets_us(
    on: Stage, github: GitHubApp, tmp_path: Path
) -> None:
    await commit(on.shop, "main", "It.", to="change")
    folder = tmp_path / "fork.git"
    await run_git(tmp_path, "clone", "--quiet", "--bare", str(on.shop.folder), str(folder))
    fork = on.github.add_repository(on.github.install("mallory"), "shop", folder)
    pull = await on.github.open_pull_request(on.shop, "change", author=on.mallory, fork=fork)
    await commit(on.shop, "main", "Else.", name="else.txt")
    assert await github.is_behind(on.repository, "main", pull.head_sha)
    assert not (await github.pull_request(on.repository, 1)).maintainer_can_modify
    answer = await github.update_branch(on.repository, 1, pull.head_sha)
    assert answer.kind is Kind.REFUSED
    pull.maintainer_can_modify = True
    assert (await github.pull_request(on.repository, 1)).maintainer_can_modify
    answer = await github.update_branch(on.repository, 1, pull.head_sha)
    assert answer.kind is Kind.QUEUED
    order = MergeOrder(pull.head_sha, MergeMethod.SQUASH)
    assert (await github.merge(on.repository, 1, order)).kind is Kind.MERGED


async def test_an_update_whose_answer_was_lost_is_found_done(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    head = pull.head_sha
    await commit(on.shop, "main", "Else.", name="else.txt")
    on.github.faults.choose = lambda _number, _method, path: (
        Fault.BROKEN_AFTER
        if path.endswith("/update-branch") and len(calls(on, "/update-branch")) == 1
        else None
    )
    answer = await github.update_branch(on.repository, 1, head)
    assert answer.kind is Kind.HEAD_MOVED
    assert pull.head_sha != head


async def test_a_branch_is_removed_once_and_for_all(on: Stage, github: GitHubApp) -> None:
    await commit(on.shop, "main", "It.", to="fix/a-%41#b")
    for _ in range(2):
        await github.delete_branch(on.repository, "fix/a-%41#b")
        with pytest.raises(LookupError):
            await on.shop.commit("refs/heads/fix/a-%41#b")


async def test_a_protected_branch_is_kept(on: Stage, github: GitHubApp) -> None:
    await commit(on.shop, "main", "It.", to="change")
    on.github.protect(on.shop, "change", Requirements())
    with pytest.raises(Unprocessable, match="Cannot delete this branch"):
        await github.delete_branch(on.repository, "change")
    assert (await github.branch_rules(on.repository, "change")).protected


async def test_paths_between_two_commits(on: Stage, github: GitHubApp) -> None:
    main = await on.shop.commit("main")
    one = await commit(on.shop, "main", "It.", to="one")
    two = await commit(on.shop, "one", "Else.", name="else.txt", to="two")
    other = await commit(on.shop, "main", "Other.", name="other.txt", to="other")
    again = await commit(on.shop, "main", "It.", to="again")  # the same tree as ``one``

    async def paths(base: str, head: str) -> list[str]:
        return sorted(await github.paths_between(on.repository, base, head))

    assert await paths(one, two) == ["else.txt"]
    assert await paths(main, two) == ["else.txt", "said.txt"]
    assert await paths(two, one) == ["else.txt"]  # taken back
    assert await paths(one, other) == ["other.txt", "said.txt"]  # another instead
    assert await paths(one, one) == []
    assert await paths(one, again) == []


async def test_labels(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    for _ in range(2):
        await github.add_label(on.repository, 1, "needs-human")
        assert pull.labels == ["needs-human"]
    await github.add_label(on.repository, 1, "a/b c?")
    for _ in range(2):
        await github.remove_label(on.repository, 1, "needs-human")
        await github.remove_label(on.repository, 1, "a/b c?")
        assert pull.labels == []


# ── rules ────────────────────────────────────────────────────────────────────────────────────


async def test_rules_of_both_kinds(on: Stage, github: GitHubApp) -> None:
    on.github.protect(on.shop, "main", Requirements(checks={"build": ACTIONS, "lint": None}))
    made = on.github.add_ruleset(
        on.shop,
        Requirements(
            checks={"build": None, "docs": ACTIONS},
            strict=True,
            approvals=2,
            conversations=True,
            linear=True,
            methods=("squash", "rebase"),
        ),
    )
    source = f"ruleset {made.id} of repository octo/shop"
    classic = "branch protection"
    assert await github.branch_rules(on.repository, "main") == BranchRules(
        checks=(
            RequiredCheck("build", classic, ACTIONS),
            RequiredCheck("lint", classic),
            RequiredCheck("build", source),
            RequiredCheck("docs", source, ACTIONS),
        ),
        up_to_date=True,
        approvals=2,
        conversations=True,
        methods=(MergeMethod.SQUASH, MergeMethod.REBASE),
        linear=True,
        protected=True,
        source=source,
    )


async def test_a_queue_of_rules(on: Stage, github: GitHubApp) -> None:
    on.github.turn_on_queue(on.shop)
    assert (await github.branch_rules(on.repository, "main")).merge_queue


async def test_rules_are_a_minute_old_at_most(on: Stage, github: GitHubApp, clock: Hasty) -> None:
    assert await github.branch_rules(on.repository, "main") == BranchRules()
    on.github.protect(on.shop, "main", Requirements(checks={"build": None}))
    assert await github.branch_rules(on.repository, "main") == BranchRules()
    assert len(calls(on, "/branches/main")) == 2
    clock.ahead = timedelta(seconds=61)
    assert [it.name for it in (await github.branch_rules(on.repository, "main")).checks] == [
        "build"
    ]


async def test_rules_that_the_plan_does_not_have(on: Stage, github: GitHubApp) -> None:
    on.github.protect(on.shop, "main", Requirements(checks={"build": None}))
    on.github.faults.choose = lambda _number, _method, path: (
        Fault.NOT_FOUND if "/rules/" in path else None
    )
    rules = await github.branch_rules(on.repository, "main")
    assert [it.name for it in rules.checks] == ["build"]


async def test_a_branch_that_is_gone_has_no_rules(on: Stage, github: GitHubApp) -> None:
    assert await github.branch_rules(on.repository, "gone") == BranchRules()
