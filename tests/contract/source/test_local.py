"""Folders of this machine: HEAD, what stands there uncommitted, and a user who sees no change."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.adapters.git import GitSource
from bot.domain.source import EntryKind, Origin
from tests.contract.source.conftest import problem_of
from tests.git_repository import GitRepository, files_of, unpacked

FILES = {
    "kept": "kept\n",
    "changed": "old\n",
    "gone": "gone\n",
    "mode": "#!\n",
    "dir/inner": "in\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    repository = GitRepository(tmp_path / "work")
    repository.commit(FILES)
    return repository


def footprint(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below a folder: time, mode and content."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


async def contents(
    source: GitSource, location: Path | str, ref: str | None = None
) -> dict[str, bytes]:
    async with source.open(Origin(str(location), ref)) as tree:
        return await files_of(tree)


async def test_a_clean_work_tree_is_head(source: GitSource, repository: GitRepository) -> None:
    async with source.open(Origin(str(repository.folder))) as tree:
        assert tree.head_sha == repository.git("rev-parse", "HEAD")
        assert (tree.dirty, list(tree.notes)) == (False, [])
        assert await files_of(tree) == {name: text.encode() for name, text in FILES.items()}


async def test_takes_uncommitted_changes_of_tracked_files_and_says_so(
    source: GitSource, repository: GitRepository
) -> None:
    head = repository.git("rev-parse", "HEAD")
    repository.write(
        {"changed": "new\n", "staged": "staged\n", "staged-then": "1", "untracked": ""}
    )
    repository.git("add", "staged", "staged-then")
    repository.write({"staged-then": "2"})
    (repository.folder / "gone").unlink()
    (repository.folder / "mode").chmod(0o755)
    async with source.open(Origin(str(repository.folder))) as tree:
        assert (tree.head_sha, tree.dirty) == (head, True)
        assert list(tree.notes) == [
            "Validates HEAD plus the uncommitted changes of 5 tracked files."
        ]
        kinds = {entry.path: entry.kind for entry in tree.entries}
        assert await files_of(tree) == {
            "kept": b"kept\n",
            "changed": b"new\n",
            "mode": b"#!\n",
            "dir/inner": b"in\n",
            "staged": b"staged\n",
            "staged-then": b"2",
        }
    assert kinds["mode"] is EntryKind.EXECUTABLE


def nothing(_repository: GitRepository) -> None:
    """Leave the work tree clean."""


def edit(repository: GitRepository) -> None:
    repository.write({"changed": "new\n", "dir/staged": ""})
    repository.git("add", "dir/staged")
    (repository.folder / "gone").unlink()


def touch(repository: GitRepository) -> None:
    for name in FILES:
        os.utime(repository.folder / name, (1, 1))


@pytest.mark.parametrize("change", [nothing, edit, touch])
async def test_the_users_repository_is_not_touched(
    source: GitSource, repository: GitRepository, change: Callable[[GitRepository], None]
) -> None:
    change(repository)
    before = footprint(repository.folder)
    await contents(source, repository.folder)
    await contents(source, repository.folder, "HEAD")
    assert footprint(repository.folder) == before


async def test_a_file_that_was_only_touched_is_no_change(
    source: GitSource, repository: GitRepository
) -> None:
    touch(repository)
    async with source.open(Origin(str(repository.folder))) as tree:
        assert not tree.dirty


async def test_a_ref_means_exactly_that_commit(
    source: GitSource, repository: GitRepository
) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.commit({"changed": "committed\n"})
    repository.git("tag", "v2")
    repository.write({"changed": "standing\n"})
    for ref, text in (("HEAD", b"committed\n"), ("v2", b"committed\n"), ("main", b"committed\n"),
                      ("HEAD~1", b"old\n"), (first, b"old\n"), (first[:7], b"old\n")):  # fmt: skip
        async with source.open(Origin(str(repository.folder), ref)) as tree:
            assert await tree.read("changed") == text
            assert not tree.dirty


async def test_an_unknown_ref_is_answered_with_the_nearest(
    source: GitSource, repository: GitRepository
) -> None:
    repository.git("branch", "feature")
    problem = await problem_of(source, str(repository.folder), "featrue")
    assert "nearest names there: `feature`" in problem.message
    assert "refused" in (await problem_of(source, str(repository.folder), "--all")).message


async def test_a_symlink_or_file_in_a_folders_place_is_taken_as_it_stands(
    source: GitSource, repository: GitRepository, tmp_path: Path
) -> None:
    repository.commit({"other/inner": "kept"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "inner").write_text("not ours")
    shutil.rmtree(repository.folder / "dir")
    (repository.folder / "dir").symlink_to(outside)
    (repository.folder / "kept").unlink()
    (repository.folder / "kept").mkdir()
    (repository.folder / "kept/below").write_text("")
    async with source.open(Origin(str(repository.folder))) as tree:
        assert sorted(entry.path for entry in tree.entries) == [
            "changed",
            "gone",
            "mode",
            "other/inner",
        ]


async def test_a_subfolder_gives_the_whole_repository(
    source: GitSource, repository: GitRepository
) -> None:
    async with source.open(Origin(str(repository.folder / "dir"))) as tree:
        assert [entry.path for entry in tree.entries] == sorted(FILES)
        assert f"all of {repository.folder} was taken" in tree.notes[0]


async def test_a_subfolder_of_which_nothing_is_tracked_is_a_folder_of_its_own(
    source: GitSource, repository: GitRepository
) -> None:
    repository.write({"build/out": "made"})
    assert await contents(source, repository.folder / "build") == {"out": b"made"}


async def test_a_merge_conflict_is_named(source: GitSource, repository: GitRepository) -> None:
    repository.git("checkout", "--quiet", "-b", "other")
    repository.commit({"changed": "theirs\n"})
    repository.git("checkout", "--quiet", "main")
    repository.commit({"changed": "ours\n"})
    repository.git("read-tree", "-m", "HEAD~1", "HEAD", "other")
    problem = await problem_of(source, str(repository.folder))
    assert problem.message == "`changed` has a merge conflict: resolve it, or give a ref."


async def test_a_repository_without_a_commit_is_told(source: GitSource, tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "work")
    repository.write({"file": ""})
    problem = await problem_of(source, str(repository.folder))
    assert "has no commit yet: make one with `git commit`" in problem.message


async def test_a_repository_that_git_cannot_read_is_told(
    source: GitSource, repository: GitRepository
) -> None:
    repository.git("config", "core.repositoryFormatVersion", "1")
    repository.git("config", "extensions.ofTheFuture", "true")
    problem = await problem_of(source, str(repository.folder))
    assert "Git cannot read" in problem.message
    assert "ofthefuture" in problem.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_root_takes_what_belongs_to_somebody_else(
    source: GitSource, repository: GitRepository
) -> None:
    repository.write({"changed": "new\n"})
    for path in (repository.folder, *repository.folder.rglob("*")):
        os.chown(path, 65534, 65534)
    async with source.open(Origin(str(repository.folder))) as tree:
        assert await tree.read("changed") == b"new\n"


@pytest.mark.parametrize(("name", "words"), [("nowhere", "does not exist"), ("file", "no folder")])
async def test_a_path_that_is_no_folder_is_named(
    source: GitSource, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "file").write_text("")
    problem = await problem_of(source, str(tmp_path / name))
    assert str(tmp_path / name)[-70:] in problem.message
    assert words in problem.message
    assert not problem.ours


async def test_takes_bare_repositories_and_linked_work_trees(
    source: GitSource, repository: GitRepository, tmp_path: Path
) -> None:
    head = repository.git("rev-parse", "HEAD")
    bare = repository.publish(tmp_path / "bare.git")
    repository.git("worktree", "add", "--quiet", "-b", "linked", str(tmp_path / "linked"))
    (tmp_path / "linked/changed").write_text("linked\n")
    for place, dirty in ((bare, False), (tmp_path / "linked", True)):
        async with source.open(Origin(str(place))) as tree:
            assert (tree.head_sha, tree.dirty) == (head, dirty)
    assert (await contents(source, tmp_path / "linked"))["changed"] == b"linked\n"
    assert (await contents(source, f"file://{bare}"))["changed"] == b"old\n"


@pytest.mark.parametrize(
    ("command", "mark"),
    [
        pytest.param("update-index --split-index", b"link", id="split"),
        pytest.param("update-index --index-version=4", b"DIRC\0\0\0\4", id="compressed"),
        pytest.param("sparse-checkout set --cone --sparse-index dir", b"sdir", id="sparse"),
        pytest.param("update-index --skip-worktree far/away", b"DIRC\0\0\0\3", id="skipping"),
    ],
)
async def test_understands_every_kind_of_index(
    source: GitSource, repository: GitRepository, command: str, mark: bytes
) -> None:
    repository.commit({"far/away": "far\n"})
    repository.git(*command.split())
    shutil.rmtree(repository.folder / "far", ignore_errors=command.startswith("sparse"))
    if mark != b"DIRC\0\0\0\3" and not command.startswith("sparse"):
        repository.git("checkout", "--", "far/away")
    assert mark in (repository.folder / ".git/index").read_bytes()
    repository.write({"dir/inner": "new\n"})
    expected = {**FILES, "far/away": "far\n", "dir/inner": "new\n"}
    async with source.open(Origin(str(repository.folder))) as tree:
        assert await files_of(tree) == {name: text.encode() for name, text in expected.items()}
        assert "changes of 1 tracked file." in tree.notes[0]


async def test_nothing_of_the_repositorys_configuration_runs(
    source: GitSource, repository: GitRepository, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    spring = tmp_path / "spring"
    spring.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    spring.chmod(0o755)
    repository.commit({".gitattributes": "* filter=evil diff=evil ident\n"})
    repository.commit({"ident": "$Id$\n"})
    for name in ("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process",
                 "diff.evil.textconv", "diff.evil.command", "core.sshCommand", "core.pager",
                 "core.alternateRefsCommand", "core.editor"):  # fmt: skip
        repository.git("config", name, str(spring))
    hooks = repository.folder / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "reference-transaction", "pre-commit", "post-checkout"):
        shutil.copy(spring, hooks / hook)
    repository.write({"changed": "new\n", "ident": "$Id$\nmore\n"})
    os.utime(repository.folder / "kept", (1, 1))
    found = await contents(source, repository.folder)
    assert (found["changed"], found["ident"]) == (b"new\n", b"$Id$\nmore\n")
    await contents(source, repository.folder, "HEAD")
    assert not trap.exists()


async def test_line_endings_go_in_as_git_would_commit_them(
    source: GitSource, tmp_path: Path
) -> None:
    repository = GitRepository(tmp_path / "work")
    repository.commit(
        {".gitattributes": "*.bat text eol=crlf\n", "a.bat": "one\r\n", "raw": "x\r\n"}
    )
    os.utime(repository.folder / "a.bat", (1, 1))
    repository.write({"raw": "y\r\n"})
    assert await contents(source, repository.folder) == {
        ".gitattributes": b"*.bat text eol=crlf\n",
        "a.bat": b"one\n",
        "raw": b"y\r\n",
    }


async def test_a_submodule_of_a_local_repository_is_left_out_with_a_note(
    source: GitSource, repository: GitRepository
) -> None:
    inner = GitRepository(repository.folder / "sub")
    repository.link("sub", inner.commit({"file": ""}))
    repository.git("commit", "--quiet", "--message=A submodule")
    async with source.open(Origin(str(repository.folder))) as tree:
        assert "sub/file" not in [entry.path for entry in tree.entries]
        assert not tree.dirty
        [note] = tree.notes
    assert note == "1 path was left out: submodules of a local repository are not taken (`sub`)."


# ── a folder without git ─────────────────────────────────────────────────────────────────────
async def test_a_folder_without_git_is_one_commit_that_is_always_the_same(
    source: GitSource, tmp_path: Path
) -> None:
    folder = tmp_path / "plain"
    for name, text in {"a": "1", "b/c": "2", "d.log": "noise", "node_modules/x": "y"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / ".gitignore").write_text("*.log\nnode_modules/\n")
    (folder / "l").symlink_to("/etc/passwd")
    GitRepository(folder / "vendor").commit({"inner": ""})
    GitRepository(folder / "unborn").write({"inner": ""})
    os.mkfifo(folder / "pipe")
    before = footprint(folder)
    async with source.open(Origin(str(folder))) as tree:
        members = await unpacked(tree)
        notes = "\n".join(tree.notes)
        assert not tree.dirty
    async with source.open(Origin(str(folder))) as again:
        assert again.head_sha == tree.head_sha
    assert set(members) == {".gitignore", "a", "b", "b/c", "l"}
    assert members["l"].linkname == "/etc/passwd"
    assert members["a"].mtime == 946684800  # 2000-01-01
    assert "`d.log`, `node_modules/`" in notes
    assert "a git repository of its own (`unborn/`, `vendor/`)" in notes
    assert "is no git repository: it was taken as one commit" in notes
    assert footprint(folder) == before


async def test_a_folder_without_git_has_no_refs_and_an_empty_one_nothing(
    source: GitSource, tmp_path: Path
) -> None:
    assert (
        "no git repository, so it has no `main`"
        in (await problem_of(source, str(tmp_path), "main")).message
    )
    (tmp_path / "empty").mkdir()
    assert "it has no files" in (await problem_of(source, str(tmp_path / "empty"))).message
