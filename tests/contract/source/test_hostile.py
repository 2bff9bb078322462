"""Repositories made to do harm: nothing of them runs here, nothing of them leaves its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.git import Bounds, GitSource
from bot.domain.source import Origin
from tests.contract.source.conftest import GIT_ENVIRONMENT, problem_of
from tests.git_repository import GitRepository, files_of, unpacked
from tests.git_server import GitServer


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path / "work")


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Path]:
    """A file that no test may bring into being."""
    trap = tmp_path / "pwned"
    yield trap
    assert not trap.exists()


async def test_attributes_change_nothing(
    source: GitSource, repository: GitRepository, served: Path, server: GitServer, trap: Path
) -> None:
    files = {
        ".gitattributes": "* filter=evil diff=evil\nhidden export-ignore\nid ident export-subst\n"
        "wide working-tree-encoding=UTF-16\n*.txt text eol=crlf\n",
        "hidden": "seen\n",
        "id": "$Id$ $Format:%H$\n",
        "wide": "narrow\n",
        "plain.txt": "line\n",
    }
    blobs = [(name.encode(), repository.blob(text.encode())) for name, text in files.items()]
    repository.commit_tree(repository.raw_tree([("100644", *blob) for blob in sorted(blobs)]))
    bare = repository.publish(served / "app.git")
    with (bare / "config").open("a") as config:
        config.write(f'[filter "evil"]\n\tsmudge = touch {trap}\n\tclean = touch {trap}\n')
    expected = {name: text.encode() for name, text in files.items()}
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        assert await files_of(tree) == expected
    async with source.open(Origin(str(bare))) as tree:
        assert await files_of(tree) == expected


async def test_hooks_of_the_origin_do_not_run(
    source: GitSource, repository: GitRepository, served: Path, server: GitServer, trap: Path
) -> None:
    repository.commit({"file": ""})
    bare = repository.publish(served / "app.git")
    (bare / "hooks").mkdir(exist_ok=True)
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc", "update"):
        (bare / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (bare / "hooks" / hook).chmod(0o755)
    for location in (f"{server.url}/app.git", str(bare)):
        async with source.open(Origin(location)) as tree:
            assert [entry.path for entry in tree.entries] == ["file"]


async def test_impossible_paths_are_left_out_and_named(
    source: GitSource, repository: GitRepository, served: Path, server: GitServer
) -> None:
    blob = repository.blob(b"text")
    target = repository.blob(b"/etc")
    odd = repository.blob(b"a\0b")
    inner = repository.raw_tree([("100644", b"config", blob)])
    names = [
        b"..",
        b".git",
        b".GIT",
        b"a//b",
        b"../up",
        b"/abs",
        b"new\nline",
        b"\xff\xfe",
        b"x" * 256,
    ]
    repository.commit_tree(
        repository.raw_tree(
            [
                *(("100644", name, blob) for name in names),
                ("40000", b".Git", inner),
                ("40000", b"..", inner),
                ("120000", b"etc", target),
                ("40000", b"etc", inner),
                ("100644", b"twice", blob),
                ("100755", b"twice", blob),
                ("120000", b"zero", odd),
                ("100664", b"old", blob),
                ("100644", b"sound", blob),
                ("100644", b"-rf", blob),
            ]
        )
    )
    repository.publish(served / "app.git")
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        members = await unpacked(tree)
        notes = "\n".join(tree.notes)
    assert set(members) == {"etc", "twice", "old", "sound", "-rf"}
    assert (members["etc"].linkname, members["etc"].issym()) == ("/etc", True)
    assert "8 paths were left out, as git itself would refuse to check it out" in notes
    assert "1 path was left out: the name has control characters in it (`new\\nline`)." in notes
    assert "1 path was left out: the name is not UTF-8 (`\\udcff\\udcfe`)." in notes
    assert "1 path was left out: the name is too long for a file system" in notes
    assert "a file or symlink is where its folder would be (`etc/config`)" in notes
    assert "1 path was left out: the path is there twice (`twice`)" in notes
    assert "zero byte in it (`zero`)" in notes


async def test_symlinks_out_of_the_tree_stay_symlinks(
    source: GitSource, repository: GitRepository, served: Path, server: GitServer
) -> None:
    for name, target in {"up": "../../../etc/passwd", "abs": "/etc/shadow", "self": "self"}.items():
        (repository.folder / name).symlink_to(target)
    repository.commit()
    repository.publish(served / "app.git")
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        members = await unpacked(tree, "app")
        assert await tree.read("abs") is None
    assert members["app/up"].linkname == "../../../etc/passwd"
    assert members["app/abs"].linkname == "/etc/shadow"
    assert all(members[f"app/{name}"].issym() for name in ("up", "abs", "self"))


async def test_a_tree_that_unfolds_without_end_is_bounded(
    base: Path, repository: GitRepository, served: Path, server: GitServer
) -> None:
    level = repository.raw_tree([("100644", b"f%d" % n, repository.blob(b"")) for n in range(10)])
    for _ in range(9):
        level = repository.raw_tree([("40000", b"d%d" % n, level) for n in range(10)])
    repository.commit_tree(level)
    repository.publish(served / "app.git")
    source = GitSource(
        SystemClock(), environment=GIT_ENVIRONMENT, base=base, bounds=Bounds(listing_bytes=1024**2)
    )
    problem = await problem_of(source, f"{server.url}/app.git")
    assert "too large to be listed" in problem.message


async def test_a_tree_of_one_blob_many_times_is_bounded(
    base: Path, repository: GitRepository, served: Path, server: GitServer
) -> None:
    blob = repository.blob(bytes(1024**2))
    repository.commit_tree(repository.raw_tree([("100644", b"%03d" % n, blob) for n in range(64)]))
    repository.publish(served / "app.git")
    source = GitSource(
        SystemClock(),
        environment=GIT_ENVIRONMENT,
        base=base,
        bounds=Bounds(tree_bytes=32 * 1024**2),
    )
    assert "more than 32 MB" in (await problem_of(source, f"{server.url}/app.git")).message


# ── submodules ───────────────────────────────────────────────────────────────────────────────
def modules(**urls: str) -> str:
    return "".join(
        f'[submodule "{name}"]\n\tpath = {name}\n\turl = "{url}"\n\tupdate = !touch /tmp/pwned\n'
        for name, url in urls.items()
    )


async def test_submodules_of_the_same_host_are_mounted_recursively(
    source: GitSource, repository: GitRepository, tmp_path: Path, served: Path, server: GitServer
) -> None:
    leaf = GitRepository(tmp_path / "leaf")
    leaf_commit = leaf.commit({"leaf.txt": "leaf"})
    leaf.publish(served / "leaf.git")
    middle = GitRepository(tmp_path / "middle")
    middle.commit({"middle.txt": "middle", ".gitmodules": modules(leaf="../leaf.git")})
    middle.link("leaf", leaf_commit)
    middle.git("commit", "--quiet", "--message=A submodule")
    middle_commit = middle.git("rev-parse", "HEAD")
    middle.publish(served / "middle.git")
    repository.commit({".gitmodules": modules(sub=f"{server.url}/middle.git"), "top": "top"})
    repository.link("sub", middle_commit)
    repository.git("commit", "--quiet", "--message=A submodule")
    repository.publish(served / "app.git")
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        found = await files_of(tree)
        assert list(tree.notes) == []
        assert await tree.read("sub/leaf/leaf.txt") == b"leaf"
    assert found["sub/middle.txt"] == b"middle"
    assert found["top"] == b"top"


async def test_hostile_submodules_are_left_out_with_the_reason(
    source: GitSource,
    repository: GitRepository,
    tmp_path: Path,
    served: Path,
    server: GitServer,
    trap: Path,
) -> None:
    other = GitRepository(tmp_path / "other")
    commit = other.commit({"file": "other"})
    other.publish(served / "other.git")
    async with GitServer(served) as neighbour:
        urls = {
            "helper": f"ext::sh -c touch% {trap}",
            "file": "file:///etc",
            "option": f"--upload-pack=touch {trap}",
            "host": "https://evil.example/x.git",
            "port": f"{neighbour.url}/other.git",
            "climbs": "../../../etc",
            "missing": "../missing.git",
            "proxy": f"ssh://-oProxyCommand=touch {trap}/x",
        }
        repository.commit({".gitmodules": modules(**urls), "top": "top"})
        for name in (*urls, "unnamed"):
            repository.link(name, commit)
        repository.git("commit", "--quiet", "--message=Submodules")
        repository.publish(served / "app.git")
        async with source.open(Origin(f"{server.url}/app.git")) as tree:
            assert set(await files_of(tree)) == {".gitmodules", "top"}
            notes = {note.split("`")[1]: note for note in tree.notes}
        assert neighbour.seen == []
    assert {name: note.partition("left out")[2] for name, note in notes.items()} == {
        "helper": ": addresses of the form helper::address are not taken.",
        "file": ": its address is a path of a machine.",
        "option": ": it begins with a dash, as an option does.",
        "host": ": it is on another host (evil.example).",
        "port": ": it is on another port of the host.",
        "climbs": ": its address leads out of the host's repositories.",
        "missing": ", as it could not be fetched: There is no repository at "
        f"{server.url}/missing.git, or it is private and nothing here may read it: repository "
        f"'{server.url}/missing.git/' not found.",
        "proxy": ": its host is no host name.",
        "unnamed": ": no .gitmodules says where it is.",
    }


async def test_gitmodules_that_is_a_symlink_is_not_read(
    source: GitSource, repository: GitRepository, served: Path, server: GitServer
) -> None:
    commit = repository.commit({"real": modules(sub="./app.git")})
    repository.commit_tree(
        repository.raw_tree(
            [
                ("120000", b".gitmodules", repository.blob(b"real")),
                ("100644", b"real", repository.git("rev-parse", "HEAD:real")),
                ("160000", b"sub", commit),
            ]
        )
    )
    repository.publish(served / "app.git")
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        assert list(tree.notes) == [
            "The submodule `sub` was left out: no .gitmodules says where it is."
        ]


async def test_submodules_are_bounded_in_depth_and_number(
    base: Path, repository: GitRepository, served: Path, server: GitServer
) -> None:
    # A commit cannot name itself, so each is the submodule of the next; one address has them all.
    commit = repository.commit({".gitmodules": modules(sub="../app.git")})
    for _ in range(5):
        repository.link("sub", commit)
        repository.git("commit", "--quiet", "--message=Deeper")
        commit = repository.git("rev-parse", "HEAD")
    repository.publish(served / "app.git")
    for bounds, words in (
        (
            Bounds(submodule_depth=3),
            "`sub/sub/sub/sub` was left out: it is more than 3 submodules deep",
        ),
        (Bounds(submodules=2), "`sub/sub/sub` was left out: there are more than 2"),
    ):
        source = GitSource(SystemClock(), environment=GIT_ENVIRONMENT, base=base, bounds=bounds)
        async with source.open(Origin(f"{server.url}/app.git")) as tree:
            [note] = tree.notes
            assert words in note


async def test_a_credential_goes_to_no_submodule_of_another_host(
    base: Path, repository: GitRepository, served: Path, server: GitServer
) -> None:
    asked: list[str] = []

    async def authorization(url: str) -> str:
        asked.append(url)
        return "Basic b2s="

    source = GitSource(
        SystemClock(), environment=GIT_ENVIRONMENT, base=base, authorization=authorization
    )
    async with GitServer(served) as neighbour:
        commit = repository.commit(
            {".gitmodules": modules(far=f"{neighbour.url}/app.git", near="../app.git")}
        )
        repository.link("far", commit)
        repository.link("near", commit)
        repository.git("commit", "--quiet", "--message=Submodules")
        repository.publish(served / "app.git")
        async with source.open(Origin(f"{server.url}/private/app.git")) as tree:
            assert len(tree.notes) == 1
            assert await tree.read("near/.gitmodules") is not None
        assert neighbour.seen == []
    assert asked == [f"{server.url}/private/app.git"] * 2


# ── Git LFS ──────────────────────────────────────────────────────────────────────────────────
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


async def test_says_that_lfs_pointers_are_pointers(
    source: GitSource, repository: GitRepository, served: Path, server: GitServer
) -> None:
    repository.commit({"a.bin": POINTER, "small.txt": "small", "about.md": f"See:\n{POINTER}"})
    repository.commit({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    repository.publish(served / "app.git")
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        assert list(tree.notes) == [
            "1 path was kept in Git LFS: only the pointer is here (`a.bin`)."
        ]
        assert await tree.read("a.bin") == POINTER.encode()


async def test_a_file_that_looks_like_a_pointer_is_none_without_attributes(
    source: GitSource, repository: GitRepository, served: Path, server: GitServer
) -> None:
    repository.commit({"a.bin": POINTER})
    repository.publish(served / "app.git")
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        assert list(tree.notes) == []


@pytest.mark.slow
async def test_fifty_thousand_files_are_all_there(
    source: GitSource,
    repository: GitRepository,
    served: Path,
    server: GitServer,
    record_property: Callable[[str, object], None],
) -> None:
    """What it takes is reported (``--junit-xml``), not asserted."""
    clock = SystemClock()
    repository.commit_bare({f"d{n // 500}/e{n // 50 % 10}/{n}": f"{n}\n" for n in range(50_000)})
    repository.publish(served / "app.git")
    began = clock.now()
    async with source.open(Origin(f"{server.url}/app.git")) as tree:
        opened = clock.now()
        found = await files_of(tree)
        record_property("open_seconds", (opened - began).total_seconds())
        record_property("archive_seconds", (clock.now() - opened).total_seconds())
    assert len(found) == 50_000
    assert all(found[path] == f"{path.rpartition('/')[2]}\n".encode() for path in found)
