"""Git as the demo runs it: with nothing of the caller's, by fixed names, and not for ever."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from bot.domain.problems import UserProblem

SECONDS = 120.0

# Nothing of the caller's environment is taken over: no repository that GIT_DIR names, and no home,
# where git would look for a user's attributes and ignored names.
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@example.com",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@example.com",
}


class GitFailed(Exception):
    """Git ended with an error: the command, and what it said of it."""


async def run_git(
    folder: Path, *arguments: str, at: str = "", variables: Mapping[str, str] | None = None
) -> str:
    """Run git to its end; gives its output. ``at`` is the time of what it commits.

    Raises GitFailed, UserProblem where git is missing, TimeoutError after two minutes.
    """
    executable = shutil.which("git")
    if executable is None:
        raise UserProblem("git is not installed.", "Install it: apt-get install git")
    times = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
    process = await asyncio.create_subprocess_exec(
        executable,
        *arguments,
        cwd=folder,
        env=_ENVIRONMENT | times | dict(variables or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        said = (complaint or output).decode(errors="replace").strip()
        raise GitFailed(f"git {arguments[0]}: {said}")
    return output.decode().strip()
