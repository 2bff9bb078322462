"""kill -9 of the controlling process, anywhere: no verdict, and nothing left after the next start.

Ordinary runs kill at three points, `make test-full` at all. A neighbour, another installation on
the same engine, works on through it all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.docker import DockerEngine
from sandbox.ownership import KIND
from tests.busybox import archive_of
from tests.product import Product, configured, project, with_engine

pytestmark = pytest.mark.engine

LISTENER = "python3 -m http.server 8000 --bind 127.0.0.1"
WHOLE: dict[str, str | int] = {
    "install_command": "true",
    "build_command": "true",
    "test_command": "true",
    "start_command": LISTENER,
    "port": 8000,
    "health_check_url": "/",
}
ON_AND_ON = "sleep 600"


@dataclass(frozen=True)
class Point:
    """Where to kill: the project, and what the command says when it is there."""

    deployment: dict[str, str | int]
    marker: str


POINTS = {
    "retrieve": Point(WHOLE, "retrieve"),
    "creating boxes": Point(WHOLE, "✓ retrieve"),
    "install": Point(WHOLE | {"install_command": ON_AND_ON}, "install: sleep"),
    "after install": Point(WHOLE, "✓ install"),
    "build": Point(WHOLE | {"build_command": ON_AND_ON}, "build: sleep"),
    "after build": Point(WHOLE, "✓ build"),
    "test": Point(WHOLE | {"test_command": ON_AND_ON}, "test: sleep"),
    "after test": Point(WHOLE, "✓ test"),
    "start": Point(WHOLE | {"start_command": ON_AND_ON}, "start: sleep"),
    "health": Point(WHOLE | {"start_command": ON_AND_ON}, "\nhealth"),
    "ports": Point(WHOLE, "✓ health"),
    "stability": Point(WHOLE, "\nstability"),
    "cleaning up": Point(WHOLE, "✓ stability"),
}
ORDINARY = ("creating boxes", "install", "health")


@pytest.fixture(scope="module")
def here(docker_host: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The installation that is killed, over and over."""
    product = Product(tmp_path_factory.mktemp("killed"), docker_host)
    yield product
    product.forget_images()


@pytest.fixture(scope="module")
def neighbour(
    docker_host: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """Another installation, in the middle of an install for as long as this module takes."""
    folder = tmp_path_factory.mktemp("neighbour")
    product = Product(folder, docker_host)
    where = project(folder / "project", install_command=ON_AND_ON, build_command="true")
    command = product.start("validate", str(where))
    try:
        command.wait_for("install: sleep")
        yield product
        assert command.process.poll() is None, command.errors
    finally:
        command.process.terminate()
        code = command.end()
    assert code == 130
    assert not product.things()


@pytest.fixture
def next_start(here: Product, tmp_path: Path) -> Iterator[None]:
    """After the test: the next start of the same installation leaves nothing of the dead one."""
    yield
    where = project(tmp_path / "next", build_command="true")
    command = here.run("validate", str(where), "--format", "json")
    assert command.process.returncode == 0, command.errors
    assert not here.things()
    assert not here.source_folders()


@pytest.fixture
def sleeper(docker_host: str | None, docker_busybox: str) -> Iterator[str]:
    """An image that does nothing for long; gone after the test."""
    name = "codegenapp-test/sleeper"
    recipe = archive_of({"Dockerfile": f'FROM {docker_busybox}\nCMD ["sleep", "600"]'.encode()})

    async def build(engine: DockerEngine) -> None:
        async for _ in engine.build(recipe, name, labels={}, arguments={}):
            pass

    with_engine(docker_host, build)
    yield name
    with_engine(docker_host, lambda engine: engine.remove_image(name))


@pytest.mark.parametrize(
    "name", [pytest.param(it, marks=() if it in ORDINARY else pytest.mark.long) for it in POINTS]
)
def test_killed_at(
    name: str, here: Product, neighbour: Product, next_start: None, tmp_path: Path
) -> None:
    point = POINTS[name]
    others = {it.id for it in neighbour.things()}
    assert {it.labels[KIND] for it in neighbour.things()} == {
        "application", "egress", "network", "probe",
    }  # fmt: skip
    command = here.start("validate", str(project(tmp_path / "it", **point.deployment)))
    command.wait_for(point.marker)
    command.kill()
    assert command.output == "", "who is dead has no verdict"
    assert not [it for it in here.boxes_end() if it.running], "boxes without a lease end"
    assert {it.id for it in neighbour.things()} == others


@pytest.mark.long
def test_killed_while_a_snapshot_is_made(
    here: Product, neighbour: Product, next_start: None, tmp_path: Path
) -> None:
    others = {it.id for it in neighbour.things()}
    install = "mkdir -p node_modules && sleep 4"
    where = project(tmp_path / "it", install_command=install, build_command="true")
    command = here.start("validate", str(where), "--format", "json")
    command.wait_for("keeping the installed")
    command.kill()
    assert command.result["verdict"] == "passed", "it was known, and told, before the snapshot"
    assert not [it for it in here.boxes_end() if it.running]
    again = here.run("validate", str(where), "--format", "json")
    assert again.result["verdict"] == "passed"
    assert again.result["snapshot"]["hit"] is False, "what was not finished is not used"
    assert {it.id for it in neighbour.things()} == others


@pytest.mark.long
def test_killed_with_services(
    here: Product, neighbour: Product, next_start: None, sleeper: str, tmp_path: Path
) -> None:
    """Services have no lease of their own; the next start takes them."""
    configuration = f"""
deployment: {{build_command: {ON_AND_ON}, test_command: "true"}}
sandbox:
  services: [{{name: db, image: {sleeper}, ready_command: "true"}}]
"""
    command = here.start("validate", str(configured(tmp_path / "it", configuration)))
    command.wait_for("build: sleep")
    command.kill()
    assert command.output == ""
