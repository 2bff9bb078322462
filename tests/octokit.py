"""GitHub's own contract from npm: real payloads, a foreign signer, the OpenAPI document.

Installed when first asked for, below ``.state/``; never copied into the repository.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import IN_CI

PACKAGES = {
    "@octokit/openapi": "23.0.2",
    "@octokit/webhooks-examples": "7.6.1",
    "@octokit/webhooks-methods": "6.0.0",
}
FOLDER = Path(__file__).resolve().parents[1] / ".state" / "octokit"
INSTALL_SECONDS = 300


@dataclass(frozen=True)
class Example:
    """A real payload of an event."""

    name: str
    payload: dict[str, Any]


def packages() -> Path:
    """The folder of the installed packages; a skip where there is no npm, an error in CI."""
    npm = shutil.which("npm")
    if npm is None:
        (pytest.fail if IN_CI else pytest.skip)("needs npm (Debian: apt-get install npm)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes ask at once
        wanted = json.dumps(PACKAGES, sort_keys=True)
        stamp = FOLDER / "stamp"
        if not stamp.exists() or stamp.read_text() != wanted:
            subprocess.run(
                [npm, "install", "--silent", "--no-audit", "--no-fund", f"--prefix={FOLDER}"]
                + [f"{name}@{version}" for name, version in PACKAGES.items()],
                check=True,
                timeout=INSTALL_SECONDS,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stamp.write_text(wanted)
    return FOLDER / "node_modules"


def examples() -> list[Example]:
    """All real payloads of github.com."""
    index = packages() / "@octokit/webhooks-examples/api.github.com/index.json"
    return [
        Example(event["name"], payload)
        for event in json.loads(index.read_text())
        for payload in event["examples"]
    ]
