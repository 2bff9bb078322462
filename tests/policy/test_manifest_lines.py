"""Which line of a manifest an install's error is about."""

from __future__ import annotations

import pytest

from bot.domain.validations import Finding, Level
from bot.policy.manifest_lines import with_lines

PACKAGE = """{
  "name": "shop",
  "dependencies": {
    "express": "4.99.1",
    "express-session": "1.0.0",
    "@shop/price.list": "^2"
  },
  "devDependencies": {"mocha": "11", "typo": "1"},
  "overrides": {
    "typo": "1",
    "twice": "1"
  },
  "resolutions": {
    "twice": "2"
  }
}
"""
REQUIREMENTS = "# the web\nFlask==3.1.2\nflask_sqlalchmey[async]>=3 ; python_version > '3'\nredis\n"
PROJECT = '[project]\ndependencies = [\n  "Flask == 3",\n  "redis",\n]\n'
FILES = {
    "package.json": PACKAGE,
    "requirements.txt": REQUIREMENTS,
    "pyproject.toml": PROJECT,
    "Cargo.toml": '[dependencies]\nserd = "1"\n',
}


@pytest.mark.parametrize(
    ("file", "message", "line"),
    [
        ("package.json", "No matching version found for express@4.99.1.", 4),
        ("package.json", "No matching version found for @shop/price.list@^2.", 6),
        ("package.json", "'express-session@1.0.0' is not in this registry.", 5),
        ("package.json", "'@shop/nothing@1' is not in this registry.", None),
        ("package.json", "No matching version found for twice@9.", None),
        ("package.json", 'Missing script: "build"', None),
        ("package.json", "ERESOLVE could not resolve", None),
        ("requirements.txt", "No matching distribution found for Flask==3.1.2", 2),
        ("requirements.txt", "No matching distribution found for Flask-SQLAlchmey>=3", 3),
        ("requirements.txt", "No matching distribution found for redis", 4),
        ("requirements.txt", "No matching distribution found for red", None),
        ("pyproject.toml", "No matching distribution found for flask==3", 3),
        ("Cargo.toml", "no matching package named `serd` found", 2),
        ("gone.txt", "No matching distribution found for flask", None),
    ],
)
def test_the_line_that_begins_with_the_package(file: str, message: str, line: int | None) -> None:
    (found,) = with_lines((Finding("install", file, None, None, Level.FAILURE, message),), FILES)
    assert found.line == line


def test_a_line_that_the_tool_has_told_stands() -> None:
    told = Finding("install", "requirements.txt", 7, None, Level.FAILURE, "found for redis")
    assert with_lines((told,), FILES) == (told,)
