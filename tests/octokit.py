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

import jsonschema
import pytest

from tests.conftest import IN_CI

PACKAGES = {
    "@octokit/graphql-schema": "15.26.1",
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


class Contract:
    """GitHub's published OpenAPI document: what a call may send and what it must answer."""

    def __init__(self) -> None:
        document = packages() / "@octokit/openapi/generated/api.github.com.json"
        self._document: dict[str, Any] = json.loads(document.read_text())
        self._schemas = _plain({"components": self._document["components"]})

    def check(self, method: str, path: str, status: int, sent: bytes, answered: bytes) -> list[str]:
        """What is wrong with an exchange; ``path`` without its query."""
        if path.startswith("/repositories/"):
            path = "/repos/owner/name"  # the same by its id: a real route that stands in no list
        operation = self._operation(method, path)
        if operation is None:
            return [f"{method} {path}: GitHub has no such route"]
        wrong: list[str] = []
        if sent and "requestBody" in operation:
            wrong += self._against(_json_schema(operation["requestBody"]), sent, "sent")
        answer = operation["responses"].get(str(status))
        if answer is None:
            # Limits and outages are not listed with each route.
            return wrong + ([] if status in KNOWN_EVERYWHERE else [f"{status} is no answer of it"])
        schema = _json_schema(self._resolved(answer))
        if schema is not None and answered and status != 304:
            wrong += self._against(schema, answered, f"answered {status}")
        return [f"{method} {path}: {it}" for it in wrong]

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The route of a path; in some, its last word may have slashes."""
        words = path.strip("/").split("/")
        templates = self._document["paths"]
        whole = [it for it in templates if _matches(it.strip("/").split("/"), words)]
        longer = [it for it in templates if it.endswith(OF_MANY_WORDS)]
        for template in (*whole, *longer):
            wanted = template.strip("/").split("/")
            if method.lower() in templates[template] and _matches(wanted, words[: len(wanted)]):
                found: dict[str, Any] = templates[template][method.lower()]
                return found
        return None

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self._document
            for word in node["$ref"].removeprefix("#/").split("/"):
                found = found[word]
            node = found
        return node

    def _against(self, schema: Any, content: bytes, what: str) -> list[str]:
        if schema is None:
            return []
        validator = jsonschema.Draft202012Validator(_plain(schema) | self._schemas)
        faults = validator.iter_errors(json.loads(content))
        deepest = (jsonschema.exceptions.best_match([it]) or it for it in faults)
        return [f"{what}: {it.json_path}: {it.message[-200:]}" for it in deepest]


OF_MANY_WORDS = ("{path}", "/git/refs/{ref}", "/branches/{branch}")
KNOWN_EVERYWHERE = frozenset({304, 401, 403, 404, 422, 429, 500, 502, 503})


def _matches(wanted: list[str], words: list[str]) -> bool:
    pairs = zip(wanted, words, strict=False)
    return len(wanted) == len(words) and all(it == word or it.startswith("{") for it, word in pairs)


def _json_schema(node: dict[str, Any]) -> Any:
    content: dict[str, Any] = node.get("content", {}).get("application/json", {})
    return content.get("schema")


def _plain(node: Any) -> Any:
    """OpenAPI 3.0's schema as JSON Schema: what is ``nullable`` may be null."""
    if isinstance(node, list):
        return [_plain(it) for it in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(it) for key, it in node.items() if key not in {"example", "examples"}}
    if [it.get("title") for it in node.get("allOf", [])] == ["Simple User", "Enterprise"]:
        plain["anyOf"] = plain.pop("allOf")  # a slip of the document: nobody is both
    if node.get("nullable") is True:
        del plain["nullable"]
        return {"anyOf": [plain, {"type": "null"}]}
    return plain
