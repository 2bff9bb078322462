"""Branches of the stand-in GitHub: what is told of them, brought up to date, removed; labels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.git_command import run_git
from demo.github.merging_state import Requirements
from tests.contract.github_calls import call, commit, held_to
from tests.contract.github_events import Webhooks, payload, told
from tests.stand_in import Stage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contract() -> Webhooks:
    return Webhooks()


@pytest.fixture
async def on(tmp_path: Path, contract: Webhooks) -> AsyncIterator[Stage]:
    async with held_to(contract, tmp_path / "shop") as it:
        yield it


async def test_a_branch_that_nobody_protects(on: Stage) -> None:
    status, found = await call(on, "GET", "branches/add-quantities")
    assert (status, found["name"], found["protected"]) == (200, "add-quantities", False)
    assert found["commit"]["sha"] == await on.shop.commit("add-quantities")
    assert found["protection"]["enabled"] is False
    assert (await call(on, "GET", "branches/none"))[0] == 404
    assert await call(on, "GET", "rules/branches/none") == (200, [])


async def test_a_protected_branch_tells_its_checks(on: Stage) -> None:
    ci = on.github.state.another_app("ci")
    on.github.protect(on.shop, "main", Requirements(checks={"build": ci.id, "lint": None}))
    found = (await call(on, "GET", "branches/main"))[1]
    assert found["protected"] is True
    assert found["protection"] == {
        "enabled": True,
        "required_status_checks": {
            "enforcement_level": "non_admins",
            "contexts": ["build", "lint"],
            "checks": [{"context": "build", "app_id": ci.id}, {"context": "lint", "app_id": None}],
        },
    }
    assert await call(on, "GET", "rules/branches/main") == (200, [])


async def test_rulesets_are_told_rule_by_rule(on: Stage) -> None:
    rules = Requirements(
        checks={"build": 7, "lint": None},
        strict=True,
        approvals=2,
        dismiss_stale=True,
        conversations=True,
        linear=True,
        queue=True,
        methods=("squash",),
    )
    made = on.github.add_ruleset(on.shop, rules, "main", "release/*")
    other = on.github.add_ruleset(on.shop, Requirements(deletable=True, linear=True), "~ALL")
    status, found = await call(on, "GET", "rules/branches/release/1.0")
    assert status == 200
    assert [(it["type"], it["ruleset_id"]) for it in found] == [
        ("deletion", made.id),
        ("required_linear_history", made.id),
        ("pull_request", made.id),
        ("required_status_checks", made.id),
        ("merge_queue", made.id),
        ("required_linear_history", other.id),
    ]
    reviews, checks = found[2]["parameters"], found[3]["parameters"]
    assert reviews["required_approving_review_count"] == 2
    assert reviews["required_review_thread_resolution"] is True
    assert reviews["allowed_merge_methods"] == ["squash"]
    assert checks["strict_required_status_checks_policy"] is True
    assert checks["required_status_checks"] == [
        {"context": "build", "integration_id": 7},
        {"context": "lint"},
    ]
    assert (await call(on, "GET", "branches/main"))[1]["protected"] is True
    on.github.remove_ruleset(on.shop, other)
    assert await call(on, "GET", "rules/branches/change") == (200, [])


async def test_a_branch_is_brought_up_to_date(on: Stage) -> None:
    await commit(on.shop, "main", "It.", to="change")
    pull = await on.github.open_pull_request(on.shop, "change", author=on.mallory)
    at, before = f"pulls/{pull.number}/update-branch", pull.head_sha
    refused = [
        (await call(on, "PUT", at, {"expected_head_sha": sha}))[1]["message"]
        for sha in ("0" * 40, before)
    ]
    assert refused == [
        "expected head sha didn’t match current head ref.",
        "There are no new commits on the base branch.",
    ]
    base = await commit(on.shop, "main", "Elsewhere.", name="other.txt")
    on.github.state.deliveries.clear()
    status, answered = await call(on, "PUT", at, {"expected_head_sha": before})
    assert (status, answered["message"]) == (202, "Updating pull request branch.")
    after = await on.shop.commit("refs/heads/change")
    assert pull.head_sha == after == await on.shop.commit(pull.head_ref)
    said = await on.shop.git("show", "-s", "--format=%P|%s", after)
    assert said.decode().strip() == f"{before} {base}|Merge branch 'main' into change"
    assert told(on.github.state.deliveries) == ["push", "pull_request synchronize"]
    moved = payload(on.github.state.deliveries[1])
    assert (moved["before"], moved["after"]) == (before, after)
    await commit(on.shop, "main", "Against it.")
    status, answered = await call(on, "PUT", at)
    assert (status, answered["message"]) == (422, "merge conflict between base and head")
    assert (await call(on, "PUT", at, by=on.mallory))[0] == 403


async def test_a_forks_branch_is_brought_up_to_date_where_that_is_allowed(
    on: Stage, tmp_path: Path
) -> None:
    folder = tmp_path / "fork.git"
    await run_git(tmp_path, "clone", "--quiet", "--bare", str(on.shop.folder), str(folder))
    fork = on.github.add_repository(on.github.install("mallory"), "shop", folder)
    pull = await on.github.open_pull_request(
        on.shop, "add-quantities", author=on.mallory, fork=fork
    )
    base = await commit(on.shop, "main", "Elsewhere.", name="other.txt")
    at = f"pulls/{pull.number}/update-branch"
    assert (await call(on, "PUT", at))[0] == 403
    pull.maintainer_can_modify = True
    assert (await call(on, "GET", f"pulls/{pull.number}"))[1]["maintainer_can_modify"] is True
    assert (await call(on, "PUT", at))[0] == 202
    assert await fork.commit("refs/heads/add-quantities") == pull.head_sha
    assert await on.shop.commit("refs/heads/add-quantities") != pull.head_sha
    assert base in (await fork.git("rev-list", "add-quantities")).decode()


async def test_a_branch_is_removed(on: Stage) -> None:
    github, shop = on.github, on.shop
    await commit(shop, "main", "It.", to="feature/change")
    await commit(shop, "feature/change", "More.", to="top")
    head = await github.open_pull_request(shop, "feature/change", author=on.alice)
    upper = await github.open_pull_request(shop, "top", author=on.alice, base="feature/change")
    before = await shop.commit("feature/change")
    github.state.deliveries.clear()
    at = "git/refs/heads/feature/change"
    assert (await call(on, "DELETE", at, by=on.mallory))[0] == 403
    assert await call(on, "DELETE", at) == (204, None)
    assert told(github.state.deliveries) == [
        "push",
        "pull_request closed",
        "pull_request closed",
    ]
    pushed = payload(github.state.deliveries[0])
    assert (pushed["deleted"], pushed["before"]) == (True, before)
    assert [(it.state, it.merged_at) for it in (head, upper)] == [("closed", None)] * 2
    assert (await call(on, "GET", f"pulls/{upper.number}"))[1]["base"]["sha"] == before
    status, answered = await call(on, "DELETE", at)
    assert (status, answered["message"]) == (422, "Reference does not exist")


async def test_what_is_protected_is_not_removed(on: Stage) -> None:
    on.github.protect(on.shop, "add-quantities", Requirements())
    on.github.add_ruleset(on.shop, Requirements(), "typo-*")
    for branch in ("main", "add-quantities", "typo-in-total"):
        status, answered = await call(on, "DELETE", f"git/refs/heads/{branch}")
        assert (status, "Cannot delete" in answered["message"]) == (422, True)
        assert await on.shop.commit(f"refs/heads/{branch}")
    on.github.protect(on.shop, "add-quantities", Requirements(deletable=True))
    assert (await call(on, "DELETE", "git/refs/heads/add-quantities"))[0] == 204


@pytest.mark.parametrize("kind", ["issues", "pull_request"])
async def test_labels_come_and_go(on: Stage, kind: str) -> None:
    if kind == "issues":
        number = on.github.open_issue(on.shop, author=on.alice, title="Broken").number
    else:
        pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
        number = pull.number
    on.github.state.deliveries.clear()
    at = f"issues/{number}/labels"
    status, found = await call(on, "POST", at, {"labels": ["ready: yes", "new"]})
    assert (status, [it["name"] for it in found]) == (200, ["ready: yes", "new"])
    assert (await call(on, "POST", at, {"labels": ["new"]}))[0] == 200
    status, found = await call(on, "DELETE", f"{at}/ready: yes", by=on.alice)
    assert (status, [it["name"] for it in found]) == (200, ["new"])
    status, answered = await call(on, "DELETE", f"{at}/ready: yes")
    assert (status, answered["message"]) == (404, "Label does not exist")
    assert (await call(on, "POST", at, {"labels": ["mine"]}, by=on.mallory))[0] == 403
    shown = (await call(on, "GET", f"issues/{number}"))[1]
    assert [it["name"] for it in shown["labels"]] == ["new"]
    deliveries = on.github.state.deliveries
    assert told(deliveries) == [f"{kind} labeled", f"{kind} labeled", f"{kind} unlabeled"]
    assert payload(deliveries[2])["label"]["name"] == "ready: yes"
    assert payload(deliveries[2])["sender"]["login"] == "alice"
    assert (await call(on, "POST", "issues/99/labels", {"labels": ["new"]}))[0] == 404
