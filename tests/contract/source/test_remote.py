"""``ports.source`` over real git and real HTTP: which commit, what of it, and nothing left."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.git import Bounds, GitSource
from bot.domain.source import EntryKind, Origin
from bot.ports.source import SourceProblem
from tests.contract.source.conftest import GIT_ENVIRONMENT, History, problem_of
from tests.git_repository import GitRepository, files_of, processes_below, unpacked
from tests.git_server import GitServer

UID = 4711


# ── which commit ─────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("ref", "commit"),
    [
        pytest.param(None, "head", id="the default branch"),
        pytest.param("main", "head", id="a branch"),
        pytest.param("refs/heads/feature", "first", id="a full ref"),
        pytest.param("v1", "first", id="an annotated tag"),
        pytest.param("refs/pull/7/head", "pull", id="a pull request"),
    ],
)
@pytest.mark.parametrize("old_protocol", [False, True], ids=["protocol 2", "protocol 0"])
async def test_finds_the_commit_of_a_ref(
    source: GitSource,
    served: Path,
    history: History,
    ref: str | None,
    commit: str,
    old_protocol: bool,
) -> None:
    async with (
        GitServer(served, old_protocol=old_protocol) as server,
        source.open(Origin(f"{server.url}/app.git", ref)) as tree,
    ):
        assert tree.head_sha == getattr(history, commit)
        assert not tree.dirty
        assert list(tree.notes) == []


@pytest.mark.parametrize("old_protocol", [False, True], ids=["gives any commit", "only its refs'"])
@pytest.mark.parametrize("length", [40, 12, 7])
async def test_finds_a_commit_that_no_ref_points_at(
    source: GitSource, tmp_path: Path, served: Path, old_protocol: bool, length: int
) -> None:
    repository = GitRepository(tmp_path / "work")
    inner = repository.commit({"file": "inner"})
    repository.commit({"file": "outer"})
    repository.publish(served / "app.git")
    async with (
        GitServer(served, old_protocol=old_protocol) as server,
        source.open(Origin(f"{server.url}/app.git", inner[:length])) as tree,
    ):
        assert tree.head_sha == inner
        assert await tree.read("file") == b"inner"


async def test_fetches_no_history_for_a_branch(
    source: GitSource, base: Path, server: GitServer, history: History
) -> None:
    async with source.open(Origin(f"{server.url}/app.git")):
        [shallow] = base.glob("*/repository.git/shallow")
        assert shallow.read_text().split() == [history.head]


async def test_takes_repositories_with_sha256_names(
    source: GitSource, tmp_path: Path, served: Path
) -> None:
    repository = GitRepository(tmp_path / "work", "--object-format=sha256")
    head = repository.commit({"file": "new"})
    repository.git("clone", "--quiet", "--bare", ".", str(served / "app.git"))
    for ref in (None, "main"):
        async with (
            GitServer(served) as server,
            source.open(Origin(f"{server.url}/app.git", ref)) as tree,
        ):
            assert tree.head_sha == head
    async with source.open(Origin(str(repository.folder))) as tree:
        assert (tree.head_sha, len(head)) == (head, 64)


# ── what of it ───────────────────────────────────────────────────────────────────────────────
async def test_lists_files_executables_and_symlinks(
    source: GitSource, server: GitServer, history: History
) -> None:
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        assert [(entry.path, entry.kind, entry.size) for entry in tree.entries] == [
            ("README", EntryKind.FILE, 4),
            ("bin/run", EntryKind.EXECUTABLE, 10),
            ("lib/é.txt", EntryKind.FILE, 20),
            ("link", EntryKind.SYMLINK, 7),
        ]
        assert {len(entry.object_id) for entry in tree.entries} == {40}


async def test_reads_single_files(source: GitSource, server: GitServer, history: History) -> None:
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        assert await tree.read("README") == b"two\n"
        assert await tree.read("lib/é.txt", limit=3) == "é".encode() + b"\xc3"
        assert await tree.read("bin") is None
        assert await tree.read("link") is None
        assert await tree.read("missing") is None


async def test_archives_the_tree_below_a_prefix_for_one_owner(
    source: GitSource, server: GitServer, history: History
) -> None:
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        members = await unpacked(tree, "work/app", UID)
        again = await unpacked(tree, "work/app", UID)
    assert {name: (oct(member.mode), member.type) for name, member in members.items()} == {
        "work/app": ("0o755", b"5"),
        "work/app/README": ("0o644", b"0"),
        "work/app/bin": ("0o755", b"5"),
        "work/app/bin/run": ("0o755", b"0"),
        "work/app/lib": ("0o755", b"5"),
        "work/app/lib/é.txt": ("0o644", b"0"),
        "work/app/link": ("0o777", b"2"),
    }
    assert members["work/app/link"].linkname == "bin/run"
    assert {(member.uid, member.gid) for member in members.values()} == {(UID, UID)}
    assert {member.mtime for member in members.values()} == {1714979289}  # 2024-05-06T07:08:09Z
    assert list(again) == list(members)


async def test_archives_large_and_empty_files_and_long_names_exactly(
    source: GitSource, tmp_path: Path
) -> None:
    repository = GitRepository(tmp_path / "work")
    files = {
        "empty": b"",
        "block": b"x" * 512,
        "large": os.urandom(3 * 1024**2 + 7),
        f"{'deep/' * 60}name": b"far",
        f"{'n' * 255}": b"long",
        "ünïcode ☃/日本": b"snow",
    }
    repository.commit(files)
    async with source.open(Origin(str(repository.folder))) as tree:
        assert await files_of(tree) == files


@pytest.mark.parametrize("date", ["0 +0000", "99999999999 +0000"])
async def test_gives_files_a_time_that_tools_can_take(
    source: GitSource, tmp_path: Path, date: str
) -> None:
    repository = GitRepository(tmp_path / "work")
    tree_id = repository.git("rev-parse", f"{repository.commit({'file': ''})}^{{tree}}")
    commit = f"tree {tree_id}\nauthor A <a@b> {date}\ncommitter A <a@b> {date}\n\nOdd\n"
    odd = repository.git(
        "hash-object", "-t", "commit", "-w", "--stdin", standard_input=commit.encode()
    )
    async with source.open(Origin(str(repository.folder), odd)) as tree:
        modified = (await unpacked(tree))["file"].mtime
    assert 1980 <= 1970 + modified / 31_557_600 <= 2101


# ── bounds, and nothing left ─────────────────────────────────────────────────────────────────
async def test_a_silent_server_is_given_up(base: Path, served: Path, server: GitServer) -> None:
    source = GitSource(
        SystemClock(), environment=GIT_ENVIRONMENT, base=base, bounds=Bounds(seconds=0.5)
    )
    problem = await problem_of(source, f"{server.url}/silent/app.git")
    assert (problem.ours, "within 0.5 seconds" in problem.message) == (True, True)
    assert server.asked.is_set()


async def test_cancelling_in_mid_fetch_leaves_nothing(
    source: GitSource, base: Path, server: GitServer
) -> None:
    async def opened() -> None:
        async with source.open(Origin(f"{server.url}/silent/app.git")):
            pytest.fail("it was opened")

    task = asyncio.create_task(opened())
    await asyncio.wait_for(server.asked.wait(), 10)
    assert processes_below(base) != []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes_below(base) == []
    assert list(base.iterdir()) == []


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(fetched_bytes=100_000), "takes more than 0 MB"),
        (Bounds(tree_bytes=100_000), "files have more than 0 MB"),
        (Bounds(entries=1), "more than 1 files"),
    ],
    ids=["fetched", "files", "entries"],
)
async def test_a_repository_above_a_bound_is_refused(
    base: Path, tmp_path: Path, served: Path, server: GitServer, bounds: Bounds, words: str
) -> None:
    repository = GitRepository(tmp_path / "work")
    repository.commit({"noise": os.urandom(200_000), "other": ""})
    repository.publish(served / "app.git")
    source = GitSource(SystemClock(), environment=GIT_ENVIRONMENT, base=base, bounds=bounds)
    assert words in (await problem_of(source, f"{server.url}/app.git")).message


async def test_an_archive_that_was_left_off_holds_nothing_back(
    source: GitSource, base: Path, tmp_path: Path
) -> None:
    repository = GitRepository(tmp_path / "work")
    repository.commit({f"noise{number}": os.urandom(2_000_000) for number in range(3)})
    async with source.open(Origin(str(repository.folder))) as tree:
        pieces = tree.archive("", UID)
        assert await anext(pieces)
        assert processes_below(base) != []
    assert processes_below(base) == []
    with pytest.raises(SourceProblem, match="closed"):
        await anext(tree.archive("", UID))


async def test_a_failure_in_the_block_leaves_nothing(
    source: GitSource, base: Path, server: GitServer, history: History
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with source.open(Origin(f"{server.url}/app.git")):
            raise ZeroDivisionError
    assert list(base.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run git as nobody")
async def test_root_fetches_without_privileges(
    source: GitSource, base: Path, server: GitServer, history: History
) -> None:
    async with source.open(Origin(f"{server.url}/app.git")):
        assert {file.stat().st_uid for file in base.rglob("*")} == {65534}
        assert {file.stat().st_gid for file in base.rglob("*")} == {65534}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run git as nobody")
async def test_a_folder_that_lets_nobody_through_is_named(
    base: Path, source: GitSource, server: GitServer, history: History
) -> None:
    base.chmod(0o700)
    problem = await problem_of(source, f"{server.url}/app.git")
    assert (problem.ours, str(base) in problem.message) == (True, True)


_DIES = """
import asyncio, os, pathlib, signal, sys
from bot.adapters.clock import SystemClock
from bot.adapters.git import GitSource
from bot.domain.source import Origin

async def main():
    base = pathlib.Path(sys.argv[1])
    source = GitSource(SystemClock(), environment={"PATH": os.defpath}, base=base)
    async with source.open(Origin(sys.argv[2])):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_sweeps_what_a_killed_process_left_and_nothing_that_is_in_use(
    source: GitSource, base: Path, tmp_path: Path
) -> None:
    repository = GitRepository(tmp_path / "work")
    repository.commit({"file": "text"})
    arguments = [sys.executable, "-c", _DIES, str(base), str(repository.folder)]
    died = await asyncio.create_subprocess_exec(*arguments)
    await died.wait()
    assert len(list(base.iterdir())) == 1
    async with source.open(Origin(str(repository.folder))) as tree:
        assert await source.sweep() == 1
        assert await tree.read("file") == b"text"
    assert await source.sweep() == 0
