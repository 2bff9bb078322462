"""The command line as a Unix user meets it: exit codes, streams, and what it says of mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import app
from tests.product import Product, configured, project


@pytest.fixture
def product(tmp_path: Path) -> Product:
    """An installation whose engine does not answer: what needs one says so."""
    return Product(tmp_path / "product", f"unix://{tmp_path / 'no-engine.sock'}")


@pytest.fixture
def idle(tmp_path: Path) -> str:
    """A folder with nothing to run."""
    folder = tmp_path / "idle"
    folder.mkdir()
    (folder / "README").write_text("hello")
    return str(folder)


# ── usage ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("command", [(), ("validate",), ("doctor",), ("demo",), ("schema",)])
def test_help(product: Product, command: tuple[str, ...]) -> None:
    ended = product.run(*command, "--help")
    assert ended.process.returncode == 0
    assert "Usage:" in ended.output
    assert ended.errors == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("nonsense",), "No such command", id="command"),
        pytest.param(("validate", "--nonsense"), "No such option", id="option"),
        pytest.param(("validate", "--stage", "nonsense"), "is not one of", id="stage"),
        pytest.param(("validate", "--format", "xml"), "is not one of", id="format"),
        pytest.param(("validate", ".", "and", "more"), "unexpected extra", id="too much"),
        pytest.param(("validate", "--secret", "NOPE"), "no environment variable NOPE", id="secret"),
    ],
)
def test_bad_usage(product: Product, arguments: tuple[str, ...], said: str) -> None:
    ended = product.run(*arguments)
    assert ended.process.returncode == 2
    assert said in ended.errors
    assert ended.output == ""
    assert "Traceback" not in ended.errors


def test_all_missing_secrets_at_once(product: Product, idle: str) -> None:
    ended = product.run(
        "validate", idle, "--secret", "ONE", "--secret", "TWO", "--secret", "TMPDIR"
    )
    assert "ONE, TWO" in ended.errors


@pytest.mark.slow
def test_settings_that_are_wrong_all_at_once(product: Product) -> None:
    ended = product.run(
        "schema", SNAPSHOT_CACHE_GB="none", LOG_FORMAT="xml", DOCKER_HOST="nonsense"
    )
    assert ended.process.returncode == 2
    assert ended.output == ""
    lines = ended.errors.splitlines()
    assert len(lines) == 3, lines
    assert all(line.startswith("codegenapp: ") for line in lines)
    for name in ("SNAPSHOT_CACHE_GB", "LOG_FORMAT", "DOCKER_HOST"):
        assert any(name in line for line in lines)


# ── streams ──────────────────────────────────────────────────────────────────────────────────


def test_report_as_json_and_nothing_beside_it(product: Product, idle: str) -> None:
    ended = product.run("validate", idle, "--format", "json")
    assert ended.process.returncode == 2
    assert ended.result["verdict"] == "neutral"
    assert "nothing to run" in ended.result["reason"]
    assert "✓ retrieve" in ended.errors, "progress is on the other stream"


@pytest.mark.parametrize(("form", "begins"), [("text", ""), ("markdown", "#")])
def test_report_for_people(product: Product, idle: str, form: str, begins: str) -> None:
    ended = product.run("validate", idle, "--format", form)
    assert ended.process.returncode == 2
    assert ended.output.startswith(begins)
    assert "othing to run" in ended.output
    assert "\x1b" not in ended.output + ended.errors, "no colours where nobody sees them"
    assert ended.output.endswith("\n")


def test_schema(product: Product) -> None:
    ended = product.run("schema")
    assert ended.process.returncode == 0
    schema = json.loads(ended.output)
    checker = jsonschema.validators.validator_for(schema)
    checker.check_schema(schema)
    checker(schema).validate({"deployment": {"build_command": "true"}})
    with pytest.raises(jsonschema.ValidationError):
        checker(schema).validate({"deployment": {"port": "eighty"}})


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("schema",), ("validate", ".", "--format", "json")])
def test_reader_who_has_had_enough(product: Product, idle: str, arguments: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [sys.executable, str(app.HERE / "app.py"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=product.environ,
        cwd=idle,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    process.stderr.close()
    code = process.wait(30)
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors
    assert code == (2 if "validate" in arguments else 1), "the verdict's, or that it was cut"


# ── what can't run ───────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_engine_that_does_not_answer(product: Product, tmp_path: Path) -> None:
    ended = product.run(
        "validate", str(project(tmp_path / "it", build_command="true")), "--format", "json"
    )
    assert ended.process.returncode == 2
    assert (ended.result["verdict"], ended.result["class"]) == ("error", "infrastructure")
    reason = ended.result["reason"]
    assert "container engine" in reason
    assert "no-engine.sock" in reason
    assert "DOCKER_HOST" in reason, "the mend"
    assert "Traceback" not in ended.errors
    assert product.source_folders() == []


@pytest.mark.slow
def test_doctor_without_an_engine(product: Product) -> None:
    ended = product.run("doctor")
    assert ended.process.returncode == 1
    assert "container engine" in ended.output
    assert "DOCKER_HOST" in ended.output
    assert "Traceback" not in ended.errors


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "ref"),
    [
        pytest.param("/no/such/folder", None, id="no folder"),
        pytest.param("helper::address", None, id="refused address"),
        pytest.param("http://127.0.0.1:9/none.git", None, id="nobody there"),
    ],
)
def test_source_that_is_not_there(tmp_path: Path, where: str, ref: str | None) -> None:
    product = Product(tmp_path / "product", environment={"TMPDIR": "/tmp"})
    ended = product.run("validate", where, "--format", "json")
    assert ended.process.returncode == 2
    assert ended.result["verdict"] == "error"
    assert ended.result["stages"][0]["status"] == "error"
    assert "Traceback" not in ended.errors


def test_configuration_with_faults_is_told_and_used_as_far_as_it_goes(
    product: Product, tmp_path: Path
) -> None:
    where = configured(tmp_path / "it", "deployment: {build_comand: make}\nnonsense: 1")
    ended = product.run("validate", str(where), "--format", "json")
    notes = " ".join(ended.result["notes"])
    assert "build_comand" in notes
    assert "build_command" in notes, "the nearest key"
    assert ended.result["verdict"] == "neutral"


@pytest.mark.slow
def test_what_dead_processes_left_is_swept(product: Product, idle: str) -> None:
    left = product.temporary / "codegenapp-git-left"
    left.mkdir()
    (left / "file").write_text("of somebody who was killed")
    product.run("validate", idle)
    assert not left.exists()


# ── with an engine ───────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def working(docker_host: str | None, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """An installation with an engine."""
    return Product(tmp_path_factory.mktemp("working"), docker_host)


@pytest.mark.engine
def test_passed(working: Product, tmp_path: Path) -> None:
    where = project(tmp_path / "it", build_command="true", test_command="false")
    ended = working.run("validate", str(where), "--stage", "build", "--format", "json")
    assert ended.process.returncode == 0, ended.errors
    stages = {it["name"]: it["status"] for it in ended.result["stages"]}
    assert (stages["build"], stages["test"], stages["start"]) == ("passed", "skipped", "skipped")
    assert working.things() == []


@pytest.mark.engine
def test_failed(working: Product, tmp_path: Path) -> None:
    where = project(tmp_path / "it", build_command="echo oops; exit 3")
    ended = working.run("validate", str(where), "--format", "json")
    assert ended.process.returncode == 1
    build = next(it for it in ended.result["stages"] if it["name"] == "build")
    assert (build["status"], build["exit_code"], build["log_excerpt"]) == ("failed", 3, "oops")
    assert "✗ build" in ended.errors


@pytest.mark.engine
def test_secret_reaches_its_step_and_nothing_else(working: Product, tmp_path: Path) -> None:
    configuration = """
deployment:
  build_command: test -z "$TOKEN"
  test_command: test -n "$TOKEN" && echo "[$TOKEN]"
  secrets: {TOKEN: [test]}
"""
    where = str(configured(tmp_path / "it", configuration))
    ended = working.run("validate", where, "--secret", "TOKEN", TOKEN="hush-hush")
    assert ended.process.returncode == 0, ended.errors
    assert "hush-hush" not in ended.output + ended.errors
    without = working.run("validate", where, "--format", "json")
    assert without.process.returncode == 1
    assert without.result["class"] == "missing_secret"


@pytest.mark.engine
def test_image_that_the_engine_does_not_have(working: Product, tmp_path: Path) -> None:
    where = project(tmp_path / "it", build_command="true")
    ended = working.run("validate", str(where), "--format", "json", SANDBOX_IMAGE="no/such:image")
    assert ended.process.returncode == 2
    assert "no/such:image" in ended.result["reason"]
    assert "pull it, or unset the variable" in ended.result["reason"]
