"""From a pull request's webhook to its check run, through the whole bot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports.sandbox import SandboxUnavailable
from demo.github.state import PullRequestState
from tests.flow.rig import Bot, bot, until
from tests.flow.scripted import nothing
from tests.stand_in import Stage, stage

pytestmark = pytest.mark.database


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path / "repository") as it:
        yield it


@pytest.fixture
async def at(on: Stage, mongodb: str, tmp_path: Path) -> AsyncIterator[Bot]:
    async with bot(on, mongodb, tmp_path) as it:
        yield it
        assert await it.dead() == []


async def opened(at: Bot, branch: str = "add-quantities", **more: object) -> PullRequestState:
    on = at.on
    return await on.github.open_pull_request(on.shop, branch, author=on.alice, **more)  # type: ignore[arg-type]  # by their names


async def commit_on(at: Bot, parent: str, name: str) -> str:
    """A new commit with its parent's tree."""
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.com")
    tree = f"{parent}^{{tree}}"
    said = await at.on.shop.git(*identity, "commit-tree", tree, "-p", parent, "-m", name)
    return said.decode().strip()


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────


async def test_a_good_one(at: Bot) -> None:
    pull = await opened(at)
    run = await at.concluded(pull.head_sha)
    assert run.history[0] == "queued: Queued"
    assert run.conclusion == "success"
    assert run.title is not None
    assert run.title.startswith("Passed: build, test, start, health")
    assert run.details_url == f"https://bot.example.com/validations/{run.external_id}"
    assert at.on.github.git.fetched == ["octo/shop"] * 2, "the head, then the base to compare with"


async def test_a_broken_one(at: Bot) -> None:
    at.boxes.broken.add(await at.on.shop.commit("typo-in-total"))
    pull = await opened(at, "typo-in-total")
    run = await at.concluded(pull.head_sha)
    assert (run.conclusion, run.title) == (
        "failure",
        "Failed: build failed: npm run build exited with 2",
    )
    (annotation,) = run.annotations
    assert (annotation["path"], annotation["start_line"]) == ("src/list.ts", 35)
    assert "TS2551" in (run.summary or "")
    assert "### Assumed" in (run.text or "")


# ── twice, and out of order ──────────────────────────────────────────────────────────────────


async def test_everything_twice(at: Bot) -> None:
    pull = await opened(at)
    github = at.on.github
    await asyncio.gather(*(github.redeliver(it.id) for it in list(github.state.deliveries)))
    await at.concluded(pull.head_sha)
    for delivery in list(github.state.deliveries):
        await github.redeliver(delivery.id)
    # Another delivery that tells the same.
    await github.tell_of(at.on.shop, pull, "opened", at.on.alice)
    await at.idle()
    assert len(at.runs(pull.head_sha)) == 1
    assert at.boxes.ran == [pull.head_sha]
    assert {it.status_code for it in github.state.deliveries} == {202}


async def test_out_of_order(at: Bot) -> None:
    """An old event that arrives late changes nothing: what is true is fetched."""
    on = at.on
    pull = await opened(at, silent=True)
    first = pull.head_sha
    second = await commit_on(at, first, "second")
    await on.github.push(on.shop, pull, second, sender=on.alice)  # before "opened"
    await at.concluded(second)
    late = {"number": 1, "action": "opened"}
    await on.github.send("pull_request", late, on.shop, on.alice)
    await at.idle()
    assert [len(at.runs(sha)) for sha in (first, second)] == [0, 1]
    assert at.boxes.ran == [second]


async def test_a_push_is_heard_of_by_its_own_event_too(at: Bot) -> None:
    """The pull request's own event is lost."""
    on = at.on
    pull = await opened(at, silent=True)
    payload = {"ref": f"refs/heads/{pull.head_branch}", "after": pull.head_sha}
    await on.github.send("push", payload, on.shop, on.alice)
    assert (await at.concluded(pull.head_sha)).conclusion == "success"


# ── pushes, closing, drafts ──────────────────────────────────────────────────────────────────


async def test_a_push_cancels_what_is_older(at: Bot) -> None:
    release = asyncio.Event()
    at.boxes.during = release.wait  # type: ignore[assignment]  # says True, which nobody reads
    pull = await opened(at)
    first = pull.head_sha
    await until(lambda: at.boxes.running == 1)
    second = await commit_on(at, first, "second")
    await at.on.github.push(at.on.shop, pull, second, sender=at.on.alice)
    old = await at.concluded(first)
    assert (old.conclusion, old.title) == (
        "cancelled",
        f"Cancelled: a newer commit was pushed: {second[:12]}",
    )
    release.set()
    assert (await at.concluded(second)).conclusion == "success"
    await at.idle()
    assert at.runs(first)[0].history[-1].startswith("completed/cancelled")
    assert at.boxes.running == 0


async def test_ten_pushes_at_once(at: Bot) -> None:
    at.boxes.during = lambda: asyncio.sleep(0.3)  # noqa: TID251  it takes a while
    pull = await opened(at)
    shas = [pull.head_sha]
    for n in range(10):
        shas.append(await commit_on(at, shas[-1], f"push {n}"))
        await at.on.github.push(at.on.shop, pull, shas[-1], sender=at.on.alice)
    run = await at.concluded(shas[-1])
    await at.idle()
    assert run.conclusion == "success"
    assert at.boxes.most_running == 1
    for sha in shas[:-1]:
        assert {run.conclusion for run in at.runs(sha)} <= {"cancelled"}
        assert len(at.runs(sha)) <= 1


async def test_closing_cancels_and_reopening_validates_again(at: Bot) -> None:
    release = asyncio.Event()
    at.boxes.during = release.wait  # type: ignore[assignment]  # as above
    pull = await opened(at)
    await until(lambda: at.boxes.running == 1)
    await at.on.github.close(at.on.shop, pull, sender=at.on.alice)
    run = await at.concluded(pull.head_sha)
    assert (run.conclusion, run.title) == ("cancelled", "Cancelled: the pull request was closed")
    release.set()
    pull.state = "open"
    await at.on.github.tell_of(at.on.shop, pull, "reopened", at.on.alice)
    again = await at.concluded(pull.head_sha, count=2)
    assert (again.conclusion, again.id != run.id) == ("success", True)


async def test_drafts_wait(at: Bot) -> None:
    pull = await opened(at, draft=True)
    run = await at.concluded(pull.head_sha)
    assert (run.conclusion, run.title) == (
        "neutral",
        "Not run: a draft waits until it is ready for review (`run_on.drafts: false`)",
    )
    assert at.boxes.ran == []
    pull.draft = False
    await at.on.github.tell_of(at.on.shop, pull, "ready_for_review", at.on.alice)
    assert (await at.concluded(pull.head_sha, count=2)).conclusion == "success"


async def test_two_pull_requests_of_one_commit_share_its_check(at: Bot) -> None:
    release = asyncio.Event()
    at.boxes.during = release.wait  # type: ignore[assignment]  # as above
    one, two = await asyncio.gather(opened(at), opened(at))
    await until(lambda: at.boxes.running == 1)
    await at.idle_inbox()
    await at.on.github.close(at.on.shop, one, sender=at.on.alice)
    await at.idle_inbox()
    release.set()
    assert (await at.concluded(two.head_sha)).conclusion == "success"
    await at.idle()
    assert len(at.runs(one.head_sha)) == 1
    assert at.boxes.ran == [one.head_sha]


# ── asked again ──────────────────────────────────────────────────────────────────────────────


async def test_a_rerun_is_another_check_run(at: Bot) -> None:
    pull = await opened(at)
    first = await at.concluded(pull.head_sha)
    await at.on.github.ask_again(at.on.shop, first, sender=at.on.alice)
    second = await at.concluded(pull.head_sha, count=2)
    assert (first.conclusion, second.conclusion) == ("success", "success")
    assert at.boxes.ran == [pull.head_sha] * 2


async def test_a_rerun_of_an_old_commit_does_nothing(at: Bot) -> None:
    pull = await opened(at)
    first = await at.concluded(pull.head_sha)
    old = pull.head_sha
    new = await commit_on(at, old, "new")
    await at.on.github.push(at.on.shop, pull, new, sender=at.on.alice)
    await at.concluded(new)
    await at.on.github.ask_again(at.on.shop, first, sender=at.on.alice)
    await at.idle()
    assert len(at.runs(old)) == 1


async def test_who_may_not_write_asks_in_vain(at: Bot) -> None:
    pull = await opened(at)
    run = await at.concluded(pull.head_sha)
    await at.on.github.ask_again(at.on.shop, run, sender=at.on.mallory)
    await at.idle()
    assert len(at.runs(pull.head_sha)) == 1


# ── forks ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def fork(on: Stage) -> object:
    installation = on.github.install("mallory")
    return on.github.add_repository(installation, "shop", on.shop.folder)


async def test_a_strangers_fork_waits_for_trust(at: Bot, fork: object) -> None:
    on = at.on
    pull = await on.github.open_pull_request(
        on.shop,
        "add-quantities",
        author=on.mallory,
        fork=fork,  # type: ignore[arg-type]  # a RepositoryState
    )
    run = await at.concluded(pull.head_sha)
    assert run.conclusion == "action_required"
    assert (run.title or "").startswith("Waits for trust: it comes from a fork")
    assert [it["identifier"] for it in run.actions] == ["trust"]
    assert at.boxes.ran == []
    await on.github.ask_again(on.shop, run, sender=on.mallory)
    await at.idle()
    assert at.boxes.ran == [], "nobody trusts themselves"
    await on.github.ask_again(on.shop, run, sender=on.alice)
    trusted = await at.concluded(pull.head_sha, count=2)
    assert trusted.conclusion == "success"
    assert (at.boxes.trusted, at.boxes.secrets) == ([False], [{}])
    # A new push asks again.
    new = await commit_on(at, pull.head_sha, "new")
    await on.github.push(on.shop, pull, new, sender=on.mallory)
    assert (await at.concluded(new)).conclusion == "action_required"


async def test_the_button_trusts_too(at: Bot, fork: object) -> None:
    on = at.on
    pull = await on.github.open_pull_request(
        on.shop,
        "add-quantities",
        author=on.mallory,
        fork=fork,  # type: ignore[arg-type]  # as above
    )
    run = await at.concluded(pull.head_sha)
    await on.github.press(on.shop, run, "trust", sender=on.alice)
    assert (await at.concluded(pull.head_sha, count=2)).conclusion == "success"


async def test_a_fork_of_who_may_write_runs_at_once(at: Bot, fork: object) -> None:
    on = at.on
    pull = await on.github.open_pull_request(
        on.shop,
        "add-quantities",
        author=on.alice,
        fork=fork,  # type: ignore[arg-type]  # as above
    )
    assert (await at.concluded(pull.head_sha)).conclusion == "success"
    assert at.boxes.trusted == [False], "it may run, and sees no secret all the same"


# ── merge queues, installations, repositories ────────────────────────────────────────────────


async def test_a_merge_group_has_the_same_check(at: Bot) -> None:
    on = at.on
    head = await on.shop.commit("add-quantities")
    ref = "refs/heads/gh-readonly-queue/main/pr-1"
    await on.shop.git("update-ref", ref, head)
    group = {
        "head_sha": head,
        "head_ref": ref,
        "base_sha": await on.shop.commit("main"),
        "base_ref": "refs/heads/main",
    }
    release = asyncio.Event()
    at.boxes.during = release.wait  # type: ignore[assignment]  # as above
    payload = {"action": "checks_requested", "merge_group": group}
    await on.github.send("merge_group", payload, on.shop, on.alice)
    await until(lambda: at.boxes.running == 1)
    gone = {"action": "destroyed", "reason": "dequeued", "merge_group": group}
    await on.github.send("merge_group", gone, on.shop, on.alice)
    assert (await at.concluded(head)).conclusion == "cancelled"
    release.set()
    await on.github.send("merge_group", payload, on.shop, on.alice)
    await at.idle()
    assert [run.conclusion for run in at.runs(head)][-1] == "success"


async def test_projects_follow_their_repositories(at: Bot) -> None:
    on = at.on
    known = await at.known_project()
    assert (known.name, known.status) == ("octo/shop", "active")
    on.shop.name = "store"
    payload = {"action": "renamed", "changes": {"repository": {"name": {"from": "shop"}}}}
    await on.github.send("repository", payload, on.shop, on.alice)
    await at.idle()
    moved = await at.it.projects.of_repository(on.shop.id)
    assert moved is not None
    assert (moved.id, moved.name) == (known.id, "octo/store")
    pull = await opened(at)
    assert (await at.concluded(pull.head_sha)).conclusion == "success"


async def test_an_uninstalled_app_ends_quietly(at: Bot) -> None:
    on = at.on
    release = asyncio.Event()
    at.boxes.during = release.wait  # type: ignore[assignment]  # as above
    await opened(at)
    await until(lambda: at.boxes.running == 1)
    installation = on.github.state.installations.pop(on.shop.installation_id)
    on.github.state.tokens.clear()
    payload = {
        "action": "deleted",
        "installation": {"id": installation.id, "account": {"login": "octo"}},
    }
    await on.github.send("installation", payload, None, on.alice)
    await until(lambda: at.boxes.running == 0)
    await at.idle()
    project = await at.it.projects.of_repository(on.shop.id)
    assert project is not None
    assert (project.status, project.reason) == ("removed", "the App was uninstalled")


# ── the machine's own faults ─────────────────────────────────────────────────────────────────


async def test_a_fault_of_the_machine_is_tried_again(at: Bot) -> None:
    faults = iter([True, True])

    async def opening() -> None:
        if next(faults, False):
            raise SandboxUnavailable("the engine does not answer")

    at.boxes.opening = opening
    pull = await opened(at)
    run = await at.concluded(pull.head_sha)
    assert run.conclusion == "success"
    assert "in_progress: Trying again (try 3)" in run.history
    assert len(at.runs(pull.head_sha)) == 1


async def test_a_fault_that_stays_is_never_told_as_the_authors(at: Bot) -> None:
    async def opening() -> None:
        raise SandboxUnavailable("the engine does not answer")

    at.boxes.opening = opening
    pull = await opened(at)
    run = await at.concluded(pull.head_sha)
    assert run.conclusion == "action_required"
    assert (run.title or "").startswith("Could not run: ")
    assert "not the change" in (run.text or "")
    # Re-run, once the machine is mended.
    at.boxes.opening = nothing
    await at.on.github.ask_again(at.on.shop, run, sender=at.on.alice)
    assert (await at.concluded(pull.head_sha, count=2)).conclusion == "success"


async def test_a_change_of_the_configuration_is_told_and_does_not_count(at: Bot) -> None:
    on = at.on
    text = b"deployment: {bild_command: make}\n"
    blob = (await on.shop.git("hash-object", "-w", "--stdin", sent=text)).decode().strip()
    below = f"100644 blob {blob}\tcodegenapp.yml\n".encode()
    folder = (await on.shop.git("mktree", sent=below)).decode().strip()
    listed = (await on.shop.git("ls-tree", "main")).decode().splitlines()
    kept = [line for line in listed if not line.endswith("\t.github")]
    whole = "\n".join([*kept, f"040000 tree {folder}\t.github", ""]).encode()
    made = (await on.shop.git("mktree", sent=whole)).decode().strip()
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.com")
    said = await on.shop.git(*identity, "commit-tree", made, "-p", "main", "-m", "configure")
    await on.shop.git("update-ref", "refs/heads/configure", said.decode().strip())
    pull = await opened(at, "configure")
    run = await at.concluded(pull.head_sha)
    assert run.conclusion == "success", "the default branch's configuration decides"
    assert "counts once it is on the default branch. It has 1 fault." in (run.text or "")
    assert "bild_command" in (run.text or "")
