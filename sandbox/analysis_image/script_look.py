"""A second look at an import of TypeScript or JavaScript that graph-sitter could not follow.

An import dangles only where the tree itself shows it: no file of any ending stands where it points,
or a module that only exports by name does not export the name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from sandbox.analysis_image.places import Answer, Places, joined

Text = Callable[[str], str | None]

ENDING = re.compile(r"\.(d\.)?[cm]?[jt]sx?$")
NO_MODULE = re.compile(
    r"\.(test|spec|stories|story|bench|e2e|mock|fixture)\.\w+$"
    r"|\.(css|s[ac]ss|less|styl|mdx?|txt|snap|png|jpe?g|gif|svg|webp|ico|html?|map|py|ya?ml)$"
)
"""What stands beside a module and is never taken for it."""
OPEN = re.compile(
    r"export\s*\*|export\s*=|module\.exports|\bexports\b|declare\s+module|defineProperty|\b__esModule\b"
)
"""What a module may export beyond the names that stand in it."""
EXPORTS = re.compile(r"\bexport\b")
NEXT = r"\n(?:export|import|async|function|class|const|let|var|interface|type|enum|declare)\b"
"""Where one statement ends for certain, though no semicolon says so."""
ALIAS_HEADS = frozenset({"@", "~", "#", "@@", "~~", "$lib", "$app"})
"""First parts of a path that no package can have as its name."""


class ScriptLook:
    """Looks for modules and names of one tree. ``aliases`` maps an alias's head to a folder."""

    def __init__(self, places: Places, text: Text, aliases: Mapping[str, str]) -> None:
        self._places = places
        self._text = text
        self._aliases = aliases

    def at(self, file: str, module: str, name: str) -> Answer:
        """Whether an import can be followed; ``name`` is empty for a whole module."""
        if any(letter in module for letter in "!?*$ \n") and not module.startswith("$lib/"):
            return Answer.UNKNOWN  # a loader's or a bundler's own words
        path = self._path(file, module)
        if path is None or self._places.is_blind(path):
            return Answer.UNKNOWN
        target = self._module(path)
        if target is Answer.THERE and name:
            return self._name(path, name)
        return target

    def is_guarded(self, file: str, line: int) -> bool:
        """Whether an import stands in a block of ``try``; one that can't be read does."""
        text = self._text(file)
        if text is None:
            return True
        lines = text.splitlines()[:line]
        return any(re.search(r"\btry\b|\bcatch\b", it) for it in lines[max(0, line - 12) :])

    def _path(self, file: str, module: str) -> str | None:
        if module == "." or module == ".." or module.startswith(("./", "../")):
            return joined(file.rpartition("/")[0], module)
        head, slash, rest = module.partition("/")
        if not slash or head not in self._aliases:
            return None
        return joined(self._aliases[head], rest)

    def _module(self, path: str) -> Answer:
        places = self._places
        bare = _bare(path)
        if path in places.paths or self._files(path) or (bare != path and self._files(bare)):
            return Answer.THERE
        if not places.is_folder(path):
            return Answer.MISSING
        held = places.folders[path]
        if "package.json" in held or path == "":
            return Answer.THERE
        return Answer.THERE if any(it.startswith("index.") for it in held) else Answer.MISSING

    def _files(self, path: str) -> list[str]:
        return [it for it in self._places.stem(path) if not NO_MODULE.search(it)]

    def _name(self, path: str, name: str) -> Answer:
        file = self._file(path)
        said = self._text(file) if file else None
        if said is None or OPEN.search(said) or not EXPORTS.search(said):
            return Answer.UNKNOWN
        word = rf"(?<![\w$]){re.escape(name)}(?![\w$])"
        if not re.search(word, said):
            return Answer.MISSING
        if name == "default":
            return Answer.THERE
        # Comments are read too: they can only make us silent.
        exported = re.search(
            rf"\bexport\b[^\n;]{{0,400}}{word}"
            rf"|\bexport\s+(type\s+)?\{{[^}}]*{word}"
            rf"|\bexport\s+(declare\s+)?(const|let|var)\b(?:(?!{NEXT})[^;])*{word}"
            rf"|\bexport\s+(default|async|function|class|type|interface|enum)?\s+{word}",
            said,
        )
        return Answer.THERE if exported else Answer.MISSING

    def _file(self, path: str) -> str | None:
        """The one source file that a path stands for; None where it is another kind, or many."""
        places = self._places
        bare = _bare(path)
        if path in places.paths and bare == path:
            return None
        found = self._files(path) or self._files(bare)
        if not found and places.is_folder(path):
            found = self._files(f"{path}/index" if path else "index")
        sources = [it for it in found if ENDING.search(it)]
        exact = [
            it for it in sources if ENDING.sub("", it) in (path, bare, f"{path}/index", "index")
        ]
        return exact[0] if len(exact) == 1 else None


def _bare(path: str) -> str:
    return ENDING.sub("", path)


def aliases_of(imports: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """What an alias's head stands for, learnt from the imports that graph-sitter could follow.

    A head that would stand for two folders stands for none.
    """
    found: dict[str, set[str]] = {}
    for it in imports:
        module, target = str(it["module"]), it["target"]
        head, slash, rest = module.partition("/")
        if not slash or head not in ALIAS_HEADS or not isinstance(target, str):
            continue
        bare = _bare(target).removesuffix("/index")
        rest = _bare(rest)
        if bare.endswith(f"/{rest}"):
            found.setdefault(head, set()).add(bare.removesuffix(f"/{rest}"))
        else:
            found.setdefault(head, set()).update(("?", "??"))
    return {head: folders.pop() for head, folders in found.items() if len(folders) == 1}
