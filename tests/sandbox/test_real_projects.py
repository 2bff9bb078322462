"""Real projects off the package registries, validated as they are: detection does the rest.

Each row says where the project comes from, the stages that must have run and passed, and what
must have been assumed. What these projects depend on is the day's, and so may one day break one:
then its row wants a newer version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.domain.plan import Stage
from bot.domain.validations import Check, CheckState, Verdict
from sandbox.docker import DockerEngine
from tests.own_images import own_image
from tests.real_projects import Registries
from tests.sandbox.conftest import Validator
from tests.sandbox.verdicts import lay_out, passed, report, stage_of

pytestmark = [pytest.mark.engine, pytest.mark.long]

RUNNING = frozenset({Stage.START, Stage.HEALTH, Stage.PORTS, Stage.STABILITY})
FLASKR = "python3 -m flask --app flaskr"
MANAGE = "python3 manage.py"
PREPARED = frozenset({Stage.RETRIEVE, Stage.INSTALL})


@dataclass(frozen=True)
class Project:
    """A real project and what a validation of it must find. ``stages`` are beyond install."""

    fetch: Callable[[Registries], Path]
    stages: frozenset[Stage]
    assumed: tuple[str, ...] = ()


def _wagtail(registries: Registries) -> Path:
    made = ("wagtail", "start", "bakery")
    return registries.python_generator("wagtail==8.0", *made, makes="bakery")


def _fastapi(registries: Registries) -> Path:
    made = ("fastapi-new", "shop-api", "--python", "3.11")
    return registries.python_generator("fastapi-new==0.0.7", *made, makes="shop-api")


def _express(registries: Registries) -> Path:
    made = ("express", "--view=pug", "shop")
    return registries.npm_generator("express-generator@4.16.1", *made, makes="shop")


def _next(registries: Registries) -> Path:
    made = (
        "create-next-app", "shop", "--ts", "--app", "--empty", "--no-tailwind", "--no-linter",
        "--no-src-dir", "--no-react-compiler", "--import-alias", "@/*", "--use-npm",
        "--skip-install", "--disable-git",
    )  # fmt: skip
    return registries.npm_generator("create-next-app@16.4.3", *made, makes="shop")


PROJECTS = {
    "Vite and React": Project(
        lambda it: it.npm("create-vite@9.3.0", "template-react-ts"),
        RUNNING | {Stage.BUILD},
        ("start_command: npm run preview -- --host 127.0.0.1 --port 4173 (package.json)",),
    ),
    "Express": Project(
        _express, RUNNING, ("start_command: npm start (package.json)", "port: 3000 (bin/www)")
    ),
    "Next.js": Project(
        _next, RUNNING | {Stage.BUILD}, ("start_command: npm start (package.json)",)
    ),
    "Flask, with a database to make": Project(
        lambda it: it.sdist("flask==3.1.2", "examples/tutorial"),
        RUNNING | {Stage.TEST},
        (
            (
                f"start_command: {FLASKR} init-db && {FLASKR} run --host 127.0.0.1 --port 5000 "
                "(flaskr/__init__.py)"
            ),
        ),
    ),
    "Django (Wagtail)": Project(
        _wagtail,
        RUNNING | {Stage.TEST},
        (
            "test_command: python3 manage.py test (manage.py)",
            (
                f"start_command: {MANAGE} migrate --noinput && "
                f"{MANAGE} runserver --noreload 127.0.0.1:8000 (manage.py)"
            ),
        ),
    ),
    "FastAPI, locked by uv": Project(
        _fastapi,
        RUNNING,
        ("start_command: python3 -m uvicorn main:app --host 127.0.0.1 --port 8000 (main.py)",),
    ),
    "static site that webpack builds": Project(
        lambda it: it.npm("html5-boilerplate@9.0.1", "dist"),
        RUNNING | {Stage.BUILD},
        (
            (
                "start_command: python3 -m http.server 8080 --bind 127.0.0.1 --directory dist "
                "(package.json: webpack)"
            ),
        ),
    ),
    "static site": Project(
        lambda it: it.npm("startbootstrap-creative@7.0.7", "dist"),
        RUNNING,
        ("start_command: python3 -m http.server 8000 --bind 127.0.0.1 --directory . (index.html)",),
    ),
    "Node library": Project(
        lambda it: it.npm("left-pad@1.3.0"),
        frozenset({Stage.TEST}),
        ("test_command: npm test (package.json)",),
    ),
    "Python library with a C extension": Project(
        lambda it: it.sdist("markupsafe==3.0.3"),
        frozenset({Stage.TEST}),
        ("test_command: python3 -m pytest (pyproject.toml)",),
    ),
    "Python library with its version in git": Project(
        lambda it: it.sdist("iniconfig==2.3.0"), frozenset({Stage.TEST})
    ),
    "Python library of Poetry's": Project(
        lambda it: it.sdist("tomlkit==0.13.3"), frozenset({Stage.TEST})
    ),
}


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    scratch = tmp_path / "registries"
    scratch.mkdir()
    return Registries(scratch)


@pytest.mark.parametrize("name", PROJECTS)
async def test_real_project(name: str, validate: Validator, registries: Registries) -> None:
    project = PROJECTS[name]
    result = await validate(project.fetch(registries))
    text = report(result)
    assert result.verdict is Verdict.PASSED, text
    prepared = PREPARED if stage_of(result, Stage.INSTALL).command else {Stage.RETRIEVE}
    assert passed(result) == project.stages | prepared, text
    for line in project.assumed:
        assert line in result.assumed
    deployed = project.stages >= RUNNING
    wanted = CheckState.PASSED if deployed else CheckState.NOT_APPLICABLE
    assert result.checks[Check.DEPLOYMENT_SUCCESS] is wanted
    assert ("deployment_success" in result.title) is not deployed
    assert not await validate.room.left()


async def test_a_go_project_in_an_image_of_its_own(
    validate: Validator, registries: Registries, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    source = "usr/share/gocode/src/github.com/gorilla/mux"
    folder = registries.debian("golang-github-gorilla-mux-dev", source)
    without = await validate(folder)
    assert without.verdict is Verdict.NEUTRAL, report(without)
    assert (
        "Go was found, but the default image has no Go; set `sandbox.image` to an image that has it"
        in without.notes
    )
    image = await own_image(docker_engine, "go", tmp_path)
    lay_out(folder, {".github/codegenapp.yml": f'sandbox: {{image: "{image}"}}\n'})
    result = await validate(folder)
    assert result.verdict is Verdict.PASSED, report(result)
    assert passed(result) == PREPARED | {Stage.BUILD, Stage.TEST}
    assert "github.com/gorilla/mux" in stage_of(result, Stage.TEST).log.text
