"""The sample's git repository: a shopping list on ``main``, and a branch for each change of it.

``sample/`` is the application, ``sample_changes/`` the difference that each branch makes, and what
the scripted agent and a repository that merges by itself have beside them. The commits are the
same ones on every machine: names, times, modes and settings are fixed.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.domain.plan import Stage
from bot.domain.validations import Verdict
from demo.git_command import run_git

SAMPLE = Path(__file__).parent / "sample"
CHANGES = Path(__file__).parent / "sample_changes"
MAIN = "main"
MERGES = "merge-when-green"
"""A change of the configuration: what meets everything is merged."""

# What a developer's own build of the sample leaves in its folder.
_MADE = ("node_modules", "dist")


@dataclass(frozen=True)
class SampleBranch:
    """A branch, and what a validation of it must find.

    ``expected_stage`` is the stage that ends the validation, None where all of them pass;
    ``expected_place`` the file and line at fault (``src/list.ts:35``), empty where none is.
    """

    name: str
    sha: str
    expected_verdict: Verdict
    expected_stage: Stage | None
    title: str
    expected_place: str = ""


@dataclass(frozen=True)
class SampleRepository:
    """The repository, ``main`` checked out, and its branches, ``main`` first."""

    path: Path
    branches: tuple[SampleBranch, ...]


@dataclass(frozen=True)
class _Change:
    """One commit to make: its branch, title and time, and what a validation must find."""

    branch: str
    title: str
    at: str
    verdict: Verdict = Verdict.PASSED
    stage: Stage | None = None
    place: str = ""


_FIRST = _Change(MAIN, "Write down what to buy and what it costs", "2026-01-05T09:00:00+00:00")
_LATER = (
    _Change("add-quantities", "Say how many of each", "2026-01-05T10:00:00+00:00"),
    _Change(
        "typo-in-total",
        "Leave what is in the basket out of the total",
        "2026-01-05T11:00:00+00:00",
        Verdict.FAILED,
        Stage.BUILD,
        "src/list.ts:35",
    ),
    _Change(
        "broken-in-browser",
        "Say in the tab's title what is left to fetch",
        "2026-01-05T12:00:00+00:00",
        Verdict.FAILED,
        Stage.WEB_EVALUATION,
        "public/script.js:23",
    ),
)


async def build_repository(folder: Path, *, on_main: Sequence[str] = ()) -> SampleRepository:
    """Make the repository in ``folder``, which need not exist but must be empty.

    ``on_main`` are changes of ``sample_changes`` that ``main`` has, and with it every branch.
    Raises UserProblem where git is missing, FileExistsError where ``folder`` holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    # Without modes: an owner may have tightened or widened those of the installed files.
    shutil.copytree(
        SAMPLE,
        folder,
        ignore=shutil.ignore_patterns(*_MADE),
        copy_function=shutil.copyfile,
        dirs_exist_ok=True,
    )
    await run_git(folder, "init", "--template=", f"--initial-branch={MAIN}", "--object-format=sha1")
    for name in on_main:
        await run_git(folder, "apply", str(CHANGES / f"{name}.patch"))
    branches = [await _commit(folder, _FIRST)]
    for change in _LATER:
        await run_git(folder, "switch", "--create", change.branch, MAIN)
        await run_git(folder, "apply", str(CHANGES / f"{change.branch}.patch"))
        branches.append(await _commit(folder, change))
    await run_git(folder, "switch", MAIN)
    return SampleRepository(folder, tuple(branches))


async def _commit(folder: Path, change: _Change) -> SampleBranch:
    """Commit all that the folder holds, on the branch that is checked out."""
    await run_git(folder, "add", "--all")
    await run_git(folder, "commit", f"--message={change.title}", at=change.at)
    sha = await run_git(folder, "rev-parse", "--verify", "HEAD")
    return SampleBranch(
        change.branch, sha, change.verdict, change.stage, change.title, change.place
    )
