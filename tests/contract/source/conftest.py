"""A source that must leave nothing behind, and a server for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.git import GitSource
from bot.domain.source import Origin
from bot.ports.source import Source, SourceProblem
from tests.git_repository import GitRepository, processes_below
from tests.git_server import GitServer

GIT_ENVIRONMENT = {"PATH": os.defpath}


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that lets everybody through, as nobody must pass, who runs git for root.

    pytest's own folders do not: each run of pytest closes them again.
    """
    with tempfile.TemporaryDirectory(prefix="codegenapp-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def base(passable: Path) -> Iterator[Path]:
    """Where the source makes its folders; all is gone and nothing runs at the end."""
    base = passable / "base"
    base.mkdir(mode=0o755)
    yield base
    assert list(base.iterdir()) == []
    assert processes_below(base) == []


@pytest.fixture
def source(base: Path) -> GitSource:
    return GitSource(SystemClock(), environment=GIT_ENVIRONMENT, base=base)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    return tmp_path / "served"


@pytest.fixture
async def server(served: Path) -> AsyncIterator[GitServer]:
    async with GitServer(served, authorization="Basic b2s=") as server:
        yield server


async def problem_of(source: Source, location: str, ref: str | None = None) -> SourceProblem:
    with pytest.raises(SourceProblem) as raised:
        async with source.open(Origin(location, ref)):
            pytest.fail("it was opened")
    return raised.value


@dataclass(frozen=True)
class History:
    """``main`` has the commits first and head, ``feature`` and the tag ``v1`` are at first."""

    first: str
    head: str
    pull: str


@pytest.fixture
def history(tmp_path: Path, served: Path) -> History:
    repository = GitRepository(tmp_path / "work")
    first = repository.commit({"README": "one\n", "bin/run": "#!/bin/sh\n"})
    repository.git("tag", "--annotate", "--message=One", "v1")
    repository.git("branch", "feature")
    (repository.folder / "link").symlink_to("bin/run")
    (repository.folder / "bin/run").chmod(0o755)
    head = repository.commit({"README": "two\n", "lib/é.txt": "é" * 10})
    repository.git("checkout", "--quiet", "-b", "pull", first)
    pull = repository.commit({"pulled": "yes\n"})
    repository.git("checkout", "--quiet", "main")
    repository.git("branch", "--quiet", "-D", "pull")
    repository.git("update-ref", "refs/pull/7/head", pull)
    repository.publish(served / "app.git")
    return History(first, head, pull)
