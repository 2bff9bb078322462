"""Who is let in, what becomes of credentials, and what a user is told who is not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.git import GitSource
from bot.domain.source import Origin
from tests.contract.source.conftest import GIT_ENVIRONMENT, History, problem_of
from tests.git_repository import GitRepository, processes_below
from tests.git_server import GitServer


# ── who may ──────────────────────────────────────────────────────────────────────────────────
async def test_sends_a_credential_that_no_command_line_and_no_file_shows(
    base: Path, server: GitServer, history: History
) -> None:
    asked: list[str] = []

    async def authorization(url: str) -> str:
        asked.append(url)
        return "Basic b2s="

    source = GitSource(
        SystemClock(), environment=GIT_ENVIRONMENT, base=base, authorization=authorization
    )
    url = f"{server.url}/private/app.git"
    async with source.open(Origin(url)) as tree:
        assert tree.head_sha == history.head
        assert not any(b"b2s=" in file.read_bytes() for file in base.rglob("*") if file.is_file())
    assert asked == [url]

    async def never_opened() -> None:
        async with source.open(Origin(f"{server.url}/silent/app.git")):
            pytest.fail("it was opened")

    server.asked.clear()
    task = asyncio.create_task(never_opened())
    await asyncio.wait_for(server.asked.wait(), 10)
    commands = " ".join(processes_below(base))
    task.cancel()
    await asyncio.wait([task])
    assert "/silent/app.git" in commands
    assert "b2s=" not in commands
    assert {sent for _path, sent in server.seen} == {"Basic b2s="}


async def test_takes_user_and_password_of_the_address_and_never_shows_them(
    source: GitSource, served: Path, history: History
) -> None:
    async with GitServer(served, authorization="Basic YWRhOnMzY3JldA==") as server:
        url = server.url.replace("//", "//ada:s3cret@")
        async with source.open(Origin(f"{url}/private/app.git")) as tree:
            assert tree.head_sha == history.head
        for path in ("missing.git", "silent://x", "private/app.git/no"):
            problem = await problem_of(source, f"{url}/{path}", "nothing")
            assert "s3cret" not in problem.message


async def test_a_redirect_is_followed_but_never_with_a_credential(
    base: Path, source: GitSource, served: Path, server: GitServer, history: History
) -> None:
    async with GitServer(served) as other:
        moved = f"{server.url}/moved/{other.url}/app.git"
        async with source.open(Origin(moved)) as tree:
            assert tree.head_sha == history.head
        other.seen.clear()

        async def authorization(_url: str) -> str:
            return "Bearer secret"

        trusted = GitSource(
            SystemClock(), environment=GIT_ENVIRONMENT, base=base, authorization=authorization
        )
        problem = await problem_of(trusted, moved)
    assert "redirects elsewhere" in problem.message
    assert other.seen == []


# ── what a user is told ──────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("path", "ref", "words", "ours"),
    [
        ("missing.git", None, "There is no repository at URL/missing.git", False),
        ("private/app.git", None, "Access to URL/private/app.git was denied", False),
        ("app.git", "featur", "commit `featur`. The nearest names there: `feature`", False),
        ("app.git", "f" * 40, "no branch, tag or commit `ffff", False),
        ("app.git", "abcdef12", "no branch, tag or commit `abcdef12`", False),
        ("app.git", "--upload-pack=touch /x", "`--upload-pack=touch /x` was refused", False),
        ("app.git", "main:refs/heads/x", "was refused", False),
        ("app.git", "+main", "no branch, tag or commit `+main`", False),
        ("app.git", "ma\nin", "was refused", False),
    ],
)  # fmt: skip
async def test_says_what_is_wrong(
    source: GitSource,
    server: GitServer,
    history: History,
    path: str,
    ref: str | None,
    words: str,
    ours: bool,
) -> None:
    problem = await problem_of(source, f"{server.url}/{path}", ref)
    assert words.replace("URL", server.url) in problem.message
    assert problem.ours is ours
    assert "\n" not in problem.message


async def test_says_that_a_repository_is_empty(
    source: GitSource, tmp_path: Path, served: Path, server: GitServer
) -> None:
    GitRepository(tmp_path / "work").git("init", "--quiet", "--bare", str(served / "empty.git"))
    problem = await problem_of(source, f"{server.url}/empty.git")
    assert "no commit on its default branch yet" in problem.message


async def test_a_tag_of_a_file_is_no_commit(
    source: GitSource, tmp_path: Path, served: Path, server: GitServer
) -> None:
    repository = GitRepository(tmp_path / "work")
    repository.commit({"file": "text"})
    repository.git("tag", "blob", "HEAD:file")
    repository.publish(served / "app.git")
    problem = await problem_of(source, f"{server.url}/app.git", "blob")
    assert "is there, but no commit" in problem.message


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://127.0.0.1:1/app.git", "could not be reached"),
        ("http://nowhere.invalid/app.git", "could not be found"),
    ],
)
async def test_a_network_that_fails_is_our_fault(
    source: GitSource, location: str, words: str
) -> None:
    problem = await problem_of(source, location)
    assert words in problem.message
    assert problem.ours


async def test_ssh_asks_nothing_and_trusts_no_unknown_host(base: Path, passable: Path) -> None:
    ssh = passable / "ssh"
    ssh.write_text('#!/bin/sh\necho "ssh: asked for $*" >&2\nexit 255\n')
    ssh.chmod(0o755)
    environment = {"PATH": f"{passable}:{os.defpath}"}
    source = GitSource(SystemClock(), environment=environment, base=base)
    problem = await problem_of(source, "git@example.com:o/r.git")
    assert "-oBatchMode=yes -oStrictHostKeyChecking=yes" in problem.message
    assert problem.message.endswith("git@example.com git-upload-pack 'o/r.git'.")


async def test_a_machine_without_git_says_how_to_get_it(base: Path, tmp_path: Path) -> None:
    source = GitSource(SystemClock(), environment={"PATH": str(tmp_path)}, base=base)
    problem = await problem_of(source, "https://example.com/app.git")
    assert (problem.ours, "apt-get install git" in problem.message) == (True, True)


async def test_an_old_git_is_refused(base: Path, passable: Path) -> None:
    old = passable / "git"
    old.write_text("#!/bin/sh\necho git version 2.20.1\n")
    old.chmod(0o755)
    source = GitSource(SystemClock(), environment={"PATH": str(passable)}, base=base)
    problem = await problem_of(source, "https://example.com/app.git")
    assert (problem.ours, "git 2.32 or newer" in problem.message) == (True, True)
