"""Pushes to the stand-in GitHub by real git: who may, what moves, what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from demo.codegen.checkout import Change, Checkout, checkout
from demo.git_command import GitFailed, run_git
from demo.github import access
from demo.github.pushes import ZEROS
from demo.github.state import RepositoryState, User
from tests.contract.github_events import Webhooks, payload, told
from tests.stand_in import Stage, stage

pytestmark = pytest.mark.slow

CHANGE = Change("Say it", files={"said.txt": "It.\n"})


@pytest.fixture(scope="module")
def contract() -> Webhooks:
    return Webhooks()


@pytest.fixture
async def on(tmp_path: Path, contract: Webhooks) -> AsyncIterator[Stage]:
    """A stand-in whose every delivery is held to the contract."""
    async with stage(tmp_path / "shop") as it:
        yield it
        wrong = contract.faults(it.github.state.deliveries)
    assert not wrong, "\n".join(wrong)


def url_of(on: Stage, repository: RepositoryState) -> str:
    return f"{on.github.url}/{repository.full_name}.git"


async def push(
    on: Stage,
    branch: str,
    *,
    by: User,
    change: Change = CHANGE,
    to: RepositoryState | None = None,
) -> str:
    """Clone, commit onto a branch, push; the commit."""
    repository = to or on.shop
    token = on.github.token_for(by)
    async with checkout(url_of(on, repository), token, by.login) as clone:
        return await commit_and_push(clone, branch, change)


async def commit_and_push(clone: Checkout, branch: str, change: Change = CHANGE) -> str:
    await clone.start(branch, "main")
    await clone.edit(change)
    sha = await clone.commit(change)
    await clone.push(branch)
    return sha


async def test_a_push_moves_the_heads_of_its_pull_requests(on: Stage) -> None:
    github, shop = on.github, on.shop
    one = await github.open_pull_request(shop, "add-quantities", author=on.alice)
    two = await github.open_pull_request(
        shop, "add-quantities", author=on.alice, base="typo-in-total"
    )
    other = await github.open_pull_request(shop, "typo-in-total", author=on.alice)
    closed = await github.open_pull_request(shop, "add-quantities", author=on.alice)
    await github.close(shop, closed, sender=on.alice)
    before = one.head_sha
    github.state.deliveries.clear()
    after = await push(on, "add-quantities", by=on.alice)
    assert [it.head_sha == after for it in (one, two, other, closed)] == [True, True, False, False]
    assert await shop.commit("add-quantities") == after
    for number in (one.number, two.number):
        assert await shop.commit(f"refs/pull/{number}/head") == after
    deliveries = github.state.deliveries
    assert told(deliveries) == ["push", "pull_request synchronize", "pull_request synchronize"]
    pushed = payload(deliveries[0])
    assert (pushed["ref"], pushed["before"], pushed["after"]) == (
        "refs/heads/add-quantities",
        before,
        after,
    )
    assert [pushed[it] for it in ("created", "deleted", "forced")] == [False, False, False]
    assert [(it["id"], it["message"]) for it in pushed["commits"]] == [(after, "Say it")]
    assert pushed["sender"]["login"] == pushed["pusher"]["name"] == "alice"
    for it, number in zip(deliveries[1:], (one.number, two.number), strict=True):
        sent = payload(it)
        assert (sent["number"], sent["before"], sent["after"]) == (number, before, after)
        assert sent["pull_request"]["head"]["sha"] == after


async def test_a_branch_is_made_forced_and_removed(on: Stage) -> None:
    github = on.github
    token = github.token_for(on.alice)
    async with checkout(url_of(on, on.shop), token, "alice") as clone:
        first = await commit_and_push(clone, "new")
        pull = await github.open_pull_request(on.shop, "new", author=on.alice)
        await clone.git("commit", "--amend", "--message=Say it again")
        await clone.git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/new")
        forced = await clone.git("rev-parse", "HEAD")
        await clone.git("push", "--quiet", "origin", ":refs/heads/new")
        await clone.git("push", "--quiet", "origin", "HEAD:refs/tags/v1")
    assert told(github.state.deliveries) == [
        "push",
        "pull_request opened",
        "push",
        "pull_request synchronize",
        "push",
        "pull_request closed",
        "push",
    ]
    pushes = [payload(it) for it in github.state.deliveries if it.event == "push"]
    assert [(it["before"], it["after"]) for it in pushes] == [
        (ZEROS, first),
        (first, forced),
        (forced, ZEROS),
        (ZEROS, forced),
    ]
    assert [(it["created"], it["deleted"], it["forced"]) for it in pushes] == [
        (True, False, False),
        (False, False, True),
        (False, True, False),
        (True, False, False),
    ]
    assert [it["ref"] for it in pushes][2:] == ["refs/heads/new", "refs/tags/v1"]
    assert (pull.state, pull.head_sha) == ("closed", forced)
    assert pushes[2]["head_commit"] is None


async def test_who_may_not_push(on: Stage) -> None:
    before = await on.shop.git("for-each-ref")
    with pytest.raises(GitFailed, match="403"):
        await push(on, "new", by=on.mallory)
    installation = access.mint(on.github.state, on.shop.installation_id, None)["token"]
    for token, status in (
        ("", 401),
        ("gho_of_nobody", 401),
        (on.github.token_for(on.mallory), 403),
        (installation, 403),
        (on.github.token_for(on.alice), 200),
    ):
        assert await asked_to_push(on, token) == [status, status]
    assert await on.shop.git("for-each-ref") == before
    assert on.github.state.deliveries == []


async def asked_to_push(on: Stage, token: str) -> list[int]:
    """The statuses of both calls that a push makes; nothing is pushed."""
    login = aiohttp.encode_basic_auth("x-access-token", token)
    headers = {"Authorization": login} if token else {}
    at = url_of(on, on.shop)
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(f"{at}/info/refs?service=git-receive-pack") as listed:
            pass
        async with session.post(f"{at}/git-receive-pack", data=b"0000") as pushed:
            pass
    return [listed.status, pushed.status]


@pytest.mark.parametrize("role", ["write", "maintain", "admin"])
async def test_who_may_push(on: Stage, role: str) -> None:
    on.shop.permissions["mallory"] = role
    sha = await push(on, "new", by=on.mallory)
    assert await on.shop.commit("new") == sha


@pytest.mark.parametrize(
    ("ref", "complaint"),
    [
        pytest.param("refs/heads/main", "denyCurrentBranch", id="the branch that is checked out"),
        pytest.param("refs/pull/1/head", "hidden ref", id="a pull request's own"),
    ],
)
async def test_what_git_refuses_moves_nothing(on: Stage, ref: str, complaint: str) -> None:
    pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    on.github.state.deliveries.clear()
    token = on.github.token_for(on.alice)
    async with checkout(url_of(on, on.shop), token, "alice") as clone:
        await clone.edit(CHANGE)
        sha = await clone.commit(CHANGE)
        with pytest.raises(GitFailed, match=complaint):
            await clone.git("push", "origin", f"HEAD:{ref}")
    assert sha not in (await on.shop.git("for-each-ref")).decode()
    assert pull.head_sha == await on.shop.commit("add-quantities")
    assert on.github.state.deliveries == []


async def test_pushes_side_by_side_are_told_once_each(on: Stage) -> None:
    names = [f"new-{n}" for n in range(4)]
    shas = await asyncio.gather(
        *(push(on, it, by=on.alice, change=Change("Say", files={it: it})) for it in names)
    )
    pushed = {it["ref"]: it["after"] for it in map(payload, on.github.state.deliveries)}
    assert len(on.github.state.deliveries) == len(names)
    assert pushed == {f"refs/heads/{it}": sha for it, sha in zip(names, shas, strict=True)}


async def test_a_push_that_is_large(on: Stage) -> None:
    """Over a megabyte git asks first whether it may, and then sends in parts."""
    noise = "".join(f"{n * n * n:x}{n * 7919:x}\n" for n in range(200_000))
    sha = await push(on, "new", by=on.alice, change=Change("Much", files={"noise.txt": noise}))
    assert await on.shop.commit("new") == sha
    assert told(on.github.state.deliveries) == ["push"]


async def test_a_private_repository_is_cloned_by_who_may_read_it(on: Stage) -> None:
    on.shop.private = True
    with pytest.raises(GitFailed, match=r"Authentication failed|could not read"):
        await push(on, "new", by=on.mallory)
    on.shop.permissions["mallory"] = "read"
    with pytest.raises(GitFailed, match="403"):
        await push(on, "new", by=on.mallory)
    assert await push(on, "new", by=on.alice) == await on.shop.commit("new")


async def test_a_push_to_a_fork_moves_the_head_in_the_base(on: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "fork.git"
    await run_git(tmp_path, "clone", "--quiet", "--bare", str(on.shop.folder), str(folder))
    fork = on.github.add_repository(on.github.install("mallory"), "shop", folder)
    fork.permissions["mallory"] = "admin"
    theirs = await on.github.open_pull_request(
        on.shop, "add-quantities", author=on.mallory, fork=fork
    )
    ours = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    on.github.state.deliveries.clear()
    sha = await push(on, "add-quantities", by=on.mallory, to=fork)
    assert theirs.head_sha == await on.shop.commit(f"refs/pull/{theirs.number}/head") == sha
    assert ours.head_sha == await on.shop.commit("add-quantities") != sha
    first, second = on.github.state.deliveries
    assert (first.event, first.repository_id) == ("push", fork.id)
    assert (second.action, second.repository_id) == ("synchronize", on.shop.id)
