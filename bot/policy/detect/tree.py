"""The tree as detection sees it: all paths, and the contents of the few files worth reading."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MAXIMUM_FILES = 200
MAXIMUM_FILE_BYTES = 256 * 1024
"""How much of one interesting file needs to be read."""

MANIFEST_NAMES = frozenset(
    [
        "package.json",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "pnpm-lock.yaml",
        "pnpm-workspace.yaml",
        "yarn.lock",
        "bun.lock",
        "bun.lockb",
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
        ".pnpmfile.cjs",
        ".nvmrc",
        ".node-version",
        "pyproject.toml",
        "setup.py",
        "setup.cfg",
        "uv.lock",
        "poetry.lock",
        "pdm.lock",
        "Pipfile",
        "Pipfile.lock",
        ".python-version",
        "go.mod",
        "go.sum",
        "go.work",
        "go.work.sum",
        "Cargo.toml",
        "Cargo.lock",
        "pom.xml",
        "build.gradle",
        "build.gradle.kts",
        "settings.gradle",
        "settings.gradle.kts",
        "gradle.lockfile",
        "Gemfile",
        "Gemfile.lock",
        "composer.json",
        "composer.lock",
    ]
)
_REQUIREMENTS = re.compile(
    r"(?:.*/)?(?:[\w.-]*requirements[\w.-]*|constraints[\w.-]*)\.(?:txt|in)"
    r"|(?:.*/)?requirements/[\w.-]+\.(?:txt|in)"
)
_FOREIGN = frozenset(
    {"node_modules", "bower_components", "vendor", ".git", ".venv", "venv", "site-packages"}
)

INTERESTING = (
    "package.json", "*/package.json", "*/*/package.json", "pnpm-workspace.yaml", ".yarnrc.yml",
    "angular.json", "vite.config.*", "next.config.*", "astro.config.*",
    "requirements*.txt", "*-requirements.txt", "*_requirements.txt", "requirements/*.txt",
    "pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "tox.ini", "pytest.ini", "manage.py",
    "Dockerfile", "Procfile", "Makefile", "GNUmakefile", "makefile",
    "go.mod", "main.go", "Cargo.toml", "pom.xml", "Gemfile", "composer.json",
    "server.*", "app.*", "index.*", "main.*", "bin/www", "bin/*.js", "wsgi.py", "asgi.py",
    "src/server.*", "src/app.*", "src/index.*", "src/main.*", "server/*.js", "server/*.ts",
    "*.py", "*/urls.py", "*/__init__.py", "*/app.py", "*/main.py", "*/wsgi.py",
    "src/*/__init__.py", "src/*/app.py", "src/*/main.py", "src/*/wsgi.py",
    "tests/test_*.py", "test/test_*.py", "*.js", "*.mjs", "*.cjs", "*/*.py", "src/*/*.py",
)  # fmt: skip
"""Globs over whole paths, the most telling first; ``*`` stays within one folder."""

_GLOBS = tuple(re.compile(re.escape(glob).replace(r"\*", "[^/]*")) for glob in INTERESTING)
_UNREADABLE = re.compile(r"\.(?:html?|css|png|jpe?g|svg|ico|gif|map|lock|min\.js)$")


def interesting(paths: Iterable[str]) -> tuple[str, ...]:
    """The paths whose contents ``detect`` wants, the most telling first, at most 200."""
    ranked = []
    for path in paths:
        if is_foreign(path) or _UNREADABLE.search(path):
            continue
        rank = next((at for at, glob in enumerate(_GLOBS) if glob.fullmatch(path)), None)
        if rank is not None:
            ranked.append((rank, path))
    return tuple(path for _, path in sorted(ranked)[:MAXIMUM_FILES])


def is_foreign(path: str) -> bool:
    """Whether a path lies in a folder of other people's code that was checked in."""
    return not _FOREIGN.isdisjoint(path.split("/")[:-1])


@dataclass(frozen=True)
class Tree:
    """``files`` maps a path to its text; ``paths`` are all, those of ``files`` included."""

    files: Mapping[str, str]
    paths: frozenset[str]

    def has(self, path: str) -> bool:
        return path in self.paths

    def first(self, *candidates: str) -> str | None:
        """The first of some paths that the tree has."""
        return next((path for path in candidates if path in self.paths), None)

    def text(self, path: str) -> str:
        """A file's text, empty where it is not there or was not read."""
        return self.files.get(path, "")

    def json(self, path: str) -> dict[str, Any]:
        """A JSON file's object, empty where there is none that can be read."""
        try:
            found = json.loads(self.text(path).removeprefix("\ufeff") or "{}")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def toml(self, path: str) -> dict[str, Any]:
        """A TOML file's table, empty where there is none that can be read."""
        try:
            return tomllib.loads(self.text(path).replace("\r\n", "\n").removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            return {}

    def manifests(self) -> tuple[str, ...]:
        """Every manifest, lock and package-manager file, sorted."""
        return tuple(sorted(path for path in self.paths if _is_manifest(path)))


def _is_manifest(path: str) -> bool:
    if is_foreign(path):
        return False
    return path.rpartition("/")[2] in MANIFEST_NAMES or bool(_REQUIREMENTS.fullmatch(path))


def table(value: Any, *keys: str) -> dict[str, Any]:
    """The table below some keys of parsed TOML or JSON, empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def texts(value: Any) -> list[str]:
    """The texts of a list of parsed TOML or JSON, empty where there is none."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
