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

from bot.domain.plan import Cause, Stage, StageStatus
from bot.domain.validations import Check, CheckState, Verdict
from sandbox.docker import DockerEngine
from tests.own_images import own_image
from tests.real_projects import Registries
from tests.sandbox.conftest import Validator
from tests.sandbox.verdicts import failed_at, lay_out, passed, report, stage_of

pytestmark = [pytest.mark.engine, pytest.mark.long]

SERVING = frozenset({Stage.START, Stage.HEALTH, Stage.PORTS, Stage.STABILITY})
RUNNING = SERVING | {Stage.WEB_EVALUATION}
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
    return registries.python_generator(("wagtail==8.0",), *made, makes="bakery")


def _fastapi(registries: Registries) -> Path:
    made = ("fastapi-new", "shop-api", "--python", "3.11")
    return registries.python_generator(("fastapi-new==0.0.7", "uv"), *made, makes="shop-api")


def _express(registries: Registries) -> Path:
    made = ("express", "--view=pug", "shop")
    return registries.npm_generator("express-generator@4.16.1", *made, makes="shop")


NEXT = (
    "create-next-app", "shop", "--ts", "--app", "--empty", "--no-tailwind", "--no-linter",
    "--no-src-dir", "--no-react-compiler", "--import-alias", "@/*", "--use-npm",
    "--skip-install", "--disable-git",
)  # fmt: skip


def _next(registries: Registries) -> Path:
    return registries.npm_generator("create-next-app@16.4.3", *NEXT, makes="shop")


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
        SERVING,  # its first page is JSON
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
    # As a fork's: no snapshot is kept, which would install everything once more.
    result = await validate(project.fetch(registries), trusted=False)
    text = report(result)
    assert result.verdict is Verdict.PASSED, text
    prepared = PREPARED if stage_of(result, Stage.INSTALL).command else {Stage.RETRIEVE}
    assert passed(result) == project.stages | prepared, text
    for line in project.assumed:
        assert line in result.assumed
    deployed = project.stages >= SERVING
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


MONOREPO = {
    "package.json": """{"name": "mono", "private": true, "workspaces": ["packages/*"],
      "scripts": {"prepare": "npm run build --workspace=@mono/lib",
                  "test": "npm test --workspaces --if-present",
                  "start": "npm start --workspace=@mono/web"}}""",
    "packages/lib/package.json": """{"name": "@mono/lib", "version": "1.0.0",
      "main": "dist/index.js",
      "scripts": {"build": "mkdir -p dist && cp src/index.js dist/", "test": "node --test"}}""",
    "packages/lib/src/index.js": "exports.hello = () => 'hello';\n",
    "packages/lib/lib.test.js": """const { hello } = require(".");
      require("node:test")("says hello", () => { if (hello() !== "hello") throw Error(hello()); });
    """,
    "packages/web/package.json": """{"name": "@mono/web", "version": "1.0.0",
      "scripts": {"start": "node server.js"},
      "dependencies": {"@mono/lib": "1.0.0", "express": "4.21.2"}}""",
    "packages/web/server.js": """const { hello } = require("@mono/lib");
      require("express")().get("/", (_, answer) => answer.send(hello())).listen(process.env.PORT);
    """,
}
TYPESCRIPT = {
    "package.json": """{"name": "shop", "private": true, "packageManager": "pnpm@9.15.9",
      "scripts": {"build": "tsc -p .", "start": "node dist/server.js", "test": "node --test dist/"},
      "dependencies": {"fastify": "5.2.1"},
      "devDependencies": {"typescript": "5.7.3", "@types/node": "20.17.0"}}""",
    "tsconfig.json": """{"compilerOptions": {"module": "nodenext", "target": "es2022",
      "outDir": "dist", "rootDir": "src", "strict": true, "types": ["node"]}}""",
    "src/server.ts": """import fastify from "fastify";
      const app = fastify();
      app.get("/health", async () => ({ ok: true }));
      app.listen({ port: Number(process.env.PORT ?? 3000), host: "127.0.0.1" });
    """,
    "src/sum.test.ts": 'import test from "node:test";\ntest("passes", () => {});\n',
}
KOA = {
    "package.json": """{"name": "shop", "private": true, "license": "MIT",
      "scripts": {"start": "node index.js", "test": "node --test"},
      "dependencies": {"koa": "2.15.3"}}""",
    "index.js": """const Koa = require("koa");
      const app = new Koa();
      app.use((context) => { context.body = "hello"; });
      app.listen(process.env.PORT || 4000);
    """,
    "test/koa.test.js": 'require("node:test")("loads", () => { require("koa"); });\n',
}


async def test_a_monorepo_of_npm_is_brought_up_from_its_snapshot(
    validate: Validator, registries: Registries, tmp_path: Path
) -> None:
    folder = lay_out(tmp_path / "mono", MONOREPO)
    registries.lock(folder, "npm", "install", "--package-lock-only", "--ignore-scripts")
    cold = await validate(folder)
    assert cold.verdict is Verdict.PASSED, report(cold)
    assert passed(cold) == PREPARED | RUNNING | {Stage.TEST}
    assert "port: 3000 (given as PORT)" in cold.assumed
    # `prepare` builds what the other package needs: it has to run on the new source, offline.
    lay_out(folder, {"packages/lib/src/index.js": "exports.hello = () => 'good day';\n"})
    warm = await validate(folder)
    assert warm.snapshot is not None
    assert warm.snapshot.hit
    assert stage_of(warm, Stage.INSTALL).reason.endswith("brought up")
    assert failed_at(warm) == (Stage.TEST, StageStatus.FAILED, Cause.EXIT_CODE)
    assert "good day" in stage_of(warm, Stage.TEST).log.text


async def test_a_project_of_pnpm(
    validate: Validator, registries: Registries, tmp_path: Path
) -> None:
    folder = lay_out(tmp_path / "shop", TYPESCRIPT)
    pnpm = ("npm", "exec", "--yes", "pnpm@9.15.9", "--")
    registries.lock(folder, *pnpm, "install", "--lockfile-only")
    result = await validate(folder, trusted=False)
    assert result.verdict is Verdict.PASSED, report(result)
    assert passed(result) == PREPARED | SERVING | {Stage.BUILD, Stage.TEST}
    assert stage_of(result, Stage.INSTALL).command == "pnpm install --frozen-lockfile"
    assert "health_check_url: /health (src/server.ts)" in result.assumed


async def test_a_project_of_yarn(
    validate: Validator, registries: Registries, tmp_path: Path
) -> None:
    folder = lay_out(tmp_path / "shop", KOA)
    yarn = ("npm", "exec", "--yes", "yarn@1.22.22", "--")
    registries.lock(folder, *yarn, "install", "--ignore-scripts")
    assert "https://registry.yarnpkg.com/" in (folder / "yarn.lock").read_text()
    result = await validate(folder, trusted=False)
    assert result.verdict is Verdict.PASSED, report(result)
    assert passed(result) == PREPARED | SERVING | {Stage.TEST}
    assert stage_of(result, Stage.INSTALL).command == "yarn install --frozen-lockfile"
    assert "port: 4000 (index.js)" in result.assumed


async def test_a_package_installed_in_place_follows_its_source(
    validate: Validator, registries: Registries
) -> None:
    folder = registries.sdist("flask==3.1.2", "examples/tutorial")
    cold = await validate(folder)
    assert cold.verdict is Verdict.PASSED, report(cold)
    blog = folder / "flaskr" / "blog.py"
    blog.write_text(blog.read_text() + "\nraise SystemExit('the new source')\n")
    warm = await validate(folder)
    assert warm.snapshot is not None
    assert warm.snapshot.hit
    assert failed_at(warm)[0] is Stage.TEST
    assert "the new source" in stage_of(warm, Stage.TEST).log.text


async def test_a_template_that_fetches_fonts_while_it_builds(
    validate: Validator, registries: Registries
) -> None:
    """Its build fails without a network, and the report says what to do."""
    made = tuple(it for it in NEXT if it != "--empty")
    folder = registries.npm_generator("create-next-app@16.4.3", *made, makes="shop")
    result = await validate(folder, trusted=False)
    assert failed_at(result) == (Stage.BUILD, StageStatus.FAILED, Cause.EXIT_CODE), report(result)
    (advice,) = (it for it in result.notes if it.startswith("build tried to reach the network"))
    assert "fonts.googleapis.com" in advice
    assert "sandbox.build_network" in advice
