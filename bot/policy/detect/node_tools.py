"""Which package manager a Node project uses, and how it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.policy.detect.found import Found
from bot.policy.detect.tree import Tree

_LOCKS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
_WANTING = (
    "dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "workspaces",
)  # fmt: skip
"""What a manifest without a lock file leaves to the day."""


@dataclass(frozen=True)
class PackageManager:
    """``name`` is npm, pnpm or yarn; ``lock`` the lock file that install obeys, empty for none."""

    name: str
    install: Found[str]
    lock: str = ""
    notes: tuple[str, ...] = ()

    def script(self, name: str, arguments: str = "") -> str:
        """The command that runs a script of package.json; only npm wants ``--`` before words."""
        short = name if name in {"start", "test"} else f"run {name}"
        if not arguments:
            return f"{self.name} {short}"
        return f"{self.name} {short} {'-- ' if self.name == 'npm' else ''}{arguments}"

    def program(self, command: str) -> str:
        """The command that runs a program of an installed package."""
        return {"npm": "npx ", "pnpm": "pnpm exec ", "yarn": "yarn run "}[self.name] + command


def package_manager(tree: Tree, manifest: Mapping[str, Any]) -> PackageManager:
    """The package manager by lock file; ``packageManager`` decides between several."""
    locks = [path for path in _LOCKS if tree.has(path)]
    named = str(manifest.get("packageManager", ""))
    wanted = named.partition("@")[0]
    usable = [path for path in locks if _LOCKS[path] != "bun"]
    lock = next((path for path in usable if _LOCKS[path] == wanted), usable[0] if usable else "")
    notes = []
    if len({_LOCKS[path] for path in locks}) > 1 and lock:
        reason = (
            f"package.json's packageManager says {wanted}"
            if wanted == _LOCKS[lock]
            else ("name one in package.json's packageManager")
        )
        notes.append(
            f"there are several lock files ({', '.join(locks)}); {lock} was used: {reason}"
        )
    if locks and not usable:
        notes.append(f"{locks[0]} is not obeyed: the dependencies are installed by npm")
    name = _LOCKS.get(lock) or (wanted if wanted in {"npm", "pnpm", "yarn"} else "npm")
    if lock:
        return PackageManager(name, Found(_locked(name, tree, named), lock), lock, tuple(notes))
    if not locks and any(manifest.get(key) for key in _WANTING):
        notes.append("there is no lock file; what is installed changes from day to day")
    return PackageManager(name, Found(f"{name} install", "package.json"), notes=tuple(notes))


def _locked(name: str, tree: Tree, named: str) -> str:
    if name == "npm":
        return "npm ci"
    modern = tree.has(".yarnrc.yml") or re.match(r"yarn@(?:[2-9]|\d\d)", named)
    frozen = "--immutable" if name == "yarn" and modern else "--frozen-lockfile"
    return f"{name} install {frozen}"
