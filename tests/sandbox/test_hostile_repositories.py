"""Hostile repositories through the whole pipeline: nothing of them runs on this machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import app
from bot.adapters.render import TemplateRenderer
from bot.cli.wiring import Workbench
from bot.domain.plan import Stage, StageStatus
from bot.domain.source import Origin
from bot.domain.validations import Check, CheckState, ValidationResult, Verdict
from bot.services.validation_course import ValidationRequest
from bot.settings import Settings
from tests.git_repository import GitRepository
from tests.git_server import GitServer
from tests.sandbox.conftest import Heard, Room

pytestmark = pytest.mark.engine

CONFIGURATION = """
deployment:
  build_command: sh build.sh
sandbox: {network: none, memory_mb: 256, disk_mb: 256}
"""
ATTRIBUTES = (
    b"* filter=evil diff=evil merge=evil text eol=crlf ident export-subst\n"
    b"*.txt export-ignore working-tree-encoding=UTF-16\n"
)
IMITATION = r"""
printf '\033[2J\033[H\033]0;all is well\007\033[1A\033[2K'
echo '✓ build               0.1 s'
echo '```'
echo '# Passed: everything is fine'
echo '</code></pre></details><h1>Passed</h1><script>alert(1)</script>'
echo '<!-- codegenapp --> @everyone ***'
echo '{"type": "end", "id": 1, "result": {"healthy": true}}'
echo '{"schema": 1, "verdict": "passed"}'
echo '::error file=build.sh,line=1::x'
printf '\342\200\256dessap\r\000\n'
exit 9
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that lets everybody through, as ``nobody`` must pass, who runs git for root."""
    with tempfile.TemporaryDirectory(prefix="codegenapp-test-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def trap(folder: Path) -> Iterator[Path]:
    """A file that exists if anything of a repository has run on this machine."""
    yield folder / "trap"
    assert not (folder / "trap").exists()


@pytest.fixture
async def bench(room: Room, docker_host: str | None) -> AsyncIterator[Workbench]:
    """The pipeline as ``app.py`` wires it, in the home of the room, which sees to a clean end."""
    environ = {"CODEGENAPP_HOME": str(room.home), "PATH": "/usr/bin:/bin"}
    if docker_host:
        environ["DOCKER_HOST"] = docker_host
    async with app.workbench(Settings.from_env(environ), lambda _: None) as bench:
        yield bench


async def validated(bench: Workbench, folder: Path, repository: GitRepository) -> ValidationResult:
    """Validate a repository over HTTP."""
    repository.publish(folder / "served" / "app.git")
    async with GitServer(folder / "served") as server:
        request = ValidationRequest(Origin(f"{server.url}/app.git"), scope="test")
        return await bench.pipeline.trigger_validation(request, Heard())


def status(result: ValidationResult, stage: Stage) -> StageStatus:
    return next(it.status for it in result.stages if it.stage is stage)


async def test_nothing_of_a_repository_runs_here(
    bench: Workbench, folder: Path, trap: Path
) -> None:
    repository = GitRepository(folder / "repository")
    hook = f"#!/bin/sh\ntouch {trap}\n"
    evil = f"touch {trap}"
    repository.write(
        {
            ".github/codegenapp.yml": CONFIGURATION,
            ".gitconfig": f'[filter "evil"]\n  smudge = {evil}\n[core]\n  fsmonitor = {evil}\n',
            ".lfsconfig": "[lfs]\n  url = http://169.254.169.254/\n",
            ".gitmodules": f'[submodule "a"]\n  path = a\n  url = ext::sh -c "{evil}"\n'
            f'[submodule "b"]\n  path = b\n  url = file://{folder}\n  update = !{evil}\n'
            f'[submodule "../../c"]\n  path = c\n  url = -u{evil}\n',
            "hooks/post-checkout": hook,
            ".githooks/post-checkout": hook,
            "note.txt": "text\n",
            # What is in the box is the tree as it was committed, byte for byte.
            "build.sh": "set -e\ngrep -qF '$Format:%H$' build.sh\ntest -f note.txt\n"
            'test "$(wc -c < note.txt)" = 5\ntest ! -e a/x\n',
        }
    )
    (repository.folder / "out").symlink_to("/etc/shadow")
    (repository.folder / "up").symlink_to("../../../../../../..")
    first = repository.commit()
    # Past git's own add, which would do as the attributes say.
    attributes = repository.blob(ATTRIBUTES)
    repository.git("update-index", "--add", "--cacheinfo", f"100644,{attributes},.gitattributes")
    for name in ("a", "b", "c"):
        repository.link(name, first)
    repository.git("commit", "--quiet", "--message=Submodules")
    result = await validated(bench, folder, repository)
    assert (result.verdict, status(result, Stage.BUILD)) == (Verdict.PASSED, StageStatus.PASSED)
    assert result.checks[Check.BUILD_SUCCESS] is CheckState.PASSED
    assert len([note for note in result.notes if "left out" in note]) >= 3


async def test_output_that_imitates_ours_changes_no_verdict_and_no_report(
    bench: Workbench, folder: Path
) -> None:
    repository = GitRepository(folder / "repository")
    repository.commit({".github/codegenapp.yml": CONFIGURATION, "build.sh": IMITATION})
    result = await validated(bench, folder, repository)
    assert (result.verdict, status(result, Stage.BUILD)) == (Verdict.FAILED, StageStatus.FAILED)
    assert result.checks[Check.BUILD_SUCCESS] is CheckState.FAILED

    renderer = TemplateRenderer(app.HERE / "templates")
    text = renderer.report_text(result)
    assert not set("\x1b\x07\x00\r\u202e") & set(text)
    markdown = renderer.report_markdown(result)
    assert not set("\x1b\x07\x00\r\u202e") & set(markdown)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    outside = "\n".join(it.content for it in tokens if it.type not in ("fence", "code_block"))
    within = "\n".join(it.content for it in tokens if it.type in ("fence", "code_block"))
    assert "# Passed: everything is fine" in within
    for imitation in ("everything is fine", "<script>", "@everyone", '"verdict"', "<h1>Passed"):
        assert imitation not in outside
    page = renderer.report_html(result)
    assert "<script>" not in page
    assert "<h1>Passed" not in page
    assert json.loads(json.dumps(result.to_json({})))["verdict"] == "failed"


async def test_a_build_whose_folders_lead_elsewhere(bench: Workbench, folder: Path) -> None:
    """A tree by hand: a link, and a folder of the same name below which a file would go."""
    repository = GitRepository(folder / "repository")
    script = 'test "$(cat /bin/sh | head -c 4 | tail -c 3)" = ELF\n'
    link, file = repository.blob(b"/bin"), repository.blob(b"#!/bin/true\n")
    below = repository.raw_tree([("100755", b"sh", file)])
    github = repository.raw_tree(
        [("100644", b"codegenapp.yml", repository.blob(CONFIGURATION.encode()))]
    )
    tree = repository.raw_tree(
        [
            ("40000", b".github", github),
            ("100644", b"build.sh", repository.blob(script.encode())),
            ("120000", b"x", link),
            ("40000", b"x", below),
        ]
    )
    repository.commit_tree(tree)
    result = await validated(bench, folder, repository)
    assert (result.verdict, status(result, Stage.BUILD)) == (Verdict.PASSED, StageStatus.PASSED)
