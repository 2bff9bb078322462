"""A second look at an import of Python that graph-sitter could not follow.

graph-sitter finds no file in many cases that are well: compiled modules, names made at run time,
folders that are on the path by somebody's setting. So an import dangles here only where the tree
itself shows it: the package is the tree's own, and neither a file nor a name of it is there.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping

from sandbox.analysis_image.places import Answer, Places

Text = Callable[[str], str | None]

MAKES_NAMES = re.compile(
    r"globals\(|\b(vars|locals)\(\)|\bexec\(|sys\.modules\[__(name|package)__\]"
    r"|setattr\(\s*(sys|mod|module)\b|^def __getattr__|\b__getattr__\s*[,=)]",
    re.MULTILINE,
)
"""By which a module gets names that do not stand in it."""
MAKES_MODULES = re.compile(
    r"\b__path__\b|extend_path|meta_path|ModuleType|sys\.modules(\[[^\]]+\]\s*=|\.(setdefault|update))"
)
"""By which a package gets modules that are no files of its folder."""
OF_EVERY_MODULE = {"__doc__", "__file__", "__name__", "__path__", "__spec__", "__loader__"}
OF_EVERY_MODULE |= {"__package__", "__dict__", "__all__", "__version__", "__builtins__"}
USUAL_ROOTS = ("", "src", "lib", "python")
NO_MODULE = re.compile(r"\.(md|rst|txt|html?|json|ya?ml|toml|css|[cm]?[jt]sx?|ini|cfg|sh|csv|sql)$")
_GUARDS = (ast.Try, ast.If, ast.With, ast.Match)


class PythonLook:
    """Looks for modules and names of one tree.

    ``roots`` are folders that are on the path; ``required`` is the text of everything that may
    name a package of somebody else.
    """

    def __init__(
        self, places: Places, text: Text, roots: Iterable[str] = (), required: str = ""
    ) -> None:
        self._places = places
        self._text = text
        self._roots = tuple(
            root
            for root in dict.fromkeys((*USUAL_ROOTS, *roots))
            if not root or not self._is_package(root)
        )
        self._required = frozenset(re.findall(r"[a-z0-9_]+", required.lower().replace("-", "_")))
        self._bound: dict[str, frozenset[str] | None] = {}
        self._trees: dict[str, ast.Module | None] = {}

    def at(self, file: str, module: str, name: str, was: str | None = None) -> Answer:
        """Whether ``from module import name`` (or ``import module``, name empty) can be followed.

        ``was`` is the file that the module is known to have been.
        """
        wholes = self._wholes(file, module)
        if was is not None and wholes is not None:
            wholes = list(dict.fromkeys((*wholes, _bare(was))))
        if not wholes:
            return Answer.UNKNOWN
        answers = [self._module(whole) for whole in wholes]
        if Answer.UNKNOWN in answers:
            return Answer.UNKNOWN
        there = [it for it, answer in zip(wholes, answers, strict=True) if answer is Answer.THERE]
        if not there:
            return Answer.MISSING
        if not name or name in OF_EVERY_MODULE:
            return Answer.THERE
        answers = [self._name(whole, name) for whole in there]
        return next((it for it in answers if it is not Answer.MISSING), Answer.MISSING)

    def is_guarded(self, file: str, line: int) -> bool:
        """Whether an import stands below ``try``, ``if`` or ``with``, and may be meant to fail."""
        tree = self._tree(file)
        if tree is None:
            return True
        return any(
            node.lineno <= line <= (node.end_lineno or node.lineno)
            for node in ast.walk(tree)
            if isinstance(node, _GUARDS)
        )

    def _wholes(self, file: str, module: str) -> list[str] | None:
        """The paths that a module's name can stand for; None where it can't be the tree's own."""
        folder = file.rpartition("/")[0]
        dots = len(module) - len(module.lstrip("."))
        parts = [part for part in module[dots:].split(".") if part]
        if dots:
            above = folder.split("/") if folder else []
            if dots - 1 > len(above):
                return None
            return ["/".join((*above[: len(above) - dots + 1], *parts))]
        if not parts or parts[0] in sys.stdlib_module_names:
            return None
        mine = [root for root in self._roots if self._is_own(root, parts[0])]
        return [_below(root, "/".join(parts)) for root in mine]

    def _is_own(self, root: str, top: str) -> bool:
        path = _below(root, top)
        if self._is_package(path):
            return True
        if top.lower() in self._required:
            return False  # a folder or a script that has the name of somebody else's package
        held = self._places.folders.get(path, ())
        return f"{path}.py" in self._places.paths or any(it.endswith(".py") for it in held)

    def _is_package(self, path: str) -> bool:
        return f"{path}/__init__.py" in self._places.paths

    def _files(self, path: str) -> list[str]:
        """The files that a module can be, compiled ones and what they are made of included."""
        return [it for it in self._places.stem(path) if not NO_MODULE.search(it)]

    def _module(self, path: str) -> Answer:
        places = self._places
        if places.is_blind(path):
            return Answer.UNKNOWN
        if path == "" or places.is_folder(path) or self._files(path):
            return Answer.THERE
        folder = path.rpartition("/")[0]
        while folder:
            for file in (f"{folder}/__init__.py", f"{folder}.py"):
                text = self._text(file)
                if file in places.paths and (text is None or MAKES_MODULES.search(text)):
                    return Answer.UNKNOWN
            folder = folder.rpartition("/")[0]
        return Answer.MISSING

    def _name(self, path: str, name: str) -> Answer:
        """Whether a module that is there has a name."""
        places = self._places
        below = f"{path}/{name}" if path else name
        if places.is_blind(below) or not path:
            return Answer.UNKNOWN
        if places.is_folder(path):
            if places.is_folder(below) or self._files(below):
                return Answer.THERE
            file = f"{path}/__init__.py"
            if file not in places.paths:
                # A folder without one has no names, but those of other folders on the path.
                return Answer.UNKNOWN if self._files(path) else Answer.MISSING
        else:
            file = f"{path}.py"
            if self._files(path) != [file]:
                return Answer.UNKNOWN
        bound = self._names(file)
        if bound is None:
            return Answer.UNKNOWN
        return Answer.THERE if name in bound else Answer.MISSING

    def _names(self, file: str) -> frozenset[str] | None:
        """What a module binds; None where that can't be read off."""
        if file not in self._bound:
            text, tree = self._text(file), self._tree(file)
            made = text is None or MAKES_NAMES.search(text)
            self._bound[file] = None if made or tree is None else _bound(tree)
        return self._bound[file]

    def _tree(self, file: str) -> ast.Module | None:
        if file not in self._trees:
            self._trees[file] = _parsed(self._text(file))
        return self._trees[file]


def roots_of(imports: Iterable[Mapping[str, object]]) -> set[str]:
    """The folders from which graph-sitter could follow absolute imports."""
    roots = set()
    for it in imports:
        module, target = str(it["module"]), it["target"]
        if not module or module.startswith(".") or not isinstance(target, str):
            continue
        path = "/" + module.replace(".", "/")
        bare = "/" + _bare(target)
        if bare.endswith(path) and module.partition(".")[0] not in sys.stdlib_module_names:
            roots.add(bare.removesuffix(path).lstrip("/"))
    return roots


def _bare(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__")


def _below(root: str, path: str) -> str:
    return f"{root}/{path}" if root else path


def _parsed(text: str | None) -> ast.Module | None:
    if text is None:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bound(tree: ast.Module) -> frozenset[str] | None:
    """Every name that anything in a module binds, functions' own ones too; None behind a star."""
    names: set[str] = set()
    for node in ast.walk(tree):
        found = list(_binds(node))
        if "*" in found:
            return None
        names.update(found)
    return frozenset(names)


def _binds(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.Import() | ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        case ast.Global():
            yield from node.names
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.ExceptHandler(name=str(name)):
            yield name
        case _ if type(node).__name__ == "TypeAlias":
            yield node.name.id  # type: ignore[attr-defined]
