"""What the analysis's box decides by itself: second looks, excuses, cycles. No engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox.analysis_image.comparison import Side, dangling
from sandbox.analysis_image.cycles import new_cycles
from sandbox.analysis_image.intake import PYTHON as GRAMMAR
from sandbox.analysis_image.intake import Taken, unfit
from sandbox.analysis_image.places import Answer, Places
from sandbox.analysis_image.python_look import PythonLook
from sandbox.analysis_image.script_look import ScriptLook

THERE, MISSING, UNKNOWN = Answer.THERE, Answer.MISSING, Answer.UNKNOWN

PYTHON = {
    "app.py": "import models\n",
    "models.py": "class User: ...\nif True:\n    Late = User\n",
    "redis/notes.py": "",
    "pkg/__init__.py": "from .core import run\n",
    "pkg/core.py": "def run(): ...\ndef other():\n    global made\n    made = 1\n",
    "pkg/_fast.pyx": "",
    "pkg/lazy/__init__.py": "def __getattr__(name): ...\n",
    "pkg/star.py": "from os.path import *\n",
    "pkg/six.py": "sys.modules[__name__ + '.moves'] = _Moves()\n",
    "pkg/asks.py": "known = sys.modules.get('x')\nclass A:\n  def __getattr__(self, n): ...\n",
    "pkg/linked": "",
    "src/inner/__init__.py": "",
    "src/inner/a.py": "",
    "broken.py": "def (",
}


@pytest.mark.parametrize(
    ("file", "module", "name", "expected"),
    [
        ("pkg/x.py", ".core", "run", THERE),
        ("pkg/x.py", ".core", "made", THERE),
        ("pkg/x.py", ".core", "walk", MISSING),
        ("pkg/x.py", ".cord", "run", MISSING),
        ("pkg/x.py", ".", "core", THERE),
        ("pkg/x.py", ".", "run", THERE),
        ("pkg/x.py", ".", "cord", MISSING),
        ("pkg/x.py", "..models", "User", THERE),
        ("pkg/x.py", "...models", "User", UNKNOWN),
        ("pkg/x.py", "._fast", "anything", UNKNOWN),
        ("pkg/x.py", ".lazy", "anything", UNKNOWN),
        ("pkg/x.py", ".lazy.deep", "", MISSING),
        ("pkg/x.py", ".six.moves", "range", UNKNOWN),
        ("pkg/x.py", ".core.moves", "range", MISSING),
        ("pkg/x.py", ".asks", "known", THERE),
        ("pkg/x.py", ".asks", "gone", MISSING),
        ("pkg/x.py", ".star", "join", UNKNOWN),
        ("pkg/x.py", ".linked.deep", "", UNKNOWN),
        ("app.py", "pkg.core", "run", THERE),
        ("app.py", "pkg.cord", "", MISSING),
        ("app.py", "models", "Late", THERE),
        ("app.py", "models", "Usr", MISSING),
        ("app.py", "broken", "x", UNKNOWN),
        ("app.py", "inner.a", "", THERE),
        ("app.py", "inner.b", "", MISSING),
        ("app.py", "redis", "Redis", UNKNOWN),
        ("app.py", "logging", "nothing", UNKNOWN),
        ("app.py", "requests", "get", UNKNOWN),
    ],
)
def test_a_second_look_at_python(file: str, module: str, name: str, expected: Answer) -> None:
    look = PythonLook(Places.of(PYTHON, ["pkg/linked"]), PYTHON.get, required="redis>=5\n")
    assert look.at(file, module, name) is expected


SCRIPT = {
    "src/a.ts": "",
    "src/b.ts": "export const one = 1,\n  two = 2\nexport { three as four }\n"
    "function hidden() {}\n",
    "src/c.test.ts": "",
    "src/c.css": "",
    "src/barrel/index.ts": "export * from './x'",
    "src/barrel/x.ts": "",
    "src/folder/notes.txt": "",
    "src/old.js": "module.exports = {}",
    "src/view.vue": "",
    "src/data.json": "{}",
    "src/e.js": "export const e = 1\n",
    "src/e.d.ts": "export type E = 1\n",
    "src/d.d.ts": "export default function d(): void",
    "package/package.json": "{}",
}


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("./b", "one", THERE),
        ("./b", "two", THERE),
        ("./b", "four", THERE),
        ("./b", "hidden", MISSING),
        ("./b", "gone", MISSING),
        ("./b", "default", MISSING),
        ("./b.js", "one", THERE),
        ("./c", "", MISSING),
        ("./c.css", "", THERE),
        ("./barrel", "anything", UNKNOWN),
        ("./folder", "", MISSING),
        ("./old", "anything", UNKNOWN),
        ("./view.vue", "default", UNKNOWN),
        ("./view", "", THERE),
        ("./data.json", "default", UNKNOWN),
        ("./d", "default", THERE),
        ("./e.js", "E", UNKNOWN),
        ("../package", "", THERE),
        ("../../elsewhere", "", UNKNOWN),
        ("./b?raw", "", UNKNOWN),
        ("@/b", "one", THERE),
        ("@/gone", "", MISSING),
        ("@scope/gone", "", UNKNOWN),
        ("react", "default", UNKNOWN),
    ],
)
def test_a_second_look_at_scripts(module: str, name: str, expected: Answer) -> None:
    look = ScriptLook(Places.of(SCRIPT, []), SCRIPT.get, {"@": "src"})
    assert look.at("src/a.ts", module, name) is expected


def test_a_cycle_is_new_where_an_import_that_closes_it_is() -> None:
    def imports(*pairs: str) -> list[dict[str, object]]:
        return [
            {"file": pair[0], "target": pair[1], "line": 1, "dynamic": False, "type_only": False}
            for pair in pairs
        ]

    base = imports("ab", "ba", "bc")
    assert new_cycles(base, base) == []
    assert new_cycles(imports("ab", "ba", "bc", "ca"), base) == [
        {"file": "c", "line": 1, "files": ["c", "a", "b", "c"]}
    ]
    lazy = [*base, imports("ca")[0] | {"dynamic": True}]
    assert new_cycles(lazy, base) == []


@pytest.mark.parametrize(
    ("line", "certain"),
    [
        pytest.param("from .nowhere import x", True, id="nothing speaks for it"),
        pytest.param("from ._speed import x", False, id="setup.py makes it"),
        pytest.param("from ._version import x", False, id="a tool writes it"),
        pytest.param("from .nowhere_pb2 import x", False, id="a compiler writes it"),
        pytest.param("from .made.b import x", False, id="others of that folder dangled before"),
        pytest.param("from .ignored import x", False, id="git ignores it"),
        pytest.param("from .api_client.deep import x", False, id="git ignores its folder"),
    ],
)
def test_a_new_import_of_what_a_build_makes_is_no_fault(
    tmp_path: Path, line: str, certain: bool
) -> None:
    base = _side(
        tmp_path / "base",
        {
            "pkg/__init__.py": "",
            "pkg/old.py": "from .made.a import x",
            "setup.py": "Extension('pkg._speed', ['x.c'])",
            ".gitignore": "/pkg/ignored.py\n/pkg/api_client/\n",
        },
    )
    head = _side(
        tmp_path / "head",
        {"pkg/new.py": line, **{path: base.taken.text(path) or "" for path in base.taken.lines}},
        base.taken.configuration,
    )
    found, standing = dangling(head, base)
    assert [(it["file"], it["certain"]) for it in found] == [("pkg/new.py", certain)]
    assert standing == 1


@pytest.mark.parametrize(
    ("files", "count"),
    [
        pytest.param({"new/old.py": "from .nowhere import x"}, 0, id="moved with its import"),
        pytest.param({"pkg/old.py": "from .nowhere import x, y"}, 1, id="one name more"),
    ],
)
def test_an_import_that_dangled_where_the_file_was_is_not_new(
    tmp_path: Path, files: dict[str, str], count: int
) -> None:
    base = _side(tmp_path / "base", {"pkg/old.py": "from .nowhere import x"})
    head = _side(tmp_path / "head", files)
    assert len(dangling(head, base)[0]) == count


def _side(
    place: Path, files: Mapping[str, str], configuration: Mapping[str, str] | None = None
) -> Side:
    """A Python tree whose relative imports nobody could follow."""
    taken = Taken(place)
    imports = []
    for path, text in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
        taken.digests[path] = text
        if path.endswith(".py") and path != "setup.py":
            taken.lines[path] = 1
        else:
            taken.configuration[path] = text
        _, _, said = text.partition("from ")
        module, _, names = said.partition(" import ")
        imports += [
            {
                "file": path,
                "line": 1,
                "column": 1,
                "module": module,
                "name": name.strip(),
                "kind": "NAMED_EXPORT",
                "target": None,
                "found": "ExternalModule",
                "dynamic": False,
                "type_only": False,
            }
            for name in names.split(",")
            if module.startswith(".")
        ]
    taken.configuration |= configuration or {}
    return Side(taken, {GRAMMAR: {"imports": imports, "symbols": []}})


@pytest.mark.parametrize(
    ("path", "data", "why"),
    [
        ("a.py", b"x = 1\n", ""),
        ("a.py", "# caf\u00e9".encode(), ""),
        ("a.py", "# caf\u00e9".encode("latin-1"), "not in UTF-8"),
        ("a.js", b"x\0y", "not a text"),
        ("a.js", b"[" * 200, "nested more than 100 deep"),
        ("a.js", b"x" * 20_001, "a line of more than 20,000 characters"),
        ("../a.js", b"", "a name that leads elsewhere"),
        (".git/hooks/a.py", b"", "a name that leads elsewhere"),
        ("d/" * 50 + "a.py", b"", "too deep a folder"),
        ("a\n.py", b"", "a name that is no text"),
    ],
)
def test_a_file_that_is_not_fit_is_left_out(path: str, data: bytes, why: str) -> None:
    assert unfit(path, data) == why
