"""How a Python project's dependencies are installed, by pip, so that its tests can run too.

A package is installed in place (``-e``) and without build isolation, after its build backend: so
that the same command, run again on a snapshot without a network, finds everything it needs.
"""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.policy.detect.found import Found
from bot.policy.detect.tree import Tree, table, texts

PIP = "python3 -m pip install"
_TEST_NAMES = ("test", "tests", "testing", "dev", "develop", "development")
_TEST_REQUIREMENTS = (
    "requirements-dev.txt", "requirements-test.txt", "requirements-tests.txt",
    "requirements_dev.txt", "requirements_test.txt", "dev-requirements.txt",
    "test-requirements.txt", "requirements/dev.txt", "requirements/test.txt",
    "requirements/tests.txt", "requirements/local.txt",
)  # fmt: skip
_REQUIREMENTS = ("requirements.txt", "requirements/base.txt", "requirements/common.txt")
# Backends that ask for more when a package is installed in place without build isolation.
_EDITABLE = {"hatchling": ("editables",), "pdm-backend": ("editables",)}
_FROM_GIT = ("setuptools-scm", "setuptools_scm", "hatch-vcs", "versioningit")
# Plugins among the tests' dependencies may want the project itself in no older version than some.
_ANY_VERSION = "SETUPTOOLS_SCM_PRETEND_VERSION=9999 "


@dataclass(frozen=True)
class Dependencies:
    """``names`` are the distributions named anywhere, in lower case with ``-``."""

    install: Found[str] | None
    names: frozenset[str]
    locked: bool = False
    needs_source: bool = False
    notes: tuple[str, ...] = ()


def dependencies(tree: Tree) -> Dependencies:
    """Requirements files first, then the project as a package, then its bare dependencies."""
    files = [it for it in (tree.first(*_REQUIREMENTS), *_for_tests(tree)) if it]
    commands, origins = [], list(files)
    if files:
        commands.append(f"{PIP} {' '.join(f'-r {path}' for path in files)}")
    package = _package(tree)
    bare = () if package or files else _bare(tree)
    if package:
        commands.append(package)
    elif bare:
        commands.append(f"{PIP} {shlex.join(bare)}")
    if package or bare:
        origins += [it for it in ("pyproject.toml", "setup.py", "Pipfile") if tree.has(it)][:1]
    lines = [line for path in files for line in requirement_lines(tree.text(path))]
    named = (*lines, *_declared(tree))
    unpinned = [line for line in lines if not _is_pinned(line)]
    lock = tree.first("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
    notes = (f"{lock} is not obeyed: the dependencies are installed by pip",) if lock else ()
    return Dependencies(
        install=Found(" && ".join(commands), ", ".join(origins)) if commands else None,
        names=frozenset(filter(None, map(distribution, named))),
        locked=bool(files) and not unpinned and not package,
        needs_source=bool(package) or any(map(_is_local, lines)),
        notes=notes if commands and not files else (),
    )


def _for_tests(tree: Tree) -> list[str]:
    """The requirements files that name pytest, else all that are for development."""
    found = [path for path in _TEST_REQUIREMENTS if tree.has(path)]
    return [it for it in found if re.search(r"(?m)^pytest\b", tree.text(it))] or found


def requirement_lines(text: str) -> list[str]:
    """The requirements of a requirements file, without comments and continued lines."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = (re.sub(r"(?:^|\s)#.*", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def distribution(requirement: str) -> str:
    """The distribution that a requirement names, empty where it is an option or a path."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return re.sub(r"[._]", "-", found[0].lower()) if found else ""


def _is_pinned(line: str) -> bool:
    return "==" in line or (line.startswith("-") and not _is_local(line))


def _is_local(line: str) -> bool:
    return bool(re.match(r"(?:-e|--editable)[\s=]|\.{1,2}(?:/|\[|$)|file:", line))


def _package(tree: Tree) -> str:
    """The command that installs the project itself, empty where it is no package."""
    project = tree.toml("pyproject.toml")
    build = table(project, "build-system")
    declared = "project" in project or bool(table(project, "tool", "poetry"))
    poetry = table(project, "tool", "poetry")
    if poetry.get("package-mode") is False or not (
        (build and declared) or tree.has("setup.py") or "[metadata]" in tree.text("setup.cfg")
    ):
        return ""
    backend = texts(build.get("requires")) or ["setuptools>=64", "wheel"]
    more = [it for name in backend for it in _EDITABLE.get(distribution(name), ())]
    version = _ANY_VERSION if _takes_version_from_git(backend) else ""
    extra = _test_extra(tree, project)
    own = f".[{extra}]" if extra else "."
    words = [f"-e {shlex.quote(own)}"]
    group = _preferred(table(project, "dependency-groups"))
    if group:
        words.append(f"--group {group}")
    words += map(shlex.quote, _poetry_tests(poetry))
    first = f"{PIP} {shlex.join([*backend, *more])}"
    return f"{first} && {version}{PIP} --no-build-isolation {' '.join(words)}"


def _takes_version_from_git(requires: Iterable[str]) -> bool:
    """Whether the version comes from git's history, which a box does not have."""
    return any(distribution(it) in {distribution(name) for name in _FROM_GIT} for it in requires)


def _test_extra(tree: Tree, project: Mapping[str, Any]) -> str:
    extras = table(project, "project", "optional-dependencies") or table(
        project, "tool", "poetry", "extras"
    )
    if extras:
        return _preferred(extras)
    legacy = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        legacy.read_string(tree.text("setup.cfg"))
    except configparser.Error:
        legacy = configparser.ConfigParser()
    section = "options.extras_require"
    if legacy.has_section(section):
        return _preferred({name: text.split("\n") for name, text in legacy.items(section)})
    _, _, setup = tree.text("setup.py").partition("extras_require")
    return next((it for it in _TEST_NAMES if re.search(rf"['\"]{it}['\"]\s*:", setup)), "")


def _preferred(groups: Mapping[str, Any]) -> str:
    """The extra or group for tests: one with pytest, else the first of the usual names."""
    usual = [name for name in _TEST_NAMES if name in groups]
    with_pytest = [it for it in usual if "pytest" in map(distribution, texts(groups[it]))]
    return next(iter([*with_pytest, *usual]), "")


def _bare(tree: Tree) -> tuple[str, ...]:
    """The dependencies of a project that is no package, as pip takes them."""
    project = tree.toml("pyproject.toml")
    poetry = table(project, "tool", "poetry")
    found = texts(table(project, "project").get("dependencies"))
    groups = {
        **table(project, "project", "optional-dependencies"),
        **table(project, "dependency-groups"),
    }
    found += texts(groups.get(_preferred(groups)))
    found += _requirements(table(poetry, "dependencies")) + _poetry_tests(poetry)
    pipfile = tree.toml("Pipfile")
    for section in ("packages", "dev-packages"):
        found += _requirements(table(pipfile, section))
    return tuple(dict.fromkeys(found))


def _poetry_tests(poetry: Mapping[str, Any]) -> list[str]:
    """The development dependencies of a Poetry project, which pip does not know."""
    groups = [table(poetry, "group", name, "dependencies") for name in _TEST_NAMES]
    groups.append(table(poetry, "dev-dependencies"))
    return [requirement for group in groups for requirement in _requirements(group)]


def _requirements(declared: Mapping[str, Any]) -> list[str]:
    """Requirements of a table ``name = version``, as Poetry and Pipenv write it."""
    found = []
    for name, value in declared.items():
        version = value.get("version", "*") if isinstance(value, dict) else value
        extras = ",".join(texts(value.get("extras"))) if isinstance(value, dict) else ""
        if name == "python" or not isinstance(version, str):
            continue
        found.append(f"{name}{f'[{extras}]' if extras else ''}{_range(version)}")
    return found


def _range(version: str) -> str:
    """Poetry's ``^1.2`` and ``~1.2`` as pip writes them; ``*`` is any version."""
    version = version.strip()
    if version in {"", "*"}:
        return ""
    found = re.fullmatch(r"([\^~])\s*(\d+)((?:\.\d+)*)", version)
    if found is None:
        return version if version[0] in "<>=!~" else f"=={version}"
    sign, parts = found[1], [int(it) for it in (found[2] + found[3]).split(".")]
    kept = 0 if len(parts) == 1 else 1
    if sign == "^":
        kept = next((at for at, it in enumerate(parts) if it), len(parts) - 1)
    ceiling = [*parts[:kept], parts[kept] + 1]
    return f">={found[2]}{found[3]},<{'.'.join(map(str, ceiling))}"


def _declared(tree: Tree) -> list[str]:
    """Every requirement that the project's own files name."""
    project = tree.toml("pyproject.toml")
    found = texts(table(project, "project").get("dependencies"))
    for groups in (("project", "optional-dependencies"), ("dependency-groups",)):
        for group in table(project, *groups).values():
            found += texts(group)
    poetry = table(project, "tool", "poetry")
    found += _requirements(table(poetry, "dependencies")) + _poetry_tests(poetry)
    found += re.findall(
        r"['\"]([A-Za-z][\w.-]*(?:\[[\w,-]*\])?\s*(?:[<>=!~].*?)?)['\"]", tree.text("setup.py")
    )
    found += tree.text("setup.cfg").replace(" ", "").split("\n")
    for section in ("packages", "dev-packages"):
        found += _requirements(table(tree.toml("Pipfile"), section))
    return found
