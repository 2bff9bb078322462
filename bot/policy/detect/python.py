"""Python projects: what is installed, which test runner is theirs, and their web application."""

from __future__ import annotations

import re

from bot.policy.detect.found import Detected, Found, Missing
from bot.policy.detect.python_dependencies import Dependencies, dependencies
from bot.policy.detect.python_web import find_web_application
from bot.policy.detect.tree import Tree, table

_MANIFESTS = (
    "requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "setup.cfg", "manage.py",
    "requirements/base.txt",
)  # fmt: skip
_TEST_FILE = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test|tests)\.py")
_NO_START = (
    "no start command was found: no Django, Flask, FastAPI or other known web application; set "
    "`deployment.start_command`"
)


def detect_python(tree: Tree) -> Detected | None:
    """A project with one of Python's manifests, or an application that stands alone."""
    found = dependencies(tree)
    web = find_web_application(tree, found.names)
    if web is None and tree.first(*_MANIFESTS) is None:
        return None
    test, missing_test = _test(tree, found)
    gaps = (missing_test, web.missing if web else Missing("start_command", _NO_START))
    return Detected(
        stack=f"Python ({web.framework})" if web else "Python",
        install=found.install,
        test=test,
        start=web.start if web else None,
        port=web.port if web else None,
        health_path=web.health_path if web else None,
        fallback_path=web.fallback_path if web else None,
        notes=found.notes,
        missing=tuple(gap for gap in gaps if gap is not None),
        locked=found.locked,
        needs_source=found.needs_source,
    )


def _test(tree: Tree, found: Dependencies) -> tuple[Found[str] | None, Missing | None]:
    """The runner: pytest where it is a dependency, else Django's, else unittest's."""
    tests = sorted(it for it in tree.paths if _TEST_FILE.fullmatch(it))
    configured = _pytest_configuration(tree)
    if "pytest" in found.names and tests:
        return Found("python3 -m pytest", configured or _origin(found)), None
    if configured and tests:
        sentence = (
            f"{configured} sets pytest up, but pytest is not among the dependencies; add it or set "
            "`deployment.test_command`"
        )
        return None, Missing("test_command", sentence)
    if tree.has("manage.py") and tests:
        return Found("python3 manage.py test", "manage.py"), None
    # Django's own tests of a reusable application need settings that only its author knows.
    for path in tests if "django" not in found.names else ():
        if re.search(
            r"^\s*(?:import unittest|from unittest import)", tree.text(path), re.MULTILINE
        ):
            return Found(_discover(tree, path), path), None
    sentence = "no tests were found; set `deployment.test_command`"
    if tests:
        sentence = (
            f"{tests[0]} names no test runner that is installed; add pytest to the dependencies"
        )
    return None, Missing("test_command", sentence)


def _origin(found: Dependencies) -> str:
    """The file that names the dependencies."""
    return found.install.origin if found.install else "the dependencies"


def _pytest_configuration(tree: Tree) -> str | None:
    """The file that sets pytest up."""
    if table(tree.toml("pyproject.toml"), "tool", "pytest"):
        return "pyproject.toml"
    if tree.has("pytest.ini"):
        return "pytest.ini"
    sections = (("tox.ini", "[pytest]"), ("setup.cfg", "[tool:pytest]"))
    return next((path for path, section in sections if section in tree.text(path)), None)


def _discover(tree: Tree, path: str) -> str:
    """Discovery of unittest in the folder of a test file."""
    folder = path.rpartition("/")[0]
    if not folder:
        return "python3 -m unittest discover"
    top = " -t ." if tree.has(f"{folder}/__init__.py") else ""
    return f"python3 -m unittest discover -s {folder}{top}"
