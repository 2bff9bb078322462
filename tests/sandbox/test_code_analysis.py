"""The code analysis in its box, on the real engine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from bot.adapters.clock import SystemClock
from bot.domain.code_analysis import AnalysisState, CodeAnalysis
from bot.domain.plan import StageStatus
from bot.domain.problems import UserProblem
from bot.policy.code_analysis import judge
from sandbox import code_analysis
from sandbox.code_analysis import IMAGE_FOLDER, AnalysisFault, AnalysisLimits, analyse
from sandbox.docker import DockerEngine
from sandbox.engine import Image
from sandbox.image_builder import ensure_image
from tests.sandbox.conftest import CA_BUNDLE, MemoryTree, Room


@pytest.fixture(scope="session")
def analysis_image(docker_host: str | None, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The analysis's image, built where the engine does not have it."""

    async def ensure() -> Image:
        engine = DockerEngine(docker_host)
        try:
            return await ensure_image(
                engine,
                IMAGE_FOLDER,
                ca_bundle=CA_BUNDLE.read_bytes() if CA_BUNDLE.exists() else None,
                build_arguments={},
                progress=lambda line: print(line, file=sys.stderr),  # noqa: T201 - shown by pytest
                labels={"codegenapp.kind": "image"},
                lock=tmp_path_factory.getbasetemp() / "image.lock",
                clock=SystemClock(),
            )
        finally:
            await engine.close()

    return asyncio.run(ensure())


async def found(
    room: Room,
    head: Mapping[str, str],
    base: Mapping[str, str] | None,
    limits: AnalysisLimits | None = None,
) -> CodeAnalysis:
    """What the analysis says of two trees; its box must be gone."""
    analysis = await analyse(
        room.sandbox._equipment,
        "analysis",
        MemoryTree(head),
        MemoryTree(base) if base is not None else None,
        progress=lambda _: None,
        limits=limits,
    )
    assert await room.left() == []
    return analysis


TYPESCRIPT = {
    "package.json": '{"name": "shop"}',
    "tsconfig.json": '{"compilerOptions": {"baseUrl": ".", "paths": {"@/*": ["src/*"]}}}',
    "src/price.ts": "export function price(n: number) {\n  return n * 2\n}\n"
    "export const tax = 0.2\n",
    "src/cart.ts": "import { price } from './price'\nimport fs from 'fs'\n\n"
    "export const total = (all: number[]) => all.map(price)\n",
    "src/page.tsx": "import { price, tax } from '@/price'\nimport { total } from './cart.js'\n"
    "import logo from './logo.svg'\n"
    "export default function Page() {\n  return total([price(tax)])\n}\n",
    "src/logo.svg": "<svg/>",
    "main.go": "package main\n" * 30,
}
PYTHON_PROJECT = {
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["flask"]\n',
    "shop/__init__.py": "",
    "shop/models.py": "class Item:\n    pass\n\n\ndef load(name):\n    return Item()\n",
    "shop/views.py": "from flask import Flask\nfrom shop.models import Item, load\n"
    "from . import forms\n\napp = Flask(__name__)\n\n\n@app.route('/')\n"
    "def index():\n    return load(forms.NAME)\n",
    "shop/forms.py": "NAME = 'a'\ntry:\n    from ._speed import fast\n"
    "except ImportError:\n    fast = None\n",
    "tests/test_views.py": "from shop import views\n\n\n"
    "def test_index():\n    assert views.index()\n",
}


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.usefixtures("analysis_image")
class TestInTheBox:
    """Each test is a box or two."""

    @pytest.mark.parametrize("files", [TYPESCRIPT, PYTHON_PROJECT], ids=["typescript", "python"])
    async def test_a_change_that_breaks_nothing(self, room: Room, files: dict[str, str]) -> None:
        head = {
            path: text.replace("n * 2", "n * 3").replace("return Item()", "return Item() or name")
            for path, text in files.items()
        }
        analysis = await found(room, head, files)
        assert (analysis.state, analysis.reason) == (AnalysisState.ANALYSED, "")
        assert (analysis.dangling, analysis.cycles, analysis.unused) == ((), (), ())
        assert analysis.left_out == ()
        assert [it.symbol for it in analysis.changed] in (["price"], ["load"])
        assert judge(analysis).result.status is StageStatus.PASSED

    async def test_typescript_with_all_faults(self, room: Room) -> None:
        head = dict(TYPESCRIPT)
        del head["src/logo.svg"]
        head["src/price.ts"] = (
            "import { total } from './cart'\n\n"
            "export function price(n: number) {\n  return n + total.length\n}\n"
            "const tax = 0.2\n"
            "function lonely() {\n  return tax\n}\n"
        )
        head["src/new.ts"] = (
            "import { nothing } from './nowhere'\n\nexport { x } from '@/nothing'\n"
        )
        analysis = await found(room, head, TYPESCRIPT)
        assert {(it.file, it.line, it.module, it.name, it.certain) for it in analysis.dangling} == {
            ("src/page.tsx", 1, "@/price", "tax", True),
            ("src/page.tsx", 3, "./logo.svg", "", True),
            ("src/new.ts", 1, "./nowhere", "", True),
            ("src/new.ts", 3, "@/nothing", "", True),
        }
        assert [(it.file, it.line, it.files) for it in analysis.cycles] == [
            ("src/price.ts", 1, ("src/price.ts", "src/cart.ts", "src/price.ts"))
        ]
        assert [(it.symbol, it.file, it.line) for it in analysis.unused] == [
            ("lonely", "src/price.ts", 7)
        ]
        row = next(it for it in analysis.changed if it.symbol == "price")
        assert (row.usages, set(row.files)) == (2, {"src/cart.ts", "src/page.tsx"})
        report = judge(analysis)
        assert report.result.status is StageStatus.FAILED
        assert any("Go" in note for note in report.notes)

    async def test_python_with_all_faults(self, room: Room) -> None:
        head = dict(PYTHON_PROJECT)
        del head["shop/forms.py"]
        head["shop/models.py"] = (
            "from shop.views import app\n\n\nclass Item:\n    owner = app\n\n\n"
            "def lonely():\n    return Item()\n"
        )
        head["shop/late.py"] = "def later():\n    from .nowhere import x\n    return x\n"
        head["shop/made.py"] = "from .kinds_pb2 import Kind\nimport shop.nowhere\n"
        analysis = await found(room, head, PYTHON_PROJECT)
        assert {(it.file, it.line, it.module, it.name, it.certain) for it in analysis.dangling} == {
            ("shop/views.py", 2, "shop.models", "load", True),
            ("shop/views.py", 3, ".", "forms", True),
            ("shop/late.py", 2, ".nowhere", "", True),
            ("shop/made.py", 1, ".kinds_pb2", "", False),
            ("shop/made.py", 2, "shop.nowhere", "", True),
        }
        assert [it.files for it in analysis.cycles] == [
            ("shop/models.py", "shop/views.py", "shop/models.py")
        ]
        assert {it.symbol for it in analysis.unused} == {"lonely", "later"}
        assert judge(analysis).result.status is StageStatus.FAILED

    async def test_what_dangled_before_is_counted_and_not_blamed(self, room: Room) -> None:
        base = PYTHON_PROJECT | {"shop/old.py": "from .nowhere import x\n"}
        head = base | {"shop/old.py": "import os\nfrom .nowhere import x\n"}
        analysis = await found(room, head, base)
        assert (analysis.dangling, analysis.standing) == ((), 1)

    async def test_without_a_base_nothing_is_compared(self, room: Room) -> None:
        head = PYTHON_PROJECT | {"shop/old.py": "from .nowhere import x\n"}
        analysis = await found(room, head, None)
        assert not analysis.has_base
        assert {(it.file, it.certain) for it in analysis.dangling} == {
            ("shop/old.py", True),
            ("shop/forms.py", False),
        }
        assert (analysis.changed, analysis.cycles, analysis.unused) == ((), (), ())
        assert judge(analysis).result.status is StageStatus.PASSED

    async def test_a_change_of_other_files_costs_nothing(self, room: Room) -> None:
        analysis = await found(room, PYTHON_PROJECT | {"README.md": "new"}, PYTHON_PROJECT)
        assert analysis.state is AnalysisState.UNCHANGED
        assert judge(analysis).result.status is StageStatus.PASSED

    async def test_a_tree_of_another_language(self, room: Room) -> None:
        analysis = await found(room, {"main.go": "package main\n"}, {"main.go": ""})
        assert analysis.state is AnalysisState.NOTHING
        assert [(it.name, it.known) for it in analysis.languages] == [("Go", False)]
        assert judge(analysis).result.status is StageStatus.SKIPPED

    async def test_too_many_lines_are_told(self, room: Room) -> None:
        limits = AnalysisLimits(lines=15)
        analysis = await found(room, {"a.py": "x = 1\n" * 16}, {}, limits)
        assert analysis.state is AnalysisState.TOO_LARGE
        assert analysis.reason == "the head has 16 lines, the limit is 15"

    async def test_a_tree_that_is_too_large_is_not_even_sent(self, room: Room) -> None:
        limits = AnalysisLimits(tree_bytes=10)
        analysis = await found(room, {"a.bin": "x" * 11}, None, limits)
        assert analysis.state is AnalysisState.TOO_LARGE

    async def test_too_little_time_is_told(self, room: Room) -> None:
        files = {f"m{n}.py": f"import m{n + 1}\ndef f(): return m{n + 1}.f()\n" for n in range(400)}
        analysis = await found(room, files, None, AnalysisLimits(seconds=0.3))
        assert analysis.state is AnalysisState.TIMED_OUT

    async def test_too_little_memory_is_told(self, room: Room) -> None:
        analysis = await found(room, PYTHON_PROJECT, None, AnalysisLimits(memory_mb=48))
        assert analysis.state is AnalysisState.OUT_OF_MEMORY

    async def test_a_hostile_tree_is_bounded(self, room: Room) -> None:
        hostile = {
            "passwd.py": "->/etc/passwd",
            "folder": "->/proc",
            "loop": "->loop",
            "uses.py": "import folder.self\nfrom . import passwd\n",
            "huge.py": "x = 1\n" * 200_000,
            "deep.js": "(" * 5000 + ")" * 5000,
            "sum.py": "x = " + " + \\\n".join(["1"] * 4000) + "\n",
            "chain.ts": "export const x = y" + "\n  .then(z)" * 3000 + "\n",
            "nest.py": "".join("  " * n + "if x:\n" for n in range(95)) + "  " * 95 + "pass\n",
            "zero.py": "x = '\0'\n",
            "d/" * 60 + "a.py": "",
            "bad name\u202e.py": "x = 1\n",
            "tsconfig.json": '{"extends": "./tsconfig.json", "compilerOptions": {"paths": 3}}',
            "conftest.py": "raise SystemExit('ran')\n",
            ".env": "CODEBASE_PY_RESOLVE_SYSPATH=1\n",
            "sub/.git": "gitdir: /etc\n",
            ".gitattributes": "* filter=x\n",
        }
        analysis = await found(
            room, hostile | {"a.py": "import uses\n", "b.ts": "import './chain'\n"}, hostile
        )
        assert (analysis.state, analysis.reason) == (AnalysisState.ANALYSED, "")
        left_out = {it.file: it.why for it in analysis.left_out}
        assert left_out["huge.py"] == "larger than 512 KB"
        assert left_out["deep.js"] == "nested more than 100 deep"
        assert left_out["sum.py"] == left_out["chain.ts"] == "nested too deep"
        assert left_out["tsconfig.json"] == "graph-sitter stumbles over it"
        assert left_out["zero.py"] == "not a text"
        assert left_out["bad name[U+202E].py"] == "a name that is no text"
        assert analysis.dangling == ()

    async def test_a_tree_that_breaks_off_leaves_no_box(self, room: Room) -> None:
        class Torn(MemoryTree):
            async def archive(self, prefix: str, uid: int) -> AsyncIterator[bytes]:
                yield b"x" * 512
                raise ConnectionError("the source went away")

        with pytest.raises(ConnectionError):
            await analyse(room.sandbox._equipment, "torn", Torn({}), None, progress=lambda _: None)
        assert await room.left() == []

    async def test_a_cancelled_analysis_leaves_no_box(self, room: Room) -> None:
        sent = asyncio.Event()

        class Endless(MemoryTree):
            async def archive(self, prefix: str, uid: int) -> AsyncIterator[bytes]:
                async for piece in super().archive(prefix, uid):
                    yield piece[:512]
                sent.set()
                await asyncio.Event().wait()

        files = {"a.py": "x = 1\n"}
        task = asyncio.create_task(
            analyse(
                room.sandbox._equipment, "endless", Endless(files), None, progress=lambda _: None
            )
        )
        await sent.wait()
        assert len(await room.left()) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await room.left() == []

    async def test_no_tree_at_all_is_our_fault(self, room: Room) -> None:
        class Garbage(MemoryTree):
            async def archive(self, prefix: str, uid: int) -> AsyncIterator[bytes]:
                yield b"x" * 2048

        with pytest.raises(AnalysisFault):
            await analyse(
                room.sandbox._equipment, "garbage", Garbage({}), None, progress=lambda _: None
            )
        assert await room.left() == []

    async def test_where_the_image_cannot_be_built_it_is_told(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def no_image(*_: object) -> Image:
            raise UserProblem("A step of the image failed:\nno index", "Look at the network.")

        monkeypatch.setattr(code_analysis, "analysis_image", no_image)
        analysis = await found(room, PYTHON_PROJECT, None)
        assert analysis.state is AnalysisState.UNAVAILABLE
        said = "its image can't be built here: A step of the image failed: no index"
        assert analysis.reason == said
        assert judge(analysis).result.status is StageStatus.SKIPPED

    async def test_the_box_has_no_network_and_no_way_to_write(
        self, room: Room, analysis_image: Image
    ) -> None:
        equipment = room.sandbox._equipment
        spec = code_analysis._Analysis(equipment, "look", AnalysisLimits())._spec(analysis_image, 1)
        script = (
            "import os, socket; print(os.getuid(), sorted(os.listdir('/sys/class/net')),"
            " os.access('/opt/codegenapp', os.W_OK), os.access('/', os.W_OK))"
        )
        box = await room.engine.create(replace(spec, command=("-I", "-c", script)))
        channel = await room.engine.attach(box)
        await room.engine.start(box)
        said = b""
        while (chunk := await channel.read()) is not None:
            said += chunk[1]
        await channel.close()
        await room.engine.remove(box)
        assert said.decode().strip() == "65006 ['lo'] False False"
