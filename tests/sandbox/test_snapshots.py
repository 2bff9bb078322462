"""Snapshots on the real engine: install once, and never keep what should not be kept."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

import pytest

from bot.domain.config_parser import ParsedConfig
from bot.domain.plan import NetworkAccess, Plan, SnapshotRecipe, Stage, StageStatus, Step
from bot.policy.detect import detect
from bot.policy.plan import make_plan
from bot.ports.sandbox import Environment, StageEnded
from sandbox.ownership import INSTALLATION
from tests.sandbox.conftest import Heard, MemoryTree, Room

pytestmark = pytest.mark.engine

MANIFEST = {"package.json": "{}", "source.txt": "of the tree"}
PLAN = Plan(
    steps=(
        Step(Stage.INSTALL, "mkdir node_modules && date +%s%N > node_modules/made"),
        Step(Stage.BUILD, "cat node_modules/made; ls; echo built > output"),
    ),
    prepare_network=NetworkAccess.NONE,
    snapshot=SnapshotRecipe(manifests=("package.json",), locked=True),
)


@dataclass
class Workshop:
    """A room, and validations that may keep a snapshot behind them."""

    room: Room

    async def validate(
        self,
        plan: Plan = PLAN,
        files: Mapping[str, str] = MANIFEST,
        *,
        keep: bool = True,
        scope: str = "test",
        secrets: Mapping[str, str] | None = None,
    ) -> tuple[Environment, Heard]:
        """Open, run, close and keep, as the pipeline does."""
        heard, tree = Heard(), MemoryTree(files)
        sandbox, identity = self.room.sandbox, str(uuid.uuid4())
        try:
            opened = await sandbox.open(identity, plan, tree, secrets or {}, heard, scope=scope)
            await sandbox.run(opened)
        finally:
            await sandbox.close(identity)
        if keep:
            await sandbox.keep_snapshot(opened, tree)
        return opened, heard

    async def images(self) -> int:
        """How many snapshots there are."""
        label = f"{INSTALLATION}={self.room.installation}"
        return len(await self.room.engine.list_images(label))


@pytest.fixture
async def workshop(room: Room) -> AsyncIterator[Workshop]:
    yield Workshop(room)
    for image in await room.engine.list_images(f"{INSTALLATION}={room.installation}"):
        await room.engine.remove_image(image.id)


def made(heard: Heard) -> str:
    """When the dependencies were installed, and what was in the workspace."""
    return heard.results[Stage.BUILD].log.text


async def test_miss_then_hit(workshop: Workshop) -> None:
    first, _ = await workshop.validate()
    second, heard = await workshop.validate()
    third, again = await workshop.validate(files=MANIFEST | {"source.txt": "changed"})
    assert [it.snapshot_hit for it in (first, second, third)] == [False, True, True]
    assert first.snapshot_key == second.snapshot_key == third.snapshot_key
    assert made(heard) == made(again), "installed once"
    install = heard.results[Stage.INSTALL]
    assert install.status is StageStatus.PASSED
    assert install.reason.startswith(f"from snapshot {first.snapshot_key[:12]}, installed 20")
    assert await workshop.images() == 1


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"files": MANIFEST | {"package.json": "{ }"}}, id="manifest"),
        pytest.param({"scope": "another repository"}, id="repository"),
        pytest.param(
            {"plan": replace(PLAN, steps=(Step(Stage.INSTALL, "mkdir -p node_modules; echo > "
             "node_modules/made"), PLAN.steps[1]))}, id="command",
        ),
    ],
)  # fmt: skip
async def test_another_key(workshop: Workshop, changed: dict[str, object]) -> None:
    first, _ = await workshop.validate()
    second, _ = await workshop.validate(keep=False, **changed)  # type: ignore[arg-type]  # a table
    assert second.snapshot_key != first.snapshot_key
    assert not second.snapshot_hit


async def test_what_is_in_it(workshop: Workshop) -> None:
    """Neither the tree's files nor what later steps wrote: the next commit brings its own."""
    await workshop.validate()
    _, heard = await workshop.validate(files={"package.json": "{}", "other.txt": "new"})
    listed = set(made(heard).split()[1:])
    assert listed == {"node_modules", "other.txt", "package.json"}


async def test_two_at_once_make_one(workshop: Workshop) -> None:
    opened, _ = await workshop.validate(keep=False)
    sandbox, tree = workshop.room.sandbox, MemoryTree(MANIFEST)
    kept = await asyncio.gather(*(sandbox.keep_snapshot(opened, tree) for _ in range(3)))
    assert sorted(kept) == [False, False, True]
    assert await workshop.images() == 1
    assert await sandbox.keep_snapshot(opened, tree) is False, "it is there already"


async def test_an_install_with_a_secret_is_never_kept(workshop: Workshop) -> None:
    install = Step(Stage.INSTALL, "mkdir node_modules && echo > node_modules/made", {}, ("TOKEN",))
    plan = replace(PLAN, steps=(install, PLAN.steps[1]))
    opened, _ = await workshop.validate(plan, secrets={"TOKEN": "hush-hush"})
    assert opened.snapshot_key == ""
    assert await workshop.images() == 0


async def test_untrusted_code_reads_and_never_writes(workshop: Workshop) -> None:
    untrusted = replace(PLAN, trusted=False)
    first, _ = await workshop.validate(untrusted)
    assert (first.snapshot_hit, await workshop.images()) == (False, 0)
    await workshop.validate()
    second, _ = await workshop.validate(untrusted)
    assert (second.snapshot_hit, await workshop.images()) == (True, 1)


async def test_an_install_that_fails_is_not_kept(workshop: Workshop) -> None:
    opened, _ = await workshop.validate(keep=False)
    broken = Step(Stage.INSTALL, "false")
    failing = replace(opened, plan=replace(PLAN, steps=(broken, *PLAN.steps[1:])))
    assert not await workshop.room.sandbox.keep_snapshot(failing, MemoryTree(MANIFEST))
    assert await workshop.images() == 0


async def test_install_that_needs_the_source_runs_again(workshop: Workshop) -> None:
    install = Step(Stage.INSTALL, "mkdir -p node_modules; cp source.txt node_modules/made")
    recipe = replace(PLAN.snapshot or SnapshotRecipe(), needs_source=True)
    plan = replace(PLAN, steps=(install, PLAN.steps[1]), snapshot=recipe)
    await workshop.validate(plan)
    opened, heard = await workshop.validate(plan, MANIFEST | {"source.txt": "changed"})
    assert opened.snapshot_hit
    assert made(heard).startswith("changed")
    assert heard.results[Stage.INSTALL].reason.endswith("brought up")


async def test_snapshot_that_does_not_fit_is_left_for_a_cold_start(workshop: Workshop) -> None:
    once = Step(Stage.INSTALL, "mkdir node_modules && echo once > node_modules/made")
    recipe = replace(PLAN.snapshot or SnapshotRecipe(), needs_source=True)
    plan = replace(PLAN, steps=(once, PLAN.steps[1]), snapshot=recipe)
    await workshop.validate(plan)
    opened, heard = await workshop.validate(plan, keep=False)
    assert not opened.snapshot_hit
    assert heard.results[Stage.INSTALL].status is StageStatus.PASSED
    assert any("did not fit, installing anew" in note for note in heard.notes)
    assert list(heard.results) == [Stage.INSTALL, Stage.BUILD]


@pytest.mark.long
async def test_an_editable_install_of_python_works_offline(workshop: Workshop) -> None:
    files = {
        "pyproject.toml": (
            "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
            "[project]\nname = 'sample'\nversion = '1'\ndependencies = ['six']\n"
        ),
        "sample.py": "import six\nprint('sample', six.__name__)\n",
    }
    detected = detect(files, frozenset(files))
    found = make_plan(
        ParsedConfig(),
        detected,
        trusted=True,
        given_secrets=frozenset(),
        maximum_timeout_minutes=30,
    )
    install = found.step(Stage.INSTALL)
    assert install is not None
    assert " -e " in install.command
    look = Step(Stage.TEST, "python3 -c 'import sample'")
    plan = replace(found, steps=(install, look), health=None)
    await workshop.validate(plan, files)
    opened, heard = await workshop.validate(plan, files, keep=False)
    assert heard.results[Stage.TEST].status is StageStatus.PASSED
    assert heard.results[Stage.TEST].log.text == "sample six\n"
    assert opened.snapshot_hit, heard.notes


async def test_stage_that_fails_on_a_snapshot_ends_it(workshop: Workshop) -> None:
    await workshop.validate()
    failing = replace(PLAN, steps=(PLAN.steps[0], Step(Stage.BUILD, "exit 4")))
    with pytest.raises(StageEnded):
        await workshop.validate(failing)
