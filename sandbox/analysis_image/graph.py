"""One tree's graph in one language, as graph-sitter sees it: imports, symbols and their usages.

A program of its own, so that a tree that takes too much memory or time, or crashes a parser, ends
this process and nothing else. ``python -m … PLACE GRAMMAR CHANGED ANSWER``; ``CHANGED`` is a file
with the paths, as JSON, whose symbols' usages are wanted.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import logging
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STACK_BYTES = 512 * 1024 * 1024
RECURSION = 50_000
MOST_FILES_OF_USAGES = 50
LONGEST_MATCH = 1000
DEEPEST = 500
"""Nodes on one branch of a syntax tree; code that people write stays below a hundred."""
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@a", "-c", "core.fsync=none")
NO_USAGE = {"IMPORTED", "EXPORTED_SYMBOL", "IMPORTED_WILDCARD", "EXPORTED_WILDCARD"}

Json = dict[str, Any]


def open_codebase(place: Path, grammar: str) -> Any:
    """graph-sitter's view of a folder, which it wants to be a repository with a commit."""
    if not (place / ".git").exists():
        place.mkdir(parents=True, exist_ok=True)
        for command in (("init", "-q"), ("add", "-A", "-f"), ("commit", "-q", "-m", "tree")):
            empty = ("--allow-empty",) if command[0] == "commit" else ()
            subprocess.run((*GIT, *command, *empty), cwd=place, check=True)  # noqa: S603 - ours
    codebase = importlib.import_module("graph_sitter").Codebase
    return codebase(str(place), language=grammar)


def too_deep(place: Path, grammar: str) -> list[str]:
    """The files whose syntax is nested deeper than graph-sitter can walk; they are taken away."""
    parsers = _parsers(grammar)
    found = []
    for path in sorted(place.rglob("*")):
        parser = parsers.get(path.suffix)
        if parser is None or not path.is_file() or path.is_symlink():
            continue
        if _is_deep(parser.parse(path.read_bytes()).walk()):
            path.unlink()
            found.append(path.relative_to(place).as_posix())
    return found


def _parsers(grammar: str) -> dict[str, Any]:
    sitter = importlib.import_module("tree_sitter")
    if grammar == "python":
        language = importlib.import_module("tree_sitter_python").language()
        return {".py": sitter.Parser(sitter.Language(language))}
    scripts = importlib.import_module("tree_sitter_typescript")
    plain = sitter.Parser(sitter.Language(scripts.language_typescript()))
    marked_up = sitter.Parser(sitter.Language(scripts.language_tsx()))
    return {".ts": plain, ".tsx": marked_up, ".js": marked_up, ".jsx": marked_up}


def _is_deep(cursor: Any) -> bool:
    """Whether a syntax tree has a branch of more than DEEPEST nodes; walked without recursion."""
    depth = 1
    while True:
        if cursor.goto_first_child():
            depth += 1
            if depth > DEEPEST:
                return True
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return False
            depth -= 1


def without_configuration(place: Path) -> list[str]:
    """The configurations that graph-sitter reads; they are taken away."""
    found = [path for path in sorted(place.rglob("*.json")) if ".git" not in path.parts]
    for path in found:
        path.unlink()
    return [path.relative_to(place).as_posix() for path in found]


def imports_of(file: Any) -> Iterator[Json]:
    """The imports of a file; ``target`` is the file that the module is, None where none is."""
    for found in file.imports:
        module = found.module.source.strip("'\"`") if found.module else ""
        resolved = found.resolved_symbol
        target = found.from_file
        yield {
            "file": file.filepath,
            "line": found.start_point[0] + 1,
            "column": found.start_point[1] + 1,
            "module": module,
            "name": found.symbol_name.source if found.symbol_name else "",
            "kind": found.import_type.name,
            "target": target.filepath if target is not None else None,
            "found": type(resolved).__name__ if resolved is not None else "",
            "dynamic": bool(found.is_dynamic),
            "type_only": _is_type_only(found),
        }


def _is_type_only(found: Any) -> bool:
    ask = getattr(found, "is_type_import", None)
    return bool(ask()) if ask is not None else False


def symbols_of(file: Any, wanted: set[str]) -> Iterator[Json]:
    """The top-level symbols of a file, with their usages where the file is wanted."""
    for symbol in file.symbols:
        name = symbol.name
        if not name:
            continue
        source = "\n".join(line.rstrip() for line in symbol.extended_source.splitlines())
        entry: Json = {
            "file": file.filepath,
            "name": name,
            "kind": type(symbol).__name__.removeprefix("Py").removeprefix("TS").lower(),
            "line": symbol.start_point[0] + 1,
            "digest": hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:16],
            # Of Python it says so of everything.
            "exported": type(symbol).__name__.startswith("TS") and bool(symbol.is_exported),
            "decorated": bool(getattr(symbol, "decorators", ())),
        }
        if file.filepath in wanted:
            entry |= usages_of(symbol)
        yield entry


def usages_of(symbol: Any) -> Json:
    """How often a symbol is named, and in which files; its own body does not count.

    graph-sitter also counts what is done with an instance, however far away: not a usage here.
    """
    named = re.compile(rf"(?<![\w$]){re.escape(symbol.name)}(?![\w$])")
    places = set()
    for usage in symbol.usages:
        if usage.kind.name in NO_USAGE or usage.usage_symbol == symbol:
            continue
        if usage.usage_type.name == "ALIASED" or named.search(usage.match.source[:LONGEST_MATCH]):
            places.add((usage.usage_symbol.file.filepath, tuple(usage.match.start_point)))
    files = Counter(file for file, _ in places)
    used_in = [file for file, _ in files.most_common(MOST_FILES_OF_USAGES)]
    return {"usages": len(places), "used_in": used_in, "file_count": len(files)}


def facts(place: Path, grammar: str, wanted: set[str]) -> Json:
    """All that is asked of one tree in one language."""
    failed = [[path, "nested too deep"] for path in too_deep(place, grammar)]
    try:
        codebase = open_codebase(place, grammar)
    except Exception:  # noqa: BLE001 - whatever it is, a configuration is what it stumbles over
        failed += [[path, "graph-sitter stumbles over it"] for path in without_configuration(place)]
        codebase = open_codebase(place, grammar)
    found: Json = {"imports": [], "symbols": [], "failed": failed}
    for file in codebase.files:
        try:
            entry = list(imports_of(file)), list(symbols_of(file, wanted))
        except Exception as fault:  # noqa: BLE001 - a parser's stumble over one file is told, not fatal
            found["failed"].append(
                [file.filepath, f"graph-sitter stumbles: {type(fault).__name__}"]
            )
            continue
        found["imports"] += entry[0]
        found["symbols"] += entry[1]
    return found


def main() -> None:
    """Write the facts to a file."""
    place, grammar, changed, answer = sys.argv[1:5]
    logging.disable(logging.CRITICAL)
    gc.disable()  # a graph lives as a whole until we end: looking for garbage takes half the time
    wanted = set(json.loads(Path(changed).read_text()))
    failed: list[BaseException] = []

    def work() -> None:
        try:
            Path(answer).write_text(json.dumps(facts(Path(place), grammar, wanted)))
        except BaseException as fault:  # noqa: BLE001 - told by the exit code
            failed.append(fault)

    # Deep expressions are walked by recursion.
    threading.stack_size(STACK_BYTES)
    sys.setrecursionlimit(RECURSION)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        sys.stderr.write(f"{type(failed[0]).__name__}: {failed[0]}"[:500] + "\n")
        raise SystemExit(3)


if __name__ == "__main__":
    main()
