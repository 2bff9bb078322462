"""The adapter's one look at all that a merge hangs on, over the stand-in's GraphQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from graphql import parse, validate

from bot.adapters.github import graphql
from bot.adapters.github.app import GitHubApp
from bot.domain.merging import (
    CheckOutcome,
    CommitCheck,
    MergeMethod,
    MergeSituation,
    Review,
    ReviewDecision,
    ReviewState,
)
from bot.domain.problems import TryAgain
from bot.domain.repositories import Account
from bot.ports.github import GitHubProblem, NotFound
from demo.git_command import run_git
from demo.github import checks
from demo.github.faults import Fault
from demo.github.merging_state import AppState, Requirements, StatusState
from demo.github.state import CheckRunState, now
from tests.contract.github_adapter import Hasty, opened
from tests.contract.github_calls import commit, held_to
from tests.contract.github_events import Webhooks
from tests.contract.github_queries import published
from tests.stand_in import Stage, adapter

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contract() -> Webhooks:
    return Webhooks()


@pytest.fixture
async def on(tmp_path: Path, contract: Webhooks) -> AsyncIterator[Stage]:
    async with held_to(contract, tmp_path / "shop") as it:
        yield it


@pytest.fixture
async def github(on: Stage) -> AsyncIterator[GitHubApp]:
    async with adapter(on.github, Hasty()) as it:
        yield it


def asked(on: Stage) -> int:
    """How many GraphQL calls came."""
    return on.github.faults.calls.count("POST /graphql")


def run(
    on: Stage, sha: str, name: str, conclusion: str = "success", app: AppState | None = None
) -> CheckRunState:
    told = {"name": name, "head_sha": sha, "status": "in_progress"}
    told |= {"conclusion": conclusion, "status": "completed"} if conclusion else {}
    return checks.create(on.github.state, on.shop.id, told, app)


def status(on: Stage, sha: str, context: str, state: str = "success") -> None:
    it = on.github.state
    made = StatusState(next(it.ids), on.shop.id, sha, context, state, "", "", on.mallory, now())
    it.statuses.append(made)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(graphql.situations([1, 2]), id="situations"),
        pytest.param(graphql.NUMBERS, id="numbers"),
        pytest.param(graphql.MORE_CONTEXTS, id="more checks"),
        pytest.param(graphql.MORE_THREADS, id="more conversations"),
        pytest.param(graphql.ENQUEUE, id="enqueue"),
    ],
)
def test_every_query_is_one_of_githubs_published_schema(query: str) -> None:
    assert validate(published(), parse(query)) == []


async def test_all_of_a_pull_request_in_one_call(on: Stage, github: GitHubApp) -> None:
    issue = on.github.open_issue(on.shop, author=on.mallory, title="Say it!")
    pull = await opened(on, title="Say it", body=f"Fixes #{issue.number}")
    pull.maintainer_can_modify = True
    await on.github.label_issue(on.shop, pull, "do-not-merge", sender=on.alice)
    review = await on.github.submit_review(on.shop, pull, "approved", author=on.alice)
    thread = await on.github.open_thread(on.shop, pull, "Hm?", author=on.alice)
    await on.github.open_thread(on.shop, pull, "Oh!", author=on.alice)
    await on.github.resolve_thread(on.shop, thread, sender=on.mallory)
    actions = on.github.state.another_app("actions")
    on.github.protect(
        on.shop, "main", Requirements(checks={"build": actions.id, "ci": None}, approvals=1)
    )
    run(on, pull.head_sha, "build", "failure", actions)
    run(on, pull.head_sha, "build", "success", actions)
    run(on, pull.head_sha, "lint", "", actions)
    run(on, pull.head_sha, "codegenapp/validation")
    run(on, pull.head_sha, "codegenapp/validation", "success", actions)
    status(on, pull.head_sha, "ci", "pending")
    status(on, pull.head_sha, "codegenapp/validation")
    on.github.allow_merging(on.shop, "squash", "merge")
    told = await github.pull_request(on.repository, pull.number)
    found = await github.merge_situation(on.repository, pull.number)
    of = {"app_id": actions.id, "app_slug": "actions"}
    assert found == MergeSituation(
        pull=told,
        body=f"Fixes #{issue.number}",
        labels=("do-not-merge",),
        mergeable=True,
        review_decision=ReviewDecision.APPROVED,
        reviews=(
            Review(
                Account(on.alice.id, "alice"),
                ReviewState.APPROVED,
                pull.head_sha,
                review.submitted_at.replace(microsecond=0),
            ),
        ),
        checks=(
            CommitCheck("build", CheckOutcome.SUCCESS, required=True, **of),  # type: ignore[arg-type]
            CommitCheck("lint", CheckOutcome.PENDING, **of),  # type: ignore[arg-type]
            CommitCheck("codegenapp/validation", CheckOutcome.SUCCESS, **of),  # type: ignore[arg-type]
            CommitCheck("ci", CheckOutcome.PENDING, required=True),
            CommitCheck("codegenapp/validation", CheckOutcome.SUCCESS),
        ),
        unresolved_conversations=1,
        allowed_methods=(MergeMethod.SQUASH, MergeMethod.MERGE),
        linked_issues=(issue.number,),
        node_id=found.node_id,
    )
    assert asked(on) == 1


async def test_a_merged_one(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    merged = await on.github.merge(on.shop, pull, by=on.alice)
    found = await github.merge_situation(on.repository, 1)
    assert (found.pull.is_open, found.merged, found.merge_sha) == (False, True, merged)
    assert found.merged_at is not None


async def test_a_bot_s_name_is_the_one_that_rest_has(on: Stage, github: GitHubApp) -> None:
    await commit(on.shop, "main", "It.", to="change")
    bot = on.github.state.user("dependabot[bot]", "Bot")
    await on.github.open_pull_request(on.shop, "change", author=bot)
    found = await github.merge_situation(on.repository, 1)
    assert found.pull == await github.pull_request(on.repository, 1)
    assert found.pull.author == Account(bot.id, "dependabot[bot]", is_bot=True)


async def test_of_a_fork_and_of_one_that_is_gone(
    on: Stage, github: GitHubApp, tmp_path: Path
) -> None:
    await commit(on.shop, "main", "It.", to="change")
    folder = tmp_path / "fork.git"
    await run_git(tmp_path, "clone", "--quiet", "--bare", str(on.shop.folder), str(folder))
    fork = on.github.add_repository(on.github.install("mallory"), "shop", folder)
    pull = await on.github.open_pull_request(on.shop, "change", author=on.mallory, fork=fork)
    found = await github.merge_situation(on.repository, pull.number)
    assert found.pull == await github.pull_request(on.repository, pull.number)
    assert found.pull.head_repository_id == fork.id
    del on.github.state.repositories[fork.id]
    found = await github.merge_situation(on.repository, pull.number)
    assert found.pull.head_repository_id is None


async def test_whether_it_merges_is_not_known_at_once(on: Stage, github: GitHubApp) -> None:
    on.github.state.slow_mergeability = True
    await opened(on)
    assert (await github.merge_situation(on.repository, 1)).mergeable is None
    assert (await github.merge_situation(on.repository, 1)).mergeable is True
    await commit(on.shop, "main", "Something else.")
    assert (await github.merge_situation(on.repository, 1)).mergeable is None
    assert (await github.merge_situation(on.repository, 1)).mergeable is False


async def test_more_checks_and_conversations_than_a_page_holds(
    on: Stage, github: GitHubApp
) -> None:
    pull = await opened(on)
    actions = on.github.state.another_app("actions")
    for number in range(250):
        run(on, pull.head_sha, f"check {number}", app=actions)
    for _ in range(101):
        await on.github.open_thread(on.shop, pull, "Hm?", author=on.alice)
    found = await github.merge_situation(on.repository, 1)
    assert [it.name for it in found.checks] == [f"check {number}" for number in range(250)]
    assert found.unresolved_conversations == 101
    assert asked(on) == 4  # all but the first of three pages, and of two


async def test_a_merge_queue(on: Stage, github: GitHubApp) -> None:
    await opened(on)
    assert not (await github.merge_situation(on.repository, 1)).queue_required
    on.github.turn_on_queue(on.shop)
    found = await github.merge_situation(on.repository, 1)
    assert (found.queue_required, found.in_merge_queue) == (True, False)


async def test_there_is_none(on: Stage, github: GitHubApp) -> None:
    with pytest.raises(NotFound):
        await github.merge_situation(on.repository, 7)


async def test_the_name_is_another_repositorys_now(on: Stage, github: GitHubApp) -> None:
    await opened(on)
    repository = on.repository
    on.shop.name = "old"
    installation = on.github.state.installations[on.shop.installation_id]
    on.github.add_repository(installation, "shop", on.shop.folder)
    with pytest.raises(NotFound):
        await github.merge_situation(repository, 1)


async def test_all_that_are_open_into_a_branch(on: Stage, github: GitHubApp) -> None:
    head = await commit(on.shop, "main", "It.", to="change")
    for number in range(1, 26):
        await on.github.open_pull_request(
            on.shop, "change", author=on.mallory, title=f"It {number}", silent=True
        )
    await commit(on.shop, "main", "Else.", to="release")
    other = await on.github.open_pull_request(
        on.shop, "change", author=on.mallory, base="release", silent=True
    )
    closed = on.shop.pull_requests[2]
    closed.state = "closed"
    run(on, head, "build", app=on.github.state.another_app("actions"))
    on.github.protect(on.shop, "main", Requirements(checks={"build": None}))
    found = [it async for it in github.open_situations(on.repository, "main")]
    assert [it.pull.number for it in found] == [1, *range(3, 26)]
    assert asked(on) == 3  # their numbers, and twenty at a time
    assert found[3] == await github.merge_situation(on.repository, found[3].pull.number)
    assert found[3].checks[0].required
    into_release = [it async for it in github.open_situations(on.repository, "release")]
    assert [it.pull.number for it in into_release] == [other.number]
    assert not into_release[0].checks[0].required
    assert [it async for it in github.open_situations(on.repository, "none")] == []


async def test_what_is_too_much_at_once_is_asked_for_in_parts(on: Stage, github: GitHubApp) -> None:
    await opened(on)
    for _ in range(3):
        await on.github.open_pull_request(on.shop, "change", author=on.mallory, silent=True)
    on.github.faults.choose = lambda _number, _method, path: (
        # Their numbers are told; four at once are too much, and so they are once more.
        Fault.BROKEN if path == "/graphql" and asked(on) in (2, 3, 4) else None
    )
    found = [it async for it in github.open_situations(on.repository, "main")]
    assert [it.pull.number for it in found] == [1, 2, 3, 4]
    assert asked(on) == 6


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_fault_of_one_call(on: Stage, github: GitHubApp, fault: Fault) -> None:
    """A look may be repeated, whatever became of it; only what is refused is told."""
    await opened(on)
    await github.repository(on.repository)  # the token is there
    on.github.faults.choose = lambda _number, _method, path: (
        fault if path == "/graphql" and asked(on) == 1 else None
    )
    on.github.faults.hang_seconds = 0.1
    if fault in (Fault.NOT_FOUND, Fault.CONFLICT, Fault.UNPROCESSABLE):
        with pytest.raises(GitHubProblem):
            await github.merge_situation(on.repository, 1)
    else:
        assert (await github.merge_situation(on.repository, 1)).pull.number == 1
        assert asked(on) == 2


async def test_a_token_that_ends_in_the_middle(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    actions = on.github.state.another_app("actions")
    for number in range(150):
        run(on, pull.head_sha, f"check {number}", app=actions)

    def choose(_number: int, _method: str, path: str) -> None:
        if path == "/graphql" and asked(on) == 2:
            on.github.state.tokens.clear()

    on.github.faults.choose = choose
    assert len((await github.merge_situation(on.repository, 1)).checks) == 150


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.DROPPED, Fault.TOO_MANY], ids=str)
async def test_what_does_not_pass_is_told_in_the_end(
    on: Stage, github: GitHubApp, fault: Fault
) -> None:
    await opened(on)
    on.github.faults.choose = lambda _number, _method, path: fault if path == "/graphql" else None
    with pytest.raises(TryAgain):
        await github.merge_situation(on.repository, 1)
