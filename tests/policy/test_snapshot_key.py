"""The snapshot's key: every ingredient changes it, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.plan import Stage, Step
from bot.policy.snapshot_key import snapshot_key

INSTALL = Step(Stage.INSTALL, "npm ci", {"A": "1", "B": "2"}, ("TOKEN",))


def key(**changes: Any) -> str:
    ingredients: dict[str, Any] = {
        "scope": "17",
        "trusted": True,
        "image_id": "sha256:aa",
        "architecture": "amd64",
        "install": INSTALL,
        "manifests": {"package.json": b"{}", "package-lock.json": b"[]"},
    }
    return snapshot_key(**(ingredients | changes))


def test_the_key_is_stable() -> None:
    assert key() == "7843f2f2f0292f0d1ba20ad01916e818"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"scope": "18"}, id="another repository"),
        pytest.param({"trusted": False}, id="trust"),
        pytest.param({"image_id": "sha256:bb"}, id="image"),
        pytest.param({"architecture": "arm64"}, id="architecture"),
        pytest.param(
            {"install": Step(Stage.INSTALL, "npm i", {"A": "1", "B": "2"}, ("TOKEN",))},
            id="command",
        ),
        pytest.param(
            {"install": Step(Stage.INSTALL, "npm ci", {"A": "1", "B": "3"}, ("TOKEN",))},
            id="value of a variable",
        ),
        pytest.param(
            {"install": Step(Stage.INSTALL, "npm ci", {"A": "1", "C": "2"}, ("TOKEN",))},
            id="name of a variable",
        ),
        pytest.param(
            {"install": Step(Stage.INSTALL, "npm ci", {"A": "1", "B": "2"})},
            id="name of a secret",
        ),
        pytest.param(
            {"manifests": {"package.json": b"{ }", "package-lock.json": b"[]"}},
            id="content of a manifest",
        ),
        pytest.param(
            {"manifests": {"package.json": b"{}", "a/package-lock.json": b"[]"}},
            id="path of a manifest",
        ),
        pytest.param({"manifests": {"package.json": b"{}"}}, id="a manifest less"),
        pytest.param(
            {"manifests": {"package.json": b"{}[]", "package-lock.json": b""}},
            id="content moved between manifests",
        ),
    ],
)
def test_every_ingredient_changes_the_key(changes: dict[str, Any]) -> None:
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"manifests": {"package-lock.json": b"[]", "package.json": b"{}"}},
            id="order of the manifests",
        ),
        pytest.param(
            {"install": Step(Stage.INSTALL, "npm ci", {"B": "2", "A": "1"}, ("TOKEN",))},
            id="order of the variables",
        ),
        pytest.param(
            {"install": Step(Stage.INSTALL, "npm ci", {"A": "1", "B": "2"}, ("TOKEN",), 60.0)},
            id="time limit",
        ),
    ],
)
def test_nothing_else_changes_it(changes: dict[str, Any]) -> None:
    assert key(**changes) == key()
