"""Has scripted models explore an application in a real box."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bot.adapters.clock import SystemClock
from bot.adapters.gemini import Gemini, GeminiExplorer
from bot.adapters.render import TemplateRenderer
from bot.domain.exploring import Exploration
from bot.domain.plan import Stage, StageStatus
from bot.domain.source import Origin
from bot.domain.validations import Validation
from bot.domain.web import WebPlan
from bot.policy.exploring import ExploringBudget
from bot.ports.explorer import Tab
from bot.ports.sandbox import StageEnded
from bot.services.exploring import Explorations
from bot.services.validation_course import Course, ValidationRequest
from demo.gemini.server import KEY, MODEL, Script, StandInGemini
from demo.github.faults import Fault
from tests.sandbox.conftest import Heard, MemoryTree, Room
from tests.sandbox.web_application import Pages, files, plan
from tests.stand_in import at_once

ROOT = WebPlan(pages=("/",), explicit=True, follow=False, task="Try it out.")
Drive = Callable[[Tab], Awaitable[None]]


@dataclass(frozen=True)
class Wanted:
    """One exploration: what the model does, and how far it may go."""

    script: Script
    budget: ExploringBudget = field(default_factory=ExploringBudget)
    fault: Fault | None = None


async def drive(
    room: Room,
    pages: Pages,
    explore: Drive,
    *,
    web: WebPlan = ROOT,
    secrets: Mapping[str, str] | None = None,
    passes: bool = True,
) -> Heard:
    """Run an application until everything has looked at it, then do something with a tab."""
    heard, sandbox = Heard(), room.sandbox
    environment_id, tree = str(uuid.uuid4()), MemoryTree(files(pages))
    try:
        environment = await sandbox.open(
            environment_id, plan(web), tree, secrets or {}, heard, scope="test"
        )
        await sandbox.run(environment, explore)
    except StageEnded:
        assert not passes
    finally:
        await sandbox.close(environment_id)
    if passes:
        assert {it.status for it in heard.results.values()} == {StageStatus.PASSED}
        assert Stage.STABILITY in heard.results, "the exploration comes last"
    return heard


@dataclass
class Explored:
    """What came of explorations of one application, by their names, and what was heard."""

    found: dict[str, Exploration]
    heard: Heard
    server: StandInGemini


async def explored(
    room: Room,
    pages: Pages,
    wanted: Mapping[str, Wanted],
    *,
    web: WebPlan = ROOT,
    secrets: Mapping[str, str] | None = None,
    through: Callable[[Tab], Tab] = lambda tab: tab,
) -> Explored:
    """Explore one application, once for each name, with the tab that ``through`` makes of it."""
    found: dict[str, Exploration] = {}
    async with StandInGemini() as server:

        async def explore(tab: Tab) -> None:
            for name, it in wanted.items():
                server.script = it.script
                server.faults.choose = lambda _n, _method, _path, it=it: it.fault  # type: ignore[misc]
                found[name] = await one(server, it, through(tab), web.task, secrets or {})

        heard = await drive(room, pages, explore, web=web, secrets=secrets)
        return Explored(found, heard, server)


async def one(
    server: StandInGemini, wanted: Wanted, tab: Tab, task: str, secrets: Mapping[str, str]
) -> Exploration:
    """One exploration with a tab."""
    gemini = Gemini(at_once, KEY, MODEL, server.url, call_seconds=5)
    explorations = Explorations(
        GeminiExplorer(gemini), TemplateRenderer(), SystemClock(), wanted.budget
    )
    clock = SystemClock()
    course = Course(
        Validation("id", "", datetime(2026, 1, 1, tzinfo=UTC)),
        ValidationRequest(Origin("."), "test", secrets=secrets),
        Heard(),
        clock,
    )
    course = replace(course, plan=plan(replace(ROOT, task=task)))
    explore = explorations.of(course)
    assert explore is not None
    await explore(tab)
    assert course.exploration is not None
    return course.exploration
