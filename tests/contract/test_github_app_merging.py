"""The adapter's merges, straight and by the queue, over the stand-in and by its rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.adapters.github.app import GitHubApp
from bot.adapters.github.tokens import AppCredentials
from bot.domain.merging import (
    MergeAnswer,
    MergeMethod,
    MergeOrder,
)
from bot.domain.merging import MergeAnswerKind as Kind
from bot.domain.problems import Limited, TryAgain
from bot.ports.github import NotFound
from demo.github.faults import Fault
from demo.github.merging_state import Requirements
from demo.github.state import PullRequestState
from tests.contract.github_adapter import Hasty, calls, opened
from tests.contract.github_calls import commit, held_to
from tests.contract.github_events import Webhooks
from tests.stand_in import Stage, adapter

pytestmark = pytest.mark.slow

VIOLATED = "Repository rule violations found\n\n"


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


def order(pull: PullRequestState, method: MergeMethod = MergeMethod.SQUASH) -> MergeOrder:
    return MergeOrder(pull.head_sha, method)


async def merge(on: Stage, github: GitHubApp, pull: PullRequestState) -> MergeAnswer:
    return await github.merge(on.repository, pull.number, order(pull))


# ── merging ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", list(MergeMethod))
async def test_a_merge(on: Stage, github: GitHubApp, method: MergeMethod) -> None:
    pull = await opened(on)
    answer = await github.merge(on.repository, 1, order(pull, method))
    assert answer == MergeAnswer(
        Kind.MERGED, "Pull Request successfully merged", await on.shop.commit("main")
    )


async def test_title_and_message_of_a_squash(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    wanted = MergeOrder(pull.head_sha, MergeMethod.SQUASH, "Say it (#1)", "It was silent.")
    await github.merge(on.repository, 1, wanted)
    said = await on.shop.git("show", "-s", "--format=%B", "refs/heads/main")
    assert said.decode().strip() == "Say it (#1)\n\nIt was silent."


async def test_a_head_that_moved(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    seen = order(pull)
    await on.github.push(on.shop, pull, await commit(on.shop, "change", "More."), sender=on.alice)
    answer = await github.merge(on.repository, 1, seen)
    assert answer.kind is Kind.HEAD_MOVED
    assert pull.merged_at is None


async def test_a_base_that_the_head_must_hold(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    on.github.protect(on.shop, "main", Requirements(strict=True))
    await commit(on.shop, "main", "Else.", name="else.txt")
    assert (await merge(on, github, pull)).kind is Kind.BASE_MOVED


async def test_a_base_that_moved(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    on.shop.base_moves = 1
    assert (await merge(on, github, pull)).kind is Kind.BASE_MOVED
    assert len(calls(on, "/merge")) == 1
    assert (await merge(on, github, pull)).kind is Kind.MERGED


async def test_a_conflict(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    await commit(on.shop, "main", "Something else.")
    answer = await merge(on, github, pull)
    assert answer == MergeAnswer(Kind.CONFLICT, "Pull Request is not mergeable")


async def test_a_method_that_is_not_allowed(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    on.github.allow_merging(on.shop, "rebase")
    answer = await merge(on, github, pull)
    said = "Squash merges are not allowed on this repository."
    assert answer == MergeAnswer(Kind.METHOD_REFUSED, said)
    answer = await github.merge(on.repository, 1, order(pull, MergeMethod.REBASE))
    assert answer.kind is Kind.MERGED


async def test_merge_commits_in_a_linear_history(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    on.github.add_ruleset(on.shop, Requirements(linear=True))
    answer = await github.merge(on.repository, 1, order(pull, MergeMethod.MERGE))
    assert answer.kind is Kind.METHOD_REFUSED


@pytest.mark.parametrize(
    ("requirements", "said"),
    [
        pytest.param(
            Requirements(approvals=1),
            "At least 1 approving review is required by reviewers with write access.",
            id="approvals",
        ),
        pytest.param(
            Requirements(checks={"merge conflict": None}),
            'Required status check "merge conflict" is expected.',
            id="a check, whatever it is called",
        ),
        pytest.param(
            Requirements(queue=True), "Changes must be made through the merge queue", id="a queue"
        ),
    ],
)
@pytest.mark.parametrize("of_ruleset", [False, True], ids=["classic", "ruleset"])
async def test_a_rule_that_is_not_met_is_named(
    on: Stage, github: GitHubApp, requirements: Requirements, said: str, of_ruleset: bool
) -> None:
    pull = await opened(on)
    if of_ruleset:
        on.github.add_ruleset(on.shop, requirements)
    else:
        on.github.protect(on.shop, "main", requirements)
    answer = await merge(on, github, pull)
    assert answer.kind is Kind.REFUSED
    assert answer.message.removeprefix(VIOLATED) == said


async def test_a_draft_is_refused(on: Stage, github: GitHubApp) -> None:
    answer = await merge(on, github, await opened(on, draft=True))
    assert answer == MergeAnswer(Kind.REFUSED, "Pull Request is still a draft")


async def test_there_is_no_such_pull_request(on: Stage, github: GitHubApp) -> None:
    with pytest.raises(NotFound):
        await github.merge(on.repository, 7, MergeOrder("a" * 40, MergeMethod.SQUASH))


@pytest.mark.parametrize(
    ("fault", "landed"),
    [
        pytest.param(Fault.LOST_ANSWER, True, id="a lost answer, and it has landed"),
        pytest.param(Fault.BROKEN_AFTER, True, id="502, and it has landed"),
        pytest.param(Fault.DROPPED, False, id="dropped before"),
        pytest.param(Fault.HANG, False, id="no answer in time"),
        pytest.param(Fault.BROKEN, False, id="500"),
    ],
)
async def test_a_merge_is_never_repeated_by_itself(
    on: Stage, github: GitHubApp, fault: Fault, landed: bool
) -> None:
    pull = await opened(on)
    on.github.faults.choose = lambda _number, _method, path: (
        fault if path.endswith("/merge") else None
    )
    on.github.faults.hang_seconds = 0.1
    with pytest.raises(TryAgain):
        await merge(on, github, pull)
    assert len(calls(on, "/merge")) == 1
    assert (pull.merged_at is not None) == landed
    on.github.faults.choose = lambda _number, _method, _path: None
    found = await github.merge_situation(on.repository, 1)
    assert (found.merged, found.pull.is_open) == (landed, not landed)


@pytest.mark.parametrize(
    "fault", [Fault.UNAUTHORIZED, Fault.PRIMARY_LIMIT, Fault.SECONDARY_LIMIT, Fault.TOO_MANY]
)
async def test_what_did_nothing_is_asked_for_once_more(
    on: Stage, github: GitHubApp, fault: Fault
) -> None:
    pull = await opened(on)
    on.github.faults.choose = lambda _number, _method, path: (
        fault if path.endswith("/merge") and len(calls(on, "/merge")) == 1 else None
    )
    assert (await merge(on, github, pull)).kind is Kind.MERGED
    assert len(calls(on, "/merge")) == 2


async def test_a_limit_that_lasts_has_merged_nothing(on: Stage, github: GitHubApp) -> None:
    pull = await opened(on)
    on.github.faults.choose = lambda _number, _method, path: (
        Fault.TOO_MANY if path.endswith("/merge") else None
    )
    with pytest.raises(Limited):
        await merge(on, github, pull)
    assert pull.merged_at is None


async def test_a_merge_waits_for_its_turn(on: Stage, clock: Hasty) -> None:
    async def never(name: str) -> None:
        raise Limited(f"not yet: {name}")

    pull = await opened(on)
    credentials = AppCredentials(on.github.state.app_id, on.github.private_key)
    async with aiohttp.ClientSession() as session:
        github = GitHubApp(session, credentials, never, clock, on.github.url)
        with pytest.raises(Limited, match=f"not yet: installation:{on.shop.installation_id}"):
            await merge(on, github, pull)
    assert calls(on, "/merge") == []


# ── the merge queue ──────────────────────────────────────────────────────────────────────────


async def node_id(on: Stage, github: GitHubApp) -> str:
    return (await github.merge_situation(on.repository, 1)).node_id


async def test_a_pull_request_is_queued_once(on: Stage, github: GitHubApp) -> None:
    on.github.turn_on_queue(on.shop, requirements=Requirements(checks={"group": None}))
    pull = await opened(on)
    app = on.github.state.another_app("ci")
    await on.github.report_check(on.shop, pull.head_sha, "group", app=app)
    for _ in range(2):
        answer = await github.enqueue(on.repository, await node_id(on, github), pull.head_sha)
        assert answer.kind is Kind.QUEUED
    assert [it.number for it in on.shop.queues["main"]] == [1]
    assert (await github.merge_situation(on.repository, 1)).in_merge_queue


async def test_another_head_is_not_queued(on: Stage, github: GitHubApp) -> None:
    on.github.turn_on_queue(on.shop)
    await opened(on)
    answer = await github.enqueue(on.repository, await node_id(on, github), "a" * 40)
    assert answer.kind is Kind.HEAD_MOVED
    assert not on.shop.queues.get("main")


async def test_a_queue_that_refuses(on: Stage, github: GitHubApp) -> None:
    on.github.turn_on_queue(on.shop, requirements=Requirements(checks={"build": None}))
    pull = await opened(on)
    answer = await github.enqueue(on.repository, await node_id(on, github), pull.head_sha)
    said = 'Pull request Required status check "build" is expected.'
    assert answer == MergeAnswer(Kind.REFUSED, said)


async def test_there_is_nothing_to_queue(on: Stage, github: GitHubApp) -> None:
    with pytest.raises(NotFound):
        await github.enqueue(on.repository, "PR_0", "a" * 40)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.BROKEN_AFTER, Fault.BROKEN], ids=str)
async def test_a_mutation_is_never_repeated_by_itself(
    on: Stage, github: GitHubApp, fault: Fault
) -> None:
    on.github.turn_on_queue(on.shop, requirements=Requirements(checks={"group": None}))
    pull = await opened(on)
    app = on.github.state.another_app("ci")
    await on.github.report_check(on.shop, pull.head_sha, "group", app=app)
    node = await node_id(on, github)
    before = len(calls(on, "/graphql"))
    on.github.faults.choose = lambda _number, _method, path: (
        fault if path == "/graphql" and len(calls(on, "/graphql")) == before + 1 else None
    )
    with pytest.raises(TryAgain):
        await github.enqueue(on.repository, node, pull.head_sha)
    assert len(calls(on, "/graphql")) == before + 1
    assert (await github.merge_situation(on.repository, 1)).in_merge_queue == fault.lands
    assert (await github.enqueue(on.repository, node, pull.head_sha)).kind is Kind.QUEUED
