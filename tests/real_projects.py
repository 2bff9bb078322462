"""Real projects, laid out as folders by the ordinary clients of the package registries.

What a registry gives is what somebody published: templates, examples, libraries with their tests,
and what published generators make. Versions are exact; what they depend on is the day's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import IN_CI

SECONDS = 300


@dataclass(frozen=True)
class Registries:
    """Fetches into ``scratch``, a folder for one test."""

    scratch: Path

    def npm(self, package: str, folder: str = "") -> Path:
        """A package's files, or one folder of them. ``package`` is ``name@version``."""
        self._run("npm", "pack", package, "--silent")
        return self._unpacked(next(self.scratch.glob("*.tgz"))) / folder

    def npm_generator(self, package: str, *arguments: str, makes: str) -> Path:
        """What the program of a package makes in the folder that it is told to."""
        self._run("npm", "exec", "--yes", f"--package={package}", "--", *arguments)
        return self.scratch / makes

    def sdist(self, requirement: str, folder: str = "") -> Path:
        """A source distribution's files, or one folder of them. ``requirement`` is pinned."""
        name = requirement.partition("==")[0]
        self._python(
            "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name, requirement
        )
        return self._unpacked(next(self.scratch.glob("*.tar.gz"))) / folder

    def python_generator(self, requirements: tuple[str, ...], *arguments: str, makes: str) -> Path:
        """What a program of the first of some distributions makes."""
        place = self.scratch / "generator"
        self._python("-m", "venv", "--without-pip", str(place))
        python = str(place / "bin" / "python")
        self._python("-m", "pip", "--python", python, "install", "--quiet", *requirements)
        self._run(*arguments, path=place / "bin")
        project = self.scratch / makes
        shutil.rmtree(project / ".venv", ignore_errors=True)  # uv makes one; nobody commits it
        return project

    def debian(self, package: str, folder: str) -> Path:
        """A folder of a Debian package; those of Go modules hold their source and tests."""
        self._run("apt-get", "download", "--quiet", package)
        place = self.scratch / "debian"
        self._run("dpkg-deb", "-x", next(self.scratch.glob("*.deb")).name, str(place))
        # A checkout has no folder above it that belongs to anybody else.
        return Path(shutil.move(place / folder, self.scratch / "project"))

    def lock(self, project: Path, *command: str) -> None:
        """Have a package manager write its lock file; leaves nothing else behind."""
        self._run(*command, folder=project)
        shutil.rmtree(project / "node_modules", ignore_errors=True)

    def _python(self, *arguments: str) -> None:
        self._run(sys.executable, *arguments)

    def _run(self, *command: str, path: Path | None = None, folder: Path | None = None) -> None:
        environ = dict(os.environ)  # noqa: TID251 - the clients need the tester's proxies and indexes
        if path is not None:
            environ["PATH"] = f"{path}{os.pathsep}{environ['PATH']}"
        if shutil.which(command[0], path=environ["PATH"]) is None:
            message = f"needs {command[0]} (Debian: apt-get install npm)"
            (pytest.fail if IN_CI else pytest.skip)(message)
        done = subprocess.run(
            command,
            check=False,
            cwd=folder or self.scratch,
            env=environ | {"CI": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"

    def _unpacked(self, archive: Path) -> Path:
        place = self.scratch / "unpacked"
        with tarfile.open(archive) as tar:
            tar.extractall(place, filter="data")
        return next(place.iterdir())
