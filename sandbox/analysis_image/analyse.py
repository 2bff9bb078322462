"""Runs inside the box of the code analysis: two trees in, one JSON document out.

In, on standard input: a line of JSON (``limits``; ``base``, whether there is one), then head and
base, each a framed tar (see ``intake``). The input stays open: when it ends, whoever asked is gone,
and so are we. Out, on standard output: one line of JSON, of at most ``ANSWER_BYTES``.
Nothing of a tree runs. Each tree and grammar is read by a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sandbox.analysis_image.comparison import (
    Side,
    changed_symbols,
    dangling,
    unused_functions,
)
from sandbox.analysis_image.cycles import new_cycles
from sandbox.analysis_image.intake import GRAMMARS, KNOWN, Bounds, Taken, take

SCHEMA = 1
ANSWER_BYTES = 240 * 1024
MOST = {"dangling": 200, "cycles": 20, "changed": 50, "unused": 50}
MOST_FILES = 20
MOST_LEFT_OUT = 20
LONGEST_TEXT = 300
PARALLEL_LINES = 40_000
"""Up to so many lines in both trees together, two are read side by side."""

Json = dict[str, Any]


class Ended(Exception):
    """The analysis can't go on; ``state`` says why."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


def main() -> None:
    """Read, analyse, answer."""
    began = time.monotonic()
    stream = sys.stdin.buffer
    order = json.loads(stream.readline())
    limits = order["limits"]
    bounds = Bounds(limits["lines"], limits["file_bytes"], limits["source_bytes"])
    scratch = Path(tempfile.mkdtemp())
    head = take(stream, scratch / "head", bounds)
    base = take(stream, scratch / "base", bounds) if order["base"] else None
    threading.Thread(target=_leave_with, args=(stream,), daemon=True).start()
    deadline = began + limits["seconds"]
    answer = _about(head, base, bounds)
    try:
        answer |= _analysed(head, base, bounds, scratch, deadline)
    except Ended as ended:
        answer |= {"state": ended.state, "reason": ended.reason}
    answer["seconds"] = round(time.monotonic() - began, 3)
    sys.stdout.write(_bounded(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)


def _leave_with(stream: Any) -> None:
    while stream.read(1):
        pass
    os.killpg(0, signal.SIGKILL)


def _about(head: Taken, base: Taken | None, bounds: Bounds) -> Json:
    """What can be said of any tree, analysed or not."""
    known = set(KNOWN.values())
    languages = [
        {"name": name, "lines": lines, "files": files, "known": name in known}
        for name, (lines, files) in head.languages.items()
    ]
    return {
        "schema": SCHEMA,
        "state": "analysed",
        "reason": "",
        "base": base is not None,
        "lines": head.line_count,
        "line_limit": bounds.lines,
        "languages": sorted(languages, key=lambda it: -it["lines"]),
        "left_out": [{"file": path, "why": why} for path, why in head.left_out.items()],
        "left_out_count": len(head.left_out),
    }


def _analysed(
    head: Taken, base: Taken | None, bounds: Bounds, scratch: Path, deadline: float
) -> Json:
    for tree, name in ((head, "the head"), (base, "the base")):
        if tree is not None and tree.over:
            raise Ended("too_large", _too_large(tree, name, bounds))
    grammars = [it for it in dict.fromkeys(GRAMMARS.values()) if head.files(it)]
    if base is not None:
        grammars = [it for it in grammars if _differs(head, base, it)]
    if not grammars:
        return _nothing(head)
    sides = [("head", head)] + ([("base", base)] if base is not None else [])
    jobs = [(name, tree, grammar) for grammar in grammars for name, tree in sides]
    wanted = scratch / "wanted.json"
    wanted.write_text(json.dumps(_changed(head, base) if base is not None else []))
    lines = sum(tree.line_count for _, tree in sides)
    facts = _run(jobs, scratch, wanted, deadline, parallel=2 if lines <= PARALLEL_LINES else 1)
    imports = {name: {g: facts[name, g]["imports"] for g in grammars} for name, _ in sides}
    now = Side(head, {g: facts["head", g] for g in grammars}, imports.get("base", {}))
    before = None
    if base is not None:
        before = Side(base, {g: facts["base", g] for g in grammars}, imports["head"])
    return _compared(now, before, facts)


def _compared(head: Side, base: Side | None, facts: dict[tuple[str, str], Json]) -> Json:
    found, standing = dangling(head, base)
    lists: dict[str, Sequence[Json]] = {
        "dangling": found,
        "cycles": [],
        "changed": [],
        "unused": [],
    }
    if base is not None:
        lists |= {
            "cycles": [
                cycle
                for grammar in head.facts
                for cycle in new_cycles(head.imports(grammar), base.imports(grammar))
            ],
            "changed": changed_symbols(head, base),
            "unused": unused_functions(head, base),
        }
    stumbled = [
        {"file": file, "why": why}
        for (name, _), each in facts.items()
        if name == "head"
        for file, why in each["failed"]
    ]
    answer: Json = {"standing": standing}
    if stumbled:
        told = [{"file": path, "why": why} for path, why in head.taken.left_out.items()]
        answer |= {"left_out": told + stumbled, "left_out_count": len(told) + len(stumbled)}
    for name, items in lists.items():
        answer |= {name: items, f"{name}_count": len(items)}
    return answer


def _nothing(head: Taken) -> Json:
    empty: Json = {"standing": 0}
    for name in MOST:
        empty |= {name: [], f"{name}_count": 0}
    if not head.lines:
        return empty | {"state": "nothing", "reason": "no file of a language that it knows"}
    return empty | {"state": "unchanged", "reason": "no file that it reads has changed"}


def _too_large(tree: Taken, name: str, bounds: Bounds) -> str:
    if tree.line_count > bounds.lines:
        return f"{name} has {tree.line_count:,} lines, the limit is {bounds.lines:,}"
    return f"{name} has more source or more files than can be analysed"


def _differs(head: Taken, base: Taken, grammar: str) -> bool:
    """Whether a change can matter to a grammar: its files, a configuration, or a path that went."""
    if any(path not in head.digests for path in base.digests):
        return True
    return any(
        path in head.configuration or GRAMMARS.get(PurePosixPath(path).suffix) == grammar
        for path in _changed(head, base)
    )


def _changed(head: Taken, base: Taken) -> list[str]:
    """The paths that are new or have another content."""
    return [path for path, digest in head.digests.items() if base.digests.get(path) != digest]


def _run(
    jobs: Sequence[tuple[str, Taken, str]],
    scratch: Path,
    wanted: Path,
    deadline: float,
    *,
    parallel: int,
) -> dict[tuple[str, str], Json]:
    """Read every tree in every grammar; ``parallel`` of them at a time."""
    waiting, running = list(jobs), list[tuple[str, str, Path, subprocess.Popen[bytes]]]()
    facts: dict[tuple[str, str], Json] = {}
    try:
        while waiting or running:
            # Two grammars of one tree share its folder, and the repository that is made there.
            busy = {name for name, *_ in running}
            free = next((it for it in waiting if it[0] not in busy), None)
            if free is not None and len(running) < parallel:
                waiting.remove(free)
                running.append(_start(*free, scratch, wanted))
                continue
            name, grammar, answer, process = running.pop(0)
            _wait(process, deadline)
            if not answer.exists():
                raise Ended("crashed", f"graph-sitter gave nothing of the {name}")
            facts[name, grammar] = json.loads(answer.read_text())
    finally:
        for *_, process in running:
            process.kill()
    return facts


def _start(
    name: str, tree: Taken, grammar: str, scratch: Path, wanted: Path
) -> tuple[str, str, Path, subprocess.Popen[bytes]]:
    answer = scratch / f"{name}.{grammar}.json"
    process = subprocess.Popen(  # noqa: S603 - our own program
        (
            sys.executable, "-I", "-m", "sandbox.analysis_image.graph",
            str(tree.place), grammar, str(wanted), str(answer),
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(scratch / f"{name}.{grammar}.log").open("wb"),
    )  # fmt: skip
    return name, grammar, answer, process


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        code = process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        raise Ended("timed_out", "it took longer than it may") from None
    if code == -signal.SIGKILL:
        raise Ended("out_of_memory", "it needs more memory than it may have")
    if code != 0:
        raise Ended("crashed", f"graph-sitter could not read the tree (exit code {code})")


def _bounded(answer: Json) -> str:
    """The answer as one line of bounded length; what was cut has its count beside it."""
    most = dict(MOST)
    while True:
        cut: Json = {**answer, "left_out": answer["left_out"][:MOST_LEFT_OUT]}
        for name, count in most.items():
            cut[name] = [_short(it) for it in answer.get(name, [])[:count]]
        text = json.dumps(_short(cut))
        if len(text) <= ANSWER_BYTES:
            return text
        most = {name: count // 2 for name, count in most.items()}


def _short(value: Any) -> Any:
    """A value whose texts and lists of files are bounded."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…"
    if isinstance(value, dict):
        return {
            key: _short(it[:MOST_FILES] if key == "files" and isinstance(it, list) else it)
            for key, it in value.items()
        }
    return [_short(it) for it in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
