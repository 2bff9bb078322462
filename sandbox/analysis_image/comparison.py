"""Head against base: what dangles now, what a change touches, what nobody uses.

Pure: facts of ``graph`` and names of both trees in, plain lists out. Without a base only what
holds of the head by itself is told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.analysis_image.intake import PYTHON, Taken
from sandbox.analysis_image.places import Answer, Places, joined
from sandbox.analysis_image.python_look import PythonLook, roots_of
from sandbox.analysis_image.script_look import ScriptLook, aliases_of

Json = dict[str, Any]

MODULE_KINDS = {"MODULE", "WILDCARD", "SIDE_EFFECT"}
GUARDED = "it stands in a condition"
MADE = re.compile(
    r"(^|/|_)(_*generated_*|gen|codegen|dist|build|out|\.next|__pycache__|target)(/|$)"
    r"|_pb2(_grpc)?$|_pb$|(^|/)_?version$|\.gen$|\.generated$"
)
"""Paths that are commonly made by a build and kept out of the tree."""
KNOWN_BY_NAME = re.compile(
    r"^(main|handler|lambda_handler|setup|teardown|upgrade|downgrade|application|create_app|run"
    r"|register|load|configure|includeme|pytest_.*|test.*|_|__.*__)$"
)
"""Functions that something outside the tree calls by their name."""
TEST_FILE = re.compile(
    r"(^|/)(tests?|__tests__|spec|e2e|examples?|docs?|migrations|alembic)/|conftest"
    r"|(^|/)test_|_test\.|\.test\.|\.spec\.|\.config\.|\.stories\."
)
WORD = re.compile(r"[A-Za-z_$][\w$]*")


@dataclass
class Side:
    """One tree: what was taken of it, and the facts of each grammar.

    ``hints`` are imports of the other tree, which show what aliases and roots there are.
    """

    taken: Taken
    facts: Mapping[str, Json] = field(default_factory=dict)
    hints: Mapping[str, list[Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        modules = self.taken.configuration.get(".gitmodules", "")
        self.places = Places.of(self.taken.digests, self.taken.links, modules)
        self.configured = "\n".join(self.taken.configuration.values())
        self._looks: dict[str, PythonLook | ScriptLook] = {}

    def imports(self, grammar: str) -> list[Json]:
        return list(self.facts.get(grammar, {}).get("imports", ()))

    def symbols(self) -> list[Json]:
        return [it for facts in self.facts.values() for it in facts["symbols"]]

    def look(self, grammar: str) -> PythonLook | ScriptLook:
        if grammar not in self._looks:
            imports, text = self.imports(grammar) + self.hints.get(grammar, []), self.taken.text
            self._looks[grammar] = (
                PythonLook(self.places, text, roots_of(imports), self._required())
                if grammar == PYTHON
                else ScriptLook(self.places, text, aliases_of(imports))
            )
        return self._looks[grammar]

    def answer(self, grammar: str, it: Json, was: str | None) -> Answer:
        """The second look at one import."""
        look, name = self.look(grammar), imported_name(it)
        if isinstance(look, PythonLook):
            return look.at(it["file"], it["module"], name, was)
        return look.at(it["file"], it["module"], name)

    def _required(self) -> str:
        wanted = re.compile(r"requirements|pyproject\.toml$|setup\.(py|cfg)$|Pipfile$")
        texts = self.taken.configuration.items()
        return "\n".join(_without_own_name(text) for path, text in texts if wanted.search(path))


def _without_own_name(text: str) -> str:
    return re.sub(r"""(?m)^\s*(name|packages?|include|where|module[\w-]*)\s*=.*$""", "", text)


def imported_name(it: Json) -> str:
    """The name that an import wants of its module; empty where it wants the module itself."""
    if it["kind"] in MODULE_KINDS:
        return ""
    if it["kind"] == "DEFAULT_EXPORT":
        return "default"
    name = str(it["name"])
    return "" if name in ("*", it["module"]) or name.startswith("*") else name


# ── imports ──────────────────────────────────────────────────────────────────────────────────


def dangling(head: Side, base: Side | None) -> tuple[list[Json], int]:
    """The imports that dangle in head and not in base, and how many dangle in both.

    ``certain`` is false where the tree has a reason for a module that is not in it.
    """
    found: list[Json] = []
    standing = 0
    for grammar in head.facts:
        before = _Before(base, grammar) if base else None
        seen = set()
        for it in head.imports(grammar):
            key = (it["file"], it["line"], it["module"], imported_name(it))
            if key in seen or _followed(it, grammar):
                continue
            seen.add(key)
            was = before.target(it) if before else None
            if head.answer(grammar, it, was) is not Answer.MISSING:
                continue
            whole = head.answer(grammar, it | {"kind": "MODULE"}, was) is Answer.MISSING
            guarded = head.look(grammar).is_guarded(it["file"], it["line"])
            if before and before.dangled(it, whole=whole):
                standing += not guarded
                continue
            why = GUARDED if guarded else _excuse(head, grammar, it, before, whole=whole)
            place = {part: it[part] for part in ("file", "line", "column", "module")}
            name = "" if whole else imported_name(it)
            entry = place | {"name": name, "certain": not why, "why": why}
            if entry not in found:
                found.append(entry)
    return found, standing


def _followed(it: Json, grammar: str) -> bool:
    """Whether graph-sitter followed an import to its symbol, or to the file that was asked for."""
    if not it["module"]:
        return True
    if it["found"] in ("", "ExternalModule"):
        return False
    is_file = it["found"] in ("PyFile", "TSFile")
    # It takes the file for a name that the file does not export.
    return not is_file or imported_name(it) == "" or grammar == PYTHON


class _Before:
    """What the base's imports came to."""

    def __init__(self, base: Side, grammar: str) -> None:
        self._base = base
        self._grammar = grammar
        self._targets: dict[tuple[str, str], str] = {}
        self._imports: dict[tuple[str, str, str], list[Json]] = {}
        for it in base.imports(grammar):
            if it["target"]:
                self._targets.setdefault((it["file"], it["module"]), it["target"])
            name = imported_name(it)
            self._imports.setdefault((_last(it["file"]), it["module"], name), []).append(it)

    def target(self, it: Json) -> str | None:
        """The file that a module was in base, seen from the same file."""
        return self._targets.get((it["file"], it["module"]))

    def dangled(self, it: Json, *, whole: bool) -> bool:
        """Whether an import dangled before, in this file or where the file was then.

        ``whole`` is about its module, else it is about the name too.
        """
        return any(not self._is_there(old, whole=whole) for old in self._same(it))

    def was_there(self, it: Json, *, whole: bool) -> bool:
        """Whether the same file had the same import, and it could be followed."""
        same = (old for old in self._same(it) if old["file"] == it["file"])
        return any(self._is_there(old, whole=whole) for old in same)

    def _same(self, it: Json) -> Sequence[Json]:
        return self._imports.get((_last(it["file"]), it["module"], imported_name(it)), ())

    def _is_there(self, old: Json, *, whole: bool) -> bool:
        if _followed(old, self._grammar):
            return True
        asked = old | {"kind": "MODULE"} if whole else old
        return self._base.answer(self._grammar, asked, None) is Answer.THERE

    def has_made_beside(self, path: str) -> bool:
        """Whether other imports into the same folder dangled already: a build fills it."""
        return any(
            not _followed(old, self._grammar)
            and (other := module_path(self._grammar, old)) is not None
            and other.rpartition("/")[0] == path.rpartition("/")[0]
            and not self._base.places.is_folder(other.rpartition("/")[0])
            for olds in self._imports.values()
            for old in olds
        )


def _excuse(head: Side, grammar: str, it: Json, before: _Before | None, *, whole: bool) -> str:
    """Why an import that dangles may be meant to; empty where nothing speaks for it."""
    if before and before.was_there(it, whole=whole):
        return ""
    relative = module_path(grammar, it)
    path = relative or it["module"].replace(".", "/")
    if MADE.search(path):
        return "its name is one of those that a build makes"
    if before and before.has_made_beside(path):
        return "other modules of that folder are made by a build"
    parts = _missing_parts(head.places, relative) if relative else [path.rpartition("/")[2]]
    if any(_is_word(part, head.configured) for part in parts):
        return "a file of the configuration names it"
    return ""


def _missing_parts(places: Places, path: str) -> Iterator[str]:
    """The parts of a path from the first that is no folder on."""
    parts = [part for part in path.split("/") if part]
    for end in range(1, len(parts) + 1):
        if end == len(parts) or not places.is_folder("/".join(parts[:end])):
            yield parts[end - 1]


def _is_word(text: str, within: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(text)}(?![\w-])", within))


def module_path(grammar: str, it: Json) -> str | None:
    """The path that a relative import points at; None for others."""
    folder, module = it["file"].rpartition("/")[0], it["module"]
    if grammar != PYTHON:
        return joined(folder, module) if module.startswith(".") else None
    dots = len(module) - len(module.lstrip("."))
    if not dots:
        return None
    name = imported_name(it)
    tail = module[dots:].replace(".", "/") or name
    return joined(folder, "/".join((*(("..",) * (dots - 1)), tail)))


def _last(path: str) -> str:
    return path.rpartition("/")[2]


# ── symbols ──────────────────────────────────────────────────────────────────────────────────


def changed_symbols(head: Side, base: Side) -> list[Json]:
    """Symbols whose text is not what it was, with their usages in head; the most used first."""
    before = _by_name(base.symbols())
    rows = []
    for (file, name), now in _by_name(head.symbols()).items():
        old = before.get((file, name))
        if old is None or "usages" not in now[0] or _digests(old) == _digests(now):
            continue
        if TEST_FILE.search(file):
            continue  # nobody depends on a test
        it = max(now, key=lambda each: int(each["usages"]))
        rows.append(
            {
                "symbol": name,
                "file": file,
                "line": it["line"],
                "kind": it["kind"],
                "usages": it["usages"],
                "files": it["used_in"],
                "file_count": it["file_count"],
            }
        )
    return sorted(rows, key=lambda it: (-it["usages"], it["file"], it["symbol"]))


def unused_functions(head: Side, base: Side) -> list[Json]:
    """Functions that the head adds and nothing in it names a second time."""
    before = _by_name(base.symbols())
    moved = {it["digest"] for it in base.symbols()}
    added = [
        it
        for it in head.symbols()
        if it["kind"] == "function"
        and it.get("usages") == 0
        and (it["file"], it["name"]) not in before
        and it["digest"] not in moved
        and not it["exported"]
        and not it["decorated"]
        and not KNOWN_BY_NAME.search(it["name"])
        and not TEST_FILE.search(it["file"])
        and _last(it["file"]) != "__init__.py"
    ]
    if not added:
        return []
    words = Counter(WORD.findall(head.configured))
    for path in head.taken.lines:
        words.update(WORD.findall(head.taken.text(path) or ""))
    return [
        {"symbol": it["name"], "file": it["file"], "line": it["line"]}
        for it in added
        if words[it["name"]] <= 1
    ]


def _by_name(symbols: Iterable[Json]) -> dict[tuple[str, str], list[Json]]:
    """Symbols by file and name: overloads and redefinitions share one."""
    found: dict[tuple[str, str], list[Json]] = {}
    for it in symbols:
        found.setdefault((it["file"], it["name"]), []).append(it)
    return found


def _digests(symbols: Sequence[Json]) -> list[str]:
    return sorted(it["digest"] for it in symbols)
