"""The scripted agent at real work: from an issue to the pull request that it opens, or does not."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ports.coding_agent import RunOrder
from demo.codegen.agent import Act, ScriptedAgent, by_prompt, existing_branch, in_order, when
from demo.codegen.checkout import Change
from demo.codegen.server import AgentRunState
from demo.git_command import run_git
from demo.github.state import PullRequestState
from tests.contract.github_events import payload, told
from tests.stand_in import Stage, agent_at, coding_agent, stage

pytestmark = pytest.mark.slow

QUANTITIES = Change("Say how many of each", patch="add-quantities", body="Refs #1")
NOTES = Change("Write notes", files={"docs/notes.md": "Notes.\n", "README.md": None})
MARKER = f"PLAN {uuid.UUID(int=7)}"


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Stage]:
    """The sample in a bare repository."""
    async with stage(tmp_path / "sample") as made:
        folder = tmp_path / "shop.git"
        words = ("clone", "--quiet", "--bare", str(made.shop.folder), str(folder))
        await run_git(tmp_path, *words)
        made.shop.folder = folder
        yield made


@pytest.fixture
async def agent(on: Stage) -> AsyncIterator[ScriptedAgent]:
    async with coding_agent(on) as it:
        yield it


async def asked(agent: ScriptedAgent, *prompts: str) -> AgentRunState:
    """A run that was sent these prompts, one after another, through the API's own routes."""
    number = agent.codegen.repositories[0]["id"]
    async with agent_at(agent.codegen) as api:
        run_id = 0
        for prompt in prompts:
            if run_id:
                await api.resume(run_id, prompt)
            else:
                run_id = (await api.create(order(prompt, number))).id
            await agent.codegen.settled()
        return agent.codegen.runs[run_id]


def order(prompt: str, repository_id: int) -> RunOrder:
    return RunOrder("an id of ours", prompt, repository_id)


def thoughts(run: AgentRunState) -> list[tuple[str, str | None]]:
    return [(it["message_type"], it["thought"]) for it in run.logs]


async def test_an_issue_becomes_a_pull_request(on: Stage, agent: ScriptedAgent) -> None:
    issue = await on.github.report_issue(on.shop, author=on.alice, title="How many?")
    agent.choose = by_prompt(agent.opens(QUANTITIES))
    run = await asked(agent, f"Mend #{issue.number}")
    (pull,) = on.shop.pull_requests.values()
    branch = f"codegen/{run.id}-say-how-many-of-each"
    assert (pull.title, pull.body, pull.base_branch) == ("Say how many of each", "Refs #1", "main")
    assert (pull.author, pull.head_branch) == (agent.account, branch)
    assert pull.head_sha == await on.shop.commit(branch)
    assert set(on.github.git.fetched) == {"octo/shop"}
    form = "--format=%an|%ae|%cn|%cI|%s|%P"
    said = (await on.shop.git("show", "--no-patch", form, branch)).decode().strip()
    login, email = "codegen-sh[bot]", "codegen-sh@example.com"
    base = await on.shop.commit("main")
    assert said == (
        f"{login}|{email}|{login}|2026-01-06T09:00:00+00:00|Say how many of each|{base}"
    )
    same = await on.shop.git("diff", "--name-only", "add-quantities", branch)
    assert same == b"", "it is the sample's own change"
    assert told(on.github.state.deliveries) == ["issues opened", "push", "pull_request opened"]
    opened = payload(on.github.state.deliveries[2])["pull_request"]
    assert (run.status, run.summary) == ("COMPLETE", "Say how many of each")
    assert run.pull_requests == [
        {
            "id": pull.id,
            "created_at": opened["created_at"],
            "title": pull.title,
            "url": opened["html_url"],
            "head_branch_name": branch,
        }
    ]
    async with agent_at(agent.codegen) as api:
        seen = await api.get(run.id)
    assert [(it.number, it.full_name) for it in seen.pull_requests] == [(pull.number, "octo/shop")]
    kinds = [kind for kind, _ in thoughts(run)]
    assert kinds[-2:] == ["INITIAL_PR_GENERATION", "FINAL_ANSWER"]
    assert ("ACTION", "Editing src/list.ts") in thoughts(run)


async def test_a_plan_is_given_with_its_marker_and_carried_out_when_approved(
    on: Stage, agent: ScriptedAgent
) -> None:
    agent.choose = by_prompt(agent.plans("1. Read\n2. Write"), agent.opens(NOTES))
    run = await asked(agent, f"Plan it, and end with:\n\n{MARKER}\n\nThank you")
    assert (run.status, run.result) == ("COMPLETE", f"1. Read\n2. Write\n\n{MARKER}")
    assert on.shop.pull_requests == {}
    async with agent_at(agent.codegen) as api:
        await api.resume(run.id, "Approved")
    await agent.codegen.settled()
    (pull,) = on.shop.pull_requests.values()
    assert run.result is not None
    assert MARKER not in run.result
    listed = await on.shop.git("ls-tree", "-r", "--name-only", pull.head_branch)
    assert "docs/notes.md" in listed.decode().split()
    assert "README.md" not in listed.decode().split()
    spoken = [it["observation"] for it in run.logs if it["message_type"] == "USER_MESSAGE"]
    assert spoken == ["Approved"]


async def test_without_being_asked_a_plan_has_no_marker(agent: ScriptedAgent) -> None:
    agent.choose = by_prompt(agent.plans("1. Read"))
    assert (await asked(agent, "Plan it")).result == "1. Read"


@pytest.mark.parametrize("names", [True, False], ids=["named", "not named"])
async def test_a_branch_that_is_there_is_pushed_to(
    on: Stage, agent: ScriptedAgent, names: bool
) -> None:
    pull = await on.github.open_pull_request(on.shop, "typo-in-total", author=on.alice)
    before = pull.head_sha
    act = agent.opens(NOTES) if names else agent.pushes(NOTES)
    agent.choose = by_prompt(act)
    run = await asked(agent, "Mend it.\n- Push to the existing branch `typo-in-total` of this.")
    assert run.status == "COMPLETE"
    assert list(on.shop.pull_requests.values()) == [pull], "no other was opened"
    assert pull.head_sha == await on.shop.commit("typo-in-total") != before
    assert await on.shop.commit(f"{pull.head_sha}^") == before
    assert [it["id"] for it in run.pull_requests] == ([pull.id] if names else [])
    assert told(on.github.state.deliveries)[1:] == ["push", "pull_request synchronize"]


async def test_a_change_with_a_branch_of_its_own_goes_there_whatever_was_asked(
    on: Stage, agent: ScriptedAgent
) -> None:
    pull = await on.github.open_pull_request(on.shop, "typo-in-total", author=on.alice)
    before = pull.head_sha
    own = Change("Write", files={"notes.md": "Notes.\n"}, branch="codegen/of-its-own")
    agent.choose = by_prompt(agent.opens(own))
    await asked(agent, "Push to the existing branch `typo-in-total`")
    assert pull.head_sha == before
    assert [it.head_branch for it in on.shop.pull_requests.values()] == [
        "typo-in-total",
        "codegen/of-its-own",
    ]


async def test_a_second_prompt_goes_on_in_the_same_pull_request(
    on: Stage, agent: ScriptedAgent
) -> None:
    more = Change("Write more", files={"more.md": "More.\n"}, branch="codegen/notes")
    first = Change("Write notes", files={"notes.md": "Notes.\n"}, branch="codegen/notes")
    agent.choose = by_prompt(agent.opens(first), agent.opens(more))
    run = await asked(agent, "Write notes", "Write more")
    (pull,) = on.shop.pull_requests.values()
    assert [it["id"] for it in run.pull_requests] == [pull.id]
    count = await on.shop.git("rev-list", "--count", "main..codegen/notes")
    assert count.decode().strip() == "2"


async def test_pull_requests_that_nobody_wanted(
    on: Stage, agent: ScriptedAgent, tmp_path: Path
) -> None:
    folder = tmp_path / "other.git"
    await run_git(tmp_path, "clone", "--quiet", "--bare", str(on.shop.folder), str(folder))
    installation = on.github.state.installations[on.shop.installation_id]
    other = on.github.add_repository(installation, "other", folder)
    other.permissions[agent.account.login] = "write"
    agent.choose = by_prompt(
        agent.opens(NOTES, base="add-quantities"),
        agent.opens(QUANTITIES, Change("Again", files={"again.md": "x"})),
        agent.opens(NOTES, elsewhere=other),
    )
    run = await asked(agent, "one", "two", "three")

    def shown(pull: PullRequestState) -> tuple[str, str]:
        return pull.title, pull.base_branch

    assert [shown(it) for it in on.shop.pull_requests.values()] == [
        ("Write notes", "add-quantities"),
        ("Say how many of each", "main"),
        ("Again", "main"),
    ]
    assert [shown(it) for it in other.pull_requests.values()] == [("Write notes", "main")]
    urls = [it["url"].removeprefix(f"{on.github.url}/") for it in run.pull_requests]
    assert urls == ["octo/shop/pull/1", "octo/shop/pull/2", "octo/shop/pull/3", "octo/other/pull/1"]


async def test_runs_that_end_otherwise(agent: ScriptedAgent) -> None:
    agent.choose = by_prompt(
        agent.says("It is a list."),
        agent.pauses("Which one?"),
        in_order(agent.thinks("Looking"), agent.fails("OUT_OF_TOKENS")),
        agent.thinks("Looking again"),
    )
    ends = []
    run = await asked(agent, "What is it?")
    for prompt in ("And?", "Then?", "Well?"):
        ends.append((run.status, run.result))
        async with agent_at(agent.codegen) as api:
            await api.resume(run.id, prompt)
        await agent.codegen.settled()
    assert [*ends, (run.status, thoughts(run)[-1])] == [
        ("COMPLETE", "It is a list."),
        ("PAUSED", "Which one?"),
        ("OUT_OF_TOKENS", None),
        ("ACTIVE", ("ACTION", "Looking again")),
    ]
    assert ("ERROR", "OUT_OF_TOKENS") in thoughts(run)


async def test_what_git_refuses_fails_the_run(on: Stage, agent: ScriptedAgent) -> None:
    on.shop.permissions[agent.account.login] = "read"
    agent.choose = by_prompt(agent.opens(NOTES), agent.pushes(NOTES))
    run = await asked(agent, "Write notes")
    assert run.status == "ERROR"
    assert run.result is not None
    assert "403" in run.result
    assert thoughts(run)[-1] == ("ERROR", run.result)
    run = await asked(agent, "Write notes", "and push them")
    assert (run.status, run.result) == ("ERROR", "No branch was named.")
    assert on.shop.pull_requests == {}
    assert on.github.state.deliveries == []


async def test_a_change_that_does_not_fit_fails_the_run(on: Stage, agent: ScriptedAgent) -> None:
    agent.choose = by_prompt(agent.opens(QUANTITIES, base="add-quantities"))
    run = await asked(agent, "Say how many")
    assert (run.status, on.shop.pull_requests) == ("ERROR", {})
    assert run.result is not None
    assert "patch does not apply" in run.result


async def test_it_works_when_the_test_lets_it(on: Stage, agent: ScriptedAgent) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    def choose(run: AgentRunState) -> Act:
        begun.set()
        return when(go, agent.opens(NOTES))

    agent.choose = choose
    asking = asyncio.create_task(asked(agent, "Write notes"))
    await begun.wait()
    (run,) = agent.codegen.runs.values()
    assert (run.status, on.shop.pull_requests) == ("ACTIVE", {})
    go.set()
    assert (await asking).status == "COMPLETE"
    assert len(on.shop.pull_requests) == 1


async def test_a_fault_of_the_script_is_not_kept_quiet(on: Stage, agent: ScriptedAgent) -> None:
    agent.choose = by_prompt(agent.opens(NOTES))
    agent.codegen.repositories[0]["github_id"] = "0"
    with pytest.raises(KeyError):
        await asked(agent, "Write notes")


@pytest.mark.parametrize(
    ("prompts", "branch"),
    [
        (["- Push to the existing branch `fix/one` of this repository. Do not …"], "fix/one"),
        (["Push to the existing branch fix-1."], "fix-1"),
        (["push to the existing branch `a`", "And the tests too"], "a"),
        (["push to the existing branch `a`", "* Push to the existing branch: `b`"], "b"),
        (["Somebody wrote: push to the existing branch `a`"], ""),
        (["Work on a new branch from `main`"], ""),
    ],
)
def test_the_branch_that_a_prompt_names(prompts: list[str], branch: str) -> None:
    assert existing_branch(AgentRunState(1, 1, prompts, None, "")) == branch
