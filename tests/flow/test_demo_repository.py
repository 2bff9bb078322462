"""The demo's repository is the same one everywhere, and holds what it says."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from assembly.demonstration import CHANGE, MEND
from bot.domain.config_parser import parse
from bot.domain.plan import Stage
from bot.domain.problems import UserProblem
from bot.domain.repo_config import CONFIG_PATHS
from bot.domain.validations import Verdict
from demo import repository
from demo.repository import (
    CHANGES,
    MAIN,
    MERGES,
    SAMPLE,
    SampleRepository,
    build_repository,
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleRepository:
    """One for all tests here: they only read it."""
    return asyncio.run(build_repository(tmp_path_factory.mktemp("sample")))


def git(sample: SampleRepository, *arguments: str) -> str:
    command = ("git", "-C", str(sample.path), *arguments)
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


def files(sample: SampleRepository, branch: str) -> set[str]:
    return set(git(sample, "ls-tree", "-r", "--name-only", branch).splitlines())


async def test_it_is_the_same_again_whatever_the_caller_has_set(
    sample: SampleRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".gitconfig").write_text(
        "[user]\nname = Somebody\n[core]\nautocrlf = true\n[commit]\ngpgSign = true\n"
    )
    (home / ".config" / "git" / "attributes").write_text("*.ts ident text eol=crlf\n")
    (home / ".config" / "git" / "ignore").write_text("*.css\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00+00:00")
    before = os.umask(0o077)
    try:
        again = await build_repository(tmp_path / "again")
    finally:
        os.umask(before)
    assert again.branches == sample.branches


def test_git_finds_no_fault(sample: SampleRepository) -> None:
    assert git(sample, "fsck", "--strict", "--full", "--no-progress") == ""
    assert git(sample, "status", "--porcelain", "--ignored") == ""
    assert git(sample, "branch", "--show-current").strip() == MAIN


def test_the_branches_are_those_that_it_names(sample: SampleRepository) -> None:
    said = git(sample, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
    assert dict(line.split() for line in said.splitlines()) == {
        branch.name: branch.sha for branch in sample.branches
    }
    main, *others = sample.branches
    assert main.name == MAIN
    for branch in others:
        assert git(sample, "rev-parse", f"{branch.sha}^").strip() == main.sha


def test_what_each_branch_must_lead_to(sample: SampleRepository) -> None:
    assert {
        branch.name: (branch.expected_verdict, branch.expected_stage) for branch in sample.branches
    } == {
        "main": (Verdict.PASSED, None),
        "add-quantities": (Verdict.PASSED, None),
        "typo-in-total": (Verdict.FAILED, Stage.BUILD),
        "broken-in-browser": (Verdict.FAILED, Stage.WEB_EVALUATION),
    }


def test_commits_are_by_demo_and_have_the_title(sample: SampleRepository) -> None:
    for branch in sample.branches:
        said = git(sample, "show", "--no-patch", "--format=%an|%ae|%cn|%ce|%s", branch.name)
        who = "Demo|demo@example.com"
        assert said.strip() == f"{who}|{who}|{branch.title}"


async def test_main_is_the_sample_and_nothing_that_a_build_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "built"
    made = shutil.ignore_patterns("node_modules", "dist")
    shutil.copytree(SAMPLE, built, ignore=made)
    expected = {str(path.relative_to(built)) for path in built.rglob("*") if path.is_file()}
    for left in ("node_modules/express/index.js", "dist/server.js"):
        (built / left).parent.mkdir(parents=True)
        (built / left).write_text("made")
    monkeypatch.setattr(repository, "SAMPLE", built)
    sample = await build_repository(tmp_path / "sample")
    assert files(sample, MAIN) == expected
    assert {"package.json", "package-lock.json", ".github/codegenapp.yml"} < expected
    assert not (sample.path / "node_modules").exists()
    assert not (sample.path / "dist").exists()


def test_its_configuration_is_in_order(sample: SampleRepository) -> None:
    parsed = parse(git(sample, "show", f"{MAIN}:{CONFIG_PATHS[0]}"), CONFIG_PATHS[0])
    assert parsed.problems == ()
    assert parsed.config.deployment.health_check_url == "/health"
    assert parsed.config.deployment.port == 3000
    assert "tests_pass" in parsed.config.validation.required_checks


def test_dependencies_are_pinned_and_name_no_registry(sample: SampleRepository) -> None:
    manifest = json.loads(git(sample, "show", f"{MAIN}:package.json"))
    lock = json.loads(git(sample, "show", f"{MAIN}:package-lock.json"))
    asked = manifest["dependencies"] | manifest["devDependencies"]
    root = lock["packages"].pop("")
    assert root["dependencies"] | root["devDependencies"] == asked
    for name, version in asked.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    for package in lock["packages"].values():
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package


def test_the_good_change_comes_with_its_tests(sample: SampleRepository) -> None:
    changed = git(sample, "diff", "--name-only", MAIN, "add-quantities").split()
    assert {"src/list.ts", "src/list.test.ts", "src/app.ts", "src/app.test.ts"} < set(changed)


def test_the_broken_change_misspells_price_once(sample: SampleRepository) -> None:
    assert "pirce" not in git(sample, "show", f"{MAIN}:src/list.ts")
    found = git(sample, "grep", "--line-number", "--column", "pirce", "typo-in-total").strip()
    assert re.fullmatch(r"typo-in-total:src/list\.ts:35:41:.*item\.pirce.*", found)


def test_what_breaks_in_the_browser_only_is_in_no_file_that_is_built(
    sample: SampleRepository,
) -> None:
    found = git(sample, "grep", "--line-number", "sumary", "broken-in-browser").strip()
    assert found.startswith("broken-in-browser:public/script.js:23:")
    assert "\n" not in found


async def test_what_the_agent_brings_and_mends_applies_in_this_order(tmp_path: Path) -> None:
    sample = await build_repository(tmp_path / "sample", on_main=(MERGES,))
    parsed = parse(git(sample, "show", f"{MAIN}:{CONFIG_PATHS[0]}"), CONFIG_PATHS[0])
    assert parsed.problems == ()
    assert parsed.config.validation.auto_merge
    brought = (*CHANGE.patches, *MEND.patches)
    for name in brought:
        git(sample, "apply", str(CHANGES / f"{name}.patch"))
    assert "sumary" not in (sample.path / "public" / "script.js").read_text()
    used = {MERGES, *brought, *(it.name for it in sample.branches)}
    assert {it.stem for it in CHANGES.glob("*.patch")} <= used


async def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        await build_repository(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


async def test_a_missing_git_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserProblem, match="git is not installed"):
        await build_repository(tmp_path / "sample")
