"""Real repositories for tests, honest ones by git's own commands and impossible ones by hand."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.ports.source import Tree

_ENVIRONMENT = {
    "PATH": os.defpath,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "ada@example.com" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "2024-05-06T07:08:09Z" for who in ("AUTHOR", "COMMITTER")},
}


class GitRepository:
    """A repository with a work tree; its default branch is ``main``."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main", *options)

    def git(self, *arguments: str, standard_input: bytes = b"") -> str:
        """Run git in the work tree; gives its output."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=_ENVIRONMENT,
            input=standard_input,
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files into the work tree."""
        for path, content in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes] | None = None) -> str:
        """Commit these files and all else that changed; gives the commit's name."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=A change")
        return self.git("rev-parse", "HEAD")

    def commit_bare(self, files: Mapping[str, str]) -> None:
        """Commit very many files on ``main`` at once, past the work tree."""
        parts = ["commit refs/heads/main\ncommitter Ada <ada@example.com> 0 +0000\ndata 4\nMany\n"]
        for path, text in files.items():
            parts.append(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n")
        self.git("fast-import", "--quiet", standard_input="".join(parts).encode())

    def link(self, path: str, commit: str) -> None:
        """Stage a submodule's commit at a path."""
        self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")

    def blob(self, content: bytes) -> str:
        """Store a blob; gives its name."""
        return self.git("hash-object", "-w", "--stdin", standard_input=content)

    def raw_tree(self, entries: Sequence[tuple[str, bytes, str]]) -> str:
        """Store a tree of (mode, name, object) as it is, whatever git thinks of it."""
        content = b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(object_id)
            for mode, name, object_id in entries
        )
        return self.git(
            "hash-object", "-t", "tree", "-w", "--literally", "--stdin", standard_input=content
        )

    def commit_tree(self, tree: str) -> str:
        """Make a tree the head of ``main``, leaving the work tree alone."""
        commit = self.git("commit-tree", "-m", "By hand", tree)
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def publish(self, bare: Path) -> Path:
        """Copy it, objects and refs, to where a server finds it."""
        bare.mkdir(parents=True)
        _run("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        self.git("push", "--quiet", "--mirror", str(bare))
        return bare


async def unpacked(tree: Tree, prefix: str = "", uid: int = 1000) -> dict[str, tarfile.TarInfo]:
    """The members of a tree's archive by name."""
    content = b"".join([piece async for piece in tree.archive(prefix, uid)])
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        return {member.name: member for member in tar}


async def files_of(tree: Tree) -> dict[str, bytes]:
    """The plain files of a tree's archive with their contents."""
    content = b"".join([piece async for piece in tree.archive("", 1000)])
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        for member in tar:
            if (file := tar.extractfile(member) if member.isreg() else None) is not None:
                found[member.name] = file.read()
    return found


def processes_below(folder: Path) -> list[str]:
    """The command lines of all processes that have ``folder`` in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue  # it has ended meanwhile, or is somebody else's
    return found


def _run(*arguments: str) -> None:
    subprocess.run(["git", *arguments], env=_ENVIRONMENT, check=True)
