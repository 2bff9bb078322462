"""Detection: from a tree's paths and a few of its files to how it is built, tested and started.

Pure: ``interesting(paths)`` says which files to read, ``detect(files, paths)`` reads them. What
is not certain is said: every value names its file, and what was not found says what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bot.policy.detect.found import Detected, Found, Missing
from bot.policy.detect.hints import Hints, read_hints
from bot.policy.detect.node import detect_node
from bot.policy.detect.other_stacks import detect_other
from bot.policy.detect.python import detect_python
from bot.policy.detect.static import detect_static
from bot.policy.detect.tree import INTERESTING, MAXIMUM_FILE_BYTES, Tree, interesting

__all__ = [
    "INTERESTING",
    "MAXIMUM_FILE_BYTES",
    "Detected",
    "Found",
    "Missing",
    "detect",
    "interesting",
]

NOTHING = (
    Missing("install_command", "no known manifest was found; set `deployment.install_command`"),
    Missing("start_command", "nothing to start was found; set `deployment.start_command`"),
)


def detect(files: Mapping[str, str], paths: Iterable[str]) -> Detected:
    """How a tree is installed, built, tested and started. ``files`` maps a path to its text."""
    tree = Tree(files, frozenset(paths) | files.keys())
    hints = read_hints(tree)
    found = _stack(tree, hints)
    found = _with_hints(found, hints)
    return replace(found, manifests=tree.manifests())


def _stack(tree: Tree, hints: Hints) -> Detected:
    python = detect_python(tree)
    node = detect_node(tree, hints.exposed)
    if python and node:
        return _together(python, node)
    found = python or node or detect_other(tree)
    static = detect_static(tree)
    if found is None:
        return static or Detected(missing=NOTHING)
    pages = tree.has("index.html") or tree.has("public/index.html")
    if static and pages and not (found.start or found.build or found.needs_image):
        return _serving(found, static)
    return found


def _serving(found: Detected, static: Detected) -> Detected:
    """A project whose pages are there as they are, beside its tools."""
    return replace(
        found,
        stack=f"{found.stack}, {static.stack}",
        start=static.start,
        port=static.port,
        health_path=static.health_path,
        missing=tuple(it for it in found.missing if it.key != "start_command"),
    )


def _together(python: Detected, node: Detected) -> Detected:
    """Two stacks at one root: what starts leads, the other joins where it has work to do."""
    first, second = (python, node) if python.start or not node.start else (node, python)
    if not (second.build or second.test or second.start):
        note = f"{second.stack} is there too; it has nothing to build, test or start"
        return replace(first, notes=(*first.notes, note))
    note = f"{first.stack} is started; {second.stack} beside it is built and tested only"
    return replace(
        first,
        stack=f"{first.stack}, {second.stack}",
        install=_both(first.install, second.install),
        build=_both(first.build, second.build),
        test=_both(first.test, second.test),
        notes=(*first.notes, *second.notes, note),
        locked=first.locked and second.locked,
        needs_source=first.needs_source or second.needs_source,
    )


def _both(first: Found[str] | None, second: Found[str] | None) -> Found[str] | None:
    if first is None or second is None:
        return first or second
    return Found(f"{first.value} && {second.value}", f"{first.origin}, {second.origin}")


def _with_hints(found: Detected, hints: Hints) -> Detected:
    """What other files say: Procfile over a guess, Dockerfile and Makefile where nothing else."""
    if hints.web and not (found.start and "package.json" in found.start.origin):
        port = hints.web_port or found.port or hints.exposed
        found = _started(found, hints.web, port)
    elif hints.command and found.start is None and not found.needs_image:
        found = _started(found, hints.command, hints.exposed)
    known = bool(found.stack)
    if not known or found.needs_image:
        found = replace(
            found,
            stack=found.stack or ("Makefile" if hints.make_build or hints.make_test else ""),
            build=found.build or hints.make_build,
            test=found.test or hints.make_test,
        )
    if found.port is None and hints.exposed and found.start:
        missing = tuple(it for it in found.missing if it.key != "port")
        found = replace(found, port=hints.exposed, missing=missing)
    if hints.image:
        note = f"the Dockerfile starts from {hints.image}; to run in it, set `sandbox.image`"
        found = replace(found, notes=(*found.notes, note))
    return found


def _started(found: Detected, start: Found[str], port: Found[int] | None) -> Detected:
    missing = tuple(it for it in found.missing if it.key not in {"start_command", "port"})
    if port is None:
        sentence = f"`{start.value}` names no port; set `deployment.port`"
        missing = (*missing, Missing("port", sentence))
    health = found.health_path or Found("/", "nothing else is known")
    return replace(found, start=start, port=port, health_path=health, missing=missing)
