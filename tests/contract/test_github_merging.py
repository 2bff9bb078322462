"""Merging on the stand-in GitHub: real git below, GitHub's rules and words above."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demo.github.merging_state import Requirements
from demo.github.pushes import Push
from demo.github.state import PullRequestState
from tests.contract.github_calls import call, commit, held_to
from tests.contract.github_events import Webhooks, payload, told
from tests.stand_in import Stage

pytestmark = pytest.mark.slow

HEAD_MOVED = "Head branch was modified. Review and try the merge again."
BASE_MOVED = "Base branch was modified. Review and try the merge again."
NOT_MERGEABLE = "Pull Request is not mergeable"


@pytest.fixture(scope="module")
def contract() -> Webhooks:
    return Webhooks()


@pytest.fixture
async def on(tmp_path: Path, contract: Webhooks) -> AsyncIterator[Stage]:
    async with held_to(contract, tmp_path) as it:
        yield it


async def opened(on: Stage, text: str = "It.", **more: Any) -> PullRequestState:
    """A pull request of one commit more than main has."""
    await commit(on.shop, "main", text, to="change")
    return await on.github.open_pull_request(
        on.shop, "change", author=on.mallory, title="Say it", **more
    )


async def merge(on: Stage, pull: PullRequestState, **body: str) -> tuple[int, str]:
    """Status and message of the answer to a merge."""
    status, answered = await call(on, "PUT", f"pulls/{pull.number}/merge", body)
    return status, answered["message"]


async def lines(on: Stage, form: str, ref: str = "main") -> list[str]:
    said = await on.shop.git("show", "-s", f"--format={form}", f"refs/heads/{ref}")
    return said.decode().strip().splitlines()


async def test_a_merge_commit_holds_both(on: Stage) -> None:
    base, pull = await on.shop.commit("main"), await opened(on, body="Closes #2")
    issue = on.github.open_issue(on.shop, author=on.alice, title="Say it!")
    on.github.state.deliveries.clear()
    status, answered = await call(
        on, "PUT", f"pulls/{pull.number}/merge", {"sha": pull.head_sha, "merge_method": "merge"}
    )
    sha = await on.shop.commit("main")
    assert (status, answered) == (
        200,
        {"sha": sha, "merged": True, "message": "Pull Request successfully merged"},
    )
    assert await lines(on, "%P") == [f"{base} {pull.head_sha}"]
    assert await lines(on, "%B") == ["Merge pull request #1 from octo/change", "", "Say it"]
    assert await lines(on, "%an %cn") == ["codegenapp[bot] GitHub"]
    assert await on.shop.git("show", "main:said.txt") == b"It."
    _, found = await call(on, "GET", f"pulls/{pull.number}")
    assert (found["state"], found["merged"], found["merge_commit_sha"]) == ("closed", True, sha)
    assert found["merged_by"]["login"] == "codegenapp[bot]"
    assert found["merged_at"] == found["closed_at"]
    assert (found["base"]["sha"], found["mergeable"]) == (base, None)
    assert issue.state == "closed"
    deliveries = on.github.state.deliveries
    assert told(deliveries) == ["pull_request closed", "push", "issues closed"]
    closed, pushed, _ = map(payload, deliveries)
    assert closed["pull_request"]["merged"] is True
    assert (pushed["ref"], pushed["before"], pushed["after"]) == ("refs/heads/main", base, sha)
    assert [it["id"] for it in pushed["commits"]] == [pull.head_sha, sha]
    _, files = await call(on, "GET", f"pulls/{pull.number}/files")
    assert [it["filename"] for it in files] == ["said.txt"]


async def test_a_squash_is_one_commit(on: Stage) -> None:
    pull = await opened(on)
    base = await on.shop.commit("main")
    await on.github.push(on.shop, pull, await commit(on.shop, "change", "More."), sender=on.alice)
    assert await merge(on, pull, merge_method="squash") == (200, "Pull Request successfully merged")
    assert await lines(on, "%P") == [base]
    assert await lines(on, "%B") == ["Say it (#1)", "", "* Say It.", "", "* Say More."]
    assert await lines(on, "%an %cn") == ["mallory GitHub"]


async def test_a_squash_of_one_commit_has_its_words_or_those_asked_for(on: Stage) -> None:
    first = await opened(on)
    await merge(on, first, merge_method="squash")
    assert await lines(on, "%B") == ["Say It. (#1)"]
    second = await opened(on, "Else.")
    words = {"commit_title": "Titled", "commit_message": "Fixes #3"}
    issue = on.github.open_issue(on.shop, author=on.alice, title="Else?")
    await merge(on, second, merge_method="squash", **words)
    assert await lines(on, "%B") == ["Titled", "", "Fixes #3"]
    assert issue.state == "closed"


async def test_a_rebase_makes_each_commit_anew(on: Stage) -> None:
    pull = await opened(on)
    await on.github.push(on.shop, pull, await commit(on.shop, "change", "More."), sender=on.alice)
    base = await commit(on.shop, "main", "Elsewhere.", name="other.txt")
    assert (await merge(on, pull, merge_method="rebase"))[0] == 200
    said = (await on.shop.git("log", "--format=%s|%an|%cn", f"{base}..main")).decode()
    by = "alice|codegenapp[bot]"
    assert said.splitlines() == [f"Say More.|{by}", f"Say It.|{by}"]
    assert await on.shop.git("show", "main:other.txt") == b"Elsewhere."
    assert await on.shop.git("show", "main:said.txt") == b"More."


async def test_what_is_not_merged(on: Stage) -> None:
    github, shop = on.github, on.shop
    pull, before = await opened(on), await on.shop.commit("main")
    github.state.deliveries.clear()
    assert await merge(on, pull, sha=before) == (409, HEAD_MOVED)
    shop.base_moves = 1
    assert await merge(on, pull) == (405, BASE_MOVED)
    for method, named in (("merge", "Merge commits"), ("rebase", "Rebase merges")):
        github.allow_merging(shop, "squash")
        refusal = (405, f"{named} are not allowed on this repository.")
        assert await merge(on, pull, merge_method=method) == refusal
    pull.draft = True
    assert await merge(on, pull) == (405, "Pull Request is still a draft")
    pull.draft = False
    await commit(shop, "main", "Against it.")
    before = await shop.commit("main")
    assert await merge(on, pull, merge_method="squash") == (405, NOT_MERGEABLE)
    assert await shop.commit("main") == before
    assert github.state.deliveries == []
    await github.close(shop, pull, sender=on.alice)
    assert await merge(on, pull, merge_method="squash") == (405, NOT_MERGEABLE)
    assert (await call(on, "PUT", "pulls/99/merge"))[0] == 404
    assert (await call(on, "PUT", "pulls/1/merge", by=on.mallory))[0] == 403


async def test_it_is_merged_once(on: Stage) -> None:
    pull = await opened(on)
    assert (await merge(on, pull))[0] == 200
    after = await on.shop.commit("main")
    assert await merge(on, pull) == (405, NOT_MERGEABLE)
    assert await on.shop.commit("main") == after


async def test_a_person_merges_by_button_and_by_push(on: Stage) -> None:
    pull = await opened(on)
    sha = await on.github.merge(on.shop, pull, by=on.alice, method="squash")
    assert (pull.merge_commit_sha, pull.merged_by) == (sha, on.alice)
    other = await opened(on, "Else.")
    before = await on.shop.commit("main")
    await on.shop.git("update-ref", "refs/heads/main", other.head_sha)
    on.github.state.deliveries.clear()
    push = Push("refs/heads/main", before, other.head_sha)
    await on.github.pushed(on.shop, push, on.alice)
    assert told(on.github.state.deliveries) == ["push", "pull_request closed"]
    assert (other.merge_commit_sha, other.merged_by) == (other.head_sha, on.alice)


async def test_a_merged_branch_goes_where_the_settings_say_so(on: Stage) -> None:
    github, shop = on.github, on.shop
    pull = await opened(on)
    await commit(shop, "change", "On top.", to="top")
    upper = await github.open_pull_request(shop, "top", author=on.alice, base="change")
    assert (await call(on, "GET", ""))[1]["delete_branch_on_merge"] is False
    shop.delete_branch_on_merge = True
    github.state.deliveries.clear()
    assert (await merge(on, pull))[0] == 200
    with pytest.raises(LookupError):
        await shop.commit("refs/heads/change")
    assert told(github.state.deliveries) == [
        "pull_request closed",
        "push",
        "pull_request edited",
        "push",
    ]
    assert (upper.state, upper.base_branch) == ("open", "main")
    assert payload(github.state.deliveries[-1])["deleted"] is True
    github.add_ruleset(shop, Requirements(), "top")
    assert (await merge(on, upper))[0] == 200
    assert await shop.commit("refs/heads/top") == upper.head_sha


async def test_whether_it_merges_is_said_in_one_word(on: Stage) -> None:
    pull = await opened(on)

    async def said() -> tuple[bool | None, str]:
        found = (await call(on, "GET", f"pulls/{pull.number}"))[1]
        return found["mergeable"], found["mergeable_state"]

    assert await said() == (True, "clean")
    found = (await call(on, "GET", f"pulls/{pull.number}"))[1]
    parents = await on.shop.git("show", "-s", "--format=%P", found["merge_commit_sha"])
    assert parents.decode().split() == [await on.shop.commit("main"), pull.head_sha]
    listed = (await call(on, "GET", "pulls"))[1][0]
    assert (listed["mergeable"], listed["mergeable_state"]) == (None, "unknown")
    pull.draft = True
    assert await said() == (True, "draft")
    pull.draft = False
    await commit(on.shop, "main", "Elsewhere.", name="other.txt")
    on.github.protect(on.shop, "main", Requirements(strict=True))
    assert await said() == (True, "behind")
    on.github.protect(on.shop, "main", Requirements(strict=True, approvals=1))
    assert await said() == (True, "blocked")
    on.github.protect(on.shop, "main", None)
    assert await said() == (True, "clean")
    await commit(on.shop, "main", "Against it.")
    assert await said() == (False, "dirty")


async def test_after_a_push_nobody_knows_yet(on: Stage) -> None:
    on.github.state.slow_mergeability = True
    pull = await opened(on)
    at = f"pulls/{pull.number}"
    seen = [(await call(on, "GET", at))[1]["mergeable"] for _ in range(3)]
    assert seen == [None, True, True]
    await on.github.push(on.shop, pull, await commit(on.shop, "change", "More."), sender=on.alice)
    assert [(await call(on, "GET", at))[1]["mergeable"] for _ in range(2)] == [None, True]
    await commit(on.shop, "main", "Elsewhere.", name="other.txt")
    assert (await call(on, "GET", at))[1]["mergeable_state"] == "unknown"
    assert (await merge(on, pull))[0] == 200
