"""The GitHub adapter over the stand-in, and both held to GitHub's published contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.github.app import GitHubApp
from bot.domain.check_runs import CheckAction, CheckStatus, CheckView, Conclusion
from bot.domain.comments import CommentKind, CommentReference, Reaction
from bot.domain.problems import TryAgain
from bot.domain.repositories import Permission
from bot.domain.validations import Finding, Level
from bot.ports.github import (
    GitHubProblem,
    Image,
    InstallationGone,
    NotFound,
    Unprocessable,
)
from demo.github.faults import Fault
from demo.github.server import Exchange
from demo.github.state import now
from tests.octokit import Contract
from tests.stand_in import Stage, adapter, stage

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OF_MERGING = frozenset(
    {
        "DELETE /repos/{owner}/{name}/git/refs/heads/{branch}",
        "DELETE /repos/{owner}/{name}/issues/{number}/labels/{label}",
        "GET /repos/{owner}/{name}/branches/{branch}",
        "GET /repos/{owner}/{name}/commits/{ref}/status",
        "GET /repos/{owner}/{name}/rules/branches/{branch}",
        "POST /graphql",
        "POST /repos/{owner}/{name}/issues/{number}/labels",
        "PUT /repos/{owner}/{name}/pulls/{number}/merge",
        "PUT /repos/{owner}/{name}/pulls/{number}/update-branch",
    }
)
"""Held to the contract by tests of their own, where the adapter merges."""
PICTURE = b"\x89PNG\r\n\x1a\nand more"


class Hasty(SystemClock):
    """A clock that tells the time, and does not wait for it."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 20)


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as it:
        yield it


@pytest.fixture
async def github(on: Stage) -> AsyncIterator[GitHubApp]:
    async with adapter(on.github, Hasty()) as it:
        yield it


def view(head_sha: str, **more: object) -> CheckView:
    plain = CheckView(head_sha, "a validation's id", CheckStatus.QUEUED, "Queued", "Waiting.")
    return replace(plain, **more)  # type: ignore[arg-type]  # fields by their names


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract()


async def test_every_exchange_is_one_that_github_could_have(
    on: Stage, github: GitHubApp, contract: Contract
) -> None:
    wrong: list[str] = []
    routes: set[str] = set()

    def look_on(it: Exchange) -> None:
        routes.add(f"{it.method} {it.route}")
        if it.route.startswith("/user-attachments"):
            return  # of the site, not of the API
        wrong.extend(contract.check(it.method, it.path, it.status, it.sent, it.answered))

    on.github.look_on = look_on
    repository = on.repository
    pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    assert await github.own_login() == "codegenapp[bot]"
    assert [it.account async for it in github.installations()] == ["octo"]
    found = [it async for it in github.installation_repositories(repository.installation_id)]
    assert found == [repository]
    assert await github.repository(replace(repository, name="old")) == repository
    told = await github.pull_request(repository, 1)
    assert (told.head_sha, told.is_open, told.base_branch) == (pull.head_sha, True, "main")
    assert [it.number async for it in github.open_pull_requests(repository)] == [1]
    assert list(await github.pull_requests_of(repository, pull.head_sha)) == [1]
    assert "src/page.ts" in await github.changed_paths(repository, 1)
    change = await github.comparison(repository, told.base_sha, pull.head_sha)
    assert change.commit_messages
    assert {"src/page.ts"} <= {it.file for it in change.hunks}
    assert all(it.text.startswith("@@ ") for it in change.hunks)
    package = await github.read_file(repository, "package.json", "")
    assert package is not None
    assert b'"name"' in package.content
    assert await github.read_file(repository, "no/such.yml", "main") is None
    assert await github.permission(repository, "alice") is Permission.WRITE
    assert await github.permission(repository, "mallory") is Permission.READ
    assert await github.permission(repository, "nobody") is Permission.NONE
    made = await github.create_check_run(repository, view(pull.head_sha))
    await github.update_check_run(repository, made.id, view(pull.head_sha, title="Once more"))
    assert [it.id for it in await github.find_check_runs(repository, pull.head_sha)] == [made.id]
    asked = await on.github.comment(on.shop, 1, "/codegen help", author=on.alice)
    inline = await on.github.comment(on.shop, 1, "hm", author=on.alice, kind="inline")
    said = await github.create_comment(repository, 1, "An answer.")
    await github.update_comment(repository, said, "Another answer.")
    heard = [it async for it in github.comments(repository, 1)]
    assert [(it.author, it.body) for it in heard] == [
        ("alice", "/codegen help"),
        ("codegenapp[bot]", "Another answer."),
    ]
    later = github.comments(repository, 1, since=now() + timedelta(hours=1))
    assert [it async for it in later] == []
    for it, kind in ((asked, CommentKind.CONVERSATION), (inline, CommentKind.INLINE)):
        for _ in range(2):
            await github.react(repository, CommentReference(kind, it.id, 1, ""), Reaction.SEEN)
        assert it.reactions == [("codegenapp[bot]", "eyes")]
    await github.react(repository, CommentReference(CommentKind.REVIEW, 1, 1, ""), Reaction.SEEN)
    broken = on.github.open_issue(on.shop, author=on.mallory, title="Broken", body="The total is.")
    for issue in (broken, pull):
        of_issue = CommentReference(CommentKind.ISSUE, issue.id, issue.number, "")
        for _ in range(2):
            await github.react(repository, of_issue, Reaction.SEEN)
        assert issue.reactions == [("codegenapp[bot]", "eyes")]
        read = await github.issue(repository, issue.number)
        assert (read.title, read.body) == (issue.title, issue.body)
        assert read.is_pull_request == (issue is pull)
    on.github.state.attachments["a-picture"] = PICTURE
    picture = await github.image(f"{on.github.url}/user-attachments/assets/a-picture")
    assert picture == Image("image/png", PICTURE)
    assert await github.image(f"{on.github.url}/user-attachments/assets/another") is None
    on.github.hook_url = f"{on.github.url}/nothing"
    await on.github.tell_of(on.shop, pull, "reopened", on.alice)
    missed = [it async for it in github.deliveries(now() - timedelta(hours=1))]
    assert (missed[0].event, missed[0].delivered) == ("pull_request", False)
    await github.redeliver(missed[0].id)
    assert not wrong, "\n".join(wrong)
    served = {
        f"{route.method} {route.resource.canonical}"
        for route in on.github.routes()
        if route.resource is not None and ".git" not in route.resource.canonical
    }
    assert {it for it in served if not it.startswith("HEAD")} - routes - OF_MERGING == {
        "GET /app/hook/config",  # doctor asks
        "GET /repos/{owner}/{name}",  # by its name only where a redirect leads there
        "GET /app/installations/{id}",  # asked when minting fails
    }


async def test_annotations_go_out_in_batches_and_the_last_one_concludes(
    on: Stage, github: GitHubApp
) -> None:
    nowhere = Finding("test", "src/app.ts", None, None, Level.FAILURE, "nowhere")
    findings = (nowhere, *(replace(nowhere, line=n, column=1) for n in range(1, 121)))
    sha = await on.shop.commit("main")
    done = view(
        sha,
        status=CheckStatus.COMPLETED,
        conclusion=Conclusion.FAILURE,
        title="Failed",
        started_at=NOW,
        completed_at=NOW,
        annotations=findings,
        actions=(CheckAction("Fix it", "Send it to the agent", "fix"),),
    )
    made = await github.create_check_run(on.repository, done)
    run = on.github.state.check_runs[made.id]
    assert [it["start_line"] for it in run.annotations] == list(range(1, 121))
    assert run.history == [
        "in_progress: Failed",
        "in_progress: Failed",
        "completed/failure: Failed",
    ]
    assert run.completed_at == "2026-01-02T03:04:05Z"
    assert run.actions[0]["identifier"] == "fix"


async def test_tokens_are_kept_and_minted_again_before_their_end(on: Stage) -> None:
    class Moved(SystemClock):
        ahead = timedelta(0)

        def now(self) -> datetime:
            return super().now() + self.ahead

    clock = Moved()
    async with adapter(on.github, clock) as github:
        for _ in range(3):
            await github.repository(on.repository)
        assert len(on.github.state.tokens) == 1
        clock.ahead = timedelta(minutes=56)
        # The JWT's times are then ahead of the stand-in's clock: minting says so.
        with pytest.raises(TryAgain, match="does not take the App's key"):
            await github.repository(on.repository)


async def test_a_revoked_token_is_minted_again(on: Stage, github: GitHubApp) -> None:
    await github.repository(on.repository)
    on.github.state.tokens.clear()
    assert await github.repository(on.repository) == on.repository


async def test_a_clone_token_reads_one_repository(on: Stage, github: GitHubApp) -> None:
    token = await github.clone_token(on.repository)
    assert on.github.state.tokens[token][:2] == (on.shop.installation_id, frozenset({on.shop.id}))
    assert await github.clone_token(on.repository) == token


async def test_what_has_not_changed_costs_no_limit(on: Stage, github: GitHubApp) -> None:
    statuses: list[int] = []
    on.github.look_on = lambda it: statuses.append(it.status)
    first = await github.repository(on.repository)
    assert await github.repository(on.repository) == first
    assert statuses[-2:] == [200, 304]


async def test_installations_that_are_gone(on: Stage, github: GitHubApp) -> None:
    installation = on.github.state.installations[on.shop.installation_id]
    installation.suspended_at = now()
    with pytest.raises(InstallationGone, match="suspended"):
        await github.repository(on.repository)
    del on.github.state.installations[installation.id]
    with pytest.raises(InstallationGone, match="no longer installed"):
        await github.repository(on.repository)


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("at", [1, 2], ids=["minting", "reading"])
async def test_one_fault_is_waited_out_or_told(
    on: Stage, github: GitHubApp, fault: Fault, at: int
) -> None:
    """Passing faults are waited out where that is short; no fault is taken for another."""
    on.github.faults.choose = lambda number, _method, _path: fault if number == at else None
    on.github.faults.hang_seconds = 0.1
    refusals: dict[Fault, type[GitHubProblem]] = {
        Fault.NOT_FOUND: NotFound,
        Fault.CONFLICT: GitHubProblem,
        Fault.UNPROCESSABLE: Unprocessable,
    }
    if at == 1 and fault in (Fault.NOT_FOUND, Fault.UNAUTHORIZED):
        with pytest.raises(TryAgain):
            await github.repository(on.repository)
    elif fault in refusals:
        with pytest.raises(refusals[fault]):
            await github.repository(on.repository)
    else:
        assert await github.repository(on.repository) == on.repository


@pytest.mark.parametrize(
    "fault", [Fault.BROKEN, Fault.HANG, Fault.DROPPED, Fault.LOST_ANSWER], ids=str
)
async def test_what_creates_is_never_repeated_blindly(
    on: Stage, github: GitHubApp, fault: Fault
) -> None:
    on.github.faults.choose = lambda _number, method, path: (
        fault if path.endswith("/check-runs") and method == "POST" else None
    )
    on.github.faults.hang_seconds = 0.1
    with pytest.raises(TryAgain):
        await github.create_check_run(on.repository, view(await on.shop.commit("main")))
    assert on.github.faults.calls.count(f"POST /repos/{on.shop.full_name}/check-runs") == 1


async def test_what_is_another_installations_is_not_there(on: Stage, github: GitHubApp) -> None:
    repository = on.repository
    on.shop.installation_id += 1  # not this installation's any more
    with pytest.raises(NotFound, match=r"GET /repos/octo/shop/pulls/1: Not Found"):
        await github.pull_request(repository, 1)
