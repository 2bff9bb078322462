"""Detection of Node projects, a row a kind of repository."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bot.policy.detect import Detected, detect


def _package(**fields: Any) -> str:
    return json.dumps({"name": "sample", "version": "1.0.0", **fields})


def _commands(found: Detected) -> dict[str, str | int]:
    return {key.removesuffix("_command"): it.value for key, it in found.values()}


VITE = {"scripts": {"dev": "vite", "build": "vite build", "preview": "vite preview"},
        "devDependencies": {"vite": "^6.0.0"}}  # fmt: skip
EXPRESS = {"scripts": {"start": "node server.js", "test": "node --test"},
           "dependencies": {"express": "^4.19.0"}}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"package.json": _package(**VITE), "package-lock.json": "{}", "index.html": "<div>"},
            {
                "install": "npm ci",
                "build": "npm run build",
                "start": "npm run preview -- --host 127.0.0.1 --port 4173",
                "port": 4173,
                "health_check_url": "/",
            },
            id="Vite template",
        ),
        pytest.param(
            {"package.json": _package(**VITE), "pnpm-lock.yaml": ""},
            {
                "install": "pnpm install --frozen-lockfile",
                "build": "pnpm run build",
                "start": "pnpm run preview --host 127.0.0.1 --port 4173",
                "port": 4173,
                "health_check_url": "/",
            },
            id="Vite with pnpm, which wants no dashes",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={
                        "start": "webpack serve --open --config webpack.config.dev.js",
                        "build": "webpack --config webpack.config.prod.js",
                    },
                    devDependencies={"webpack": "^5.91.0", "webpack-dev-server": "^5.0.4"},
                ),
                "index.html": "<p>",
            },
            {
                "install": "npm install",
                "build": "npm run build",
                "start": "python3 -m http.server 8080 --bind 127.0.0.1 --directory dist",
                "port": 8080,
                "health_check_url": "/",
            },
            id="webpack's development server stands for the build",
        ),
        pytest.param(
            {
                "package.json": _package(
                    workspaces=["packages/*"], scripts={"start": "npm start --workspace=@mono/web"}
                ),
                "package-lock.json": "",
                "packages/web/package.json": _package(dependencies={"express": "4.21.2"}),
            },
            {
                "install": "npm ci",
                "start": "npm start",
                "port": 3000,
                "health_check_url": "/",
            },
            id="a member of a workspace is the server",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={"build": "vite build"}, devDependencies={"vite": "5"}
                ),
                "yarn.lock": "",
            },
            {
                "install": "yarn install --frozen-lockfile",
                "build": "yarn run build",
                "start": "yarn run vite preview --host 127.0.0.1 --port 4173",
                "port": 4173,
                "health_check_url": "/",
            },
            id="Vite without a preview script",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={"start": "vite", "build": "vite build"}, devDependencies={"vite": "5"}
                ),
                "package-lock.json": "",
            },
            {
                "install": "npm ci",
                "build": "npm run build",
                "start": "npx vite preview --host 127.0.0.1 --port 4173",
                "port": 4173,
                "health_check_url": "/",
            },
            id="start is a development server: the build is served",
        ),
        pytest.param(
            {
                "package.json": _package(**EXPRESS),
                "package-lock.json": "",
                "server.js": "app.get('/health', ok); app.get('/', page);\n"
                "app.listen(process.env.PORT || 8081)",
            },
            {
                "install": "npm ci",
                "test": "npm test",
                "start": "npm start",
                "port": 8081,
                "health_check_url": "/health",
            },
            id="Express with a port and a health route",
        ),
        pytest.param(
            {
                "package.json": _package(**EXPRESS),
                "server.js": "const port = process.env.PORT\napp.listen(port)",
            },
            {
                "install": "npm install",
                "test": "npm test",
                "start": "npm start",
                "port": 3000,
                "health_check_url": "/",
            },
            id="Express that takes PORT, no lock file",
        ),
        pytest.param(
            {
                "package.json": _package(
                    main="./lib/main.js",
                    scripts={"test": 'echo "Error: no test specified" && exit 1'},
                ),
                "npm-shrinkwrap.json": "",
                "lib/main.js": "http.createServer(handle).listen(7000)",
            },
            {
                "install": "npm ci",
                "start": "node lib/main.js",
                "port": 7000,
                "health_check_url": "/",
            },
            id="main that listens; npm init's test is none",
        ),
        pytest.param(
            {
                "package.json": _package(main="index.js", scripts={"test": "mocha"}),
                "index.js": "module.exports = (a, b) => a + b",
            },
            {"install": "npm install", "test": "npm test"},
            id="library: nothing to start",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={
                        "start": "react-scripts start",
                        "build": "react-scripts build",
                        "test": "react-scripts test",
                    },
                    dependencies={"react-scripts": "5.0.1"},
                ),
                "package-lock.json": "",
                "public/index.html": "",
            },
            {
                "install": "npm ci",
                "build": "npm run build",
                "test": "npm test",
                "start": "python3 -m http.server 3000 --bind 127.0.0.1 --directory build",
                "port": 3000,
                "health_check_url": "/",
            },
            id="Create React App: its build is served",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={"dev": "next dev", "build": "next build", "start": "next start"},
                    dependencies={"next": "15"},
                ),
                "package-lock.json": "",
            },
            {
                "install": "npm ci",
                "build": "npm run build",
                "start": "npm start",
                "port": 3000,
                "health_check_url": "/",
            },
            id="Next.js",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={"start": "next dev", "build": "next build"},
                    dependencies={"next": "15"},
                )
            },
            {
                "install": "npm install",
                "build": "npm run build",
                "start": "npx next start -p 3000",
                "port": 3000,
                "health_check_url": "/",
            },
            id="Next.js whose start is the development server",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={"start": "next start -p 4005", "build": "next build"},
                    dependencies={"next": "15"},
                )
            },
            {
                "install": "npm install",
                "build": "npm run build",
                "start": "npm start",
                "port": 4005,
                "health_check_url": "/",
            },
            id="port of the start script",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={"build": "astro build", "preview": "astro preview"},
                    dependencies={"astro": "5", "vite": "6"},
                ),
                "pnpm-lock.yaml": "",
            },
            {
                "install": "pnpm install --frozen-lockfile",
                "build": "pnpm run build",
                "start": "pnpm run preview --host 127.0.0.1 --port 4321",
                "port": 4321,
                "health_check_url": "/",
            },
            id="Astro",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={"start": "ng serve", "build": "ng build", "test": "ng test"},
                    dependencies={"@angular/core": "19"},
                ),
                "package-lock.json": "",
            },
            {
                "install": "npm ci",
                "build": "npm run build",
                "test": "npm test -- --watch=false",
                "start": "npm start -- --host 127.0.0.1 --port 4200",
                "port": 4200,
                "health_check_url": "/",
            },
            id="Angular",
        ),
        pytest.param(
            {
                "package.json": _package(
                    scripts={"build": "tsc", "start": "node dist/main.js"},
                    dependencies={"@nestjs/core": "10"},
                ),
                "package-lock.json": "",
                "src/main.ts": "await app.listen(3333);",
            },
            {
                "install": "npm ci",
                "build": "npm run build",
                "start": "npm start",
                "port": 3333,
                "health_check_url": "/",
            },
            id="compiled server: the port is in its source",
        ),
        pytest.param(
            {
                "package.json": _package(scripts={"start": "node bin/www"}),
                "bin/www": "var port = normalizePort(process.env.PORT || '3000');",
            },
            {
                "install": "npm install",
                "start": "npm start",
                "port": 3000,
                "health_check_url": "/",
            },
            id="express-generator",
        ),
        pytest.param(
            {
                "package.json": _package(scripts={"start": "node worker.js"}),
                "worker.js": "loop()",
                "Dockerfile": "FROM node:22\nEXPOSE 9090\nCMD node worker.js",
            },
            {
                "install": "npm install",
                "start": "npm start",
                "port": 9090,
                "health_check_url": "/",
            },
            id="port of the Dockerfile",
        ),
        pytest.param(
            {"package.json": _package(devDependencies={"prettier": "3"}), "index.html": "<p>"},
            {
                "install": "npm install",
                "start": "python3 -m http.server 8000 --bind 127.0.0.1 --directory .",
                "port": 8000,
                "health_check_url": "/",
            },
            id="static pages beside tools",
        ),
        pytest.param(
            {"package.json": "{ not json", "package-lock.json": ""},
            {"install": "npm ci"},
            id="package.json that is none",
        ),
    ],
)
def test_node(files: Mapping[str, str], expected: Mapping[str, str | int]) -> None:
    assert _commands(detect(files, files)) == expected


def test_every_value_names_its_file() -> None:
    files = {
        "package.json": _package(**EXPRESS),
        "package-lock.json": "",
        "server.js": "app.get('/healthz', ok); app.listen(3000)",
    }
    assert detect(files, files).assumed == (
        "install_command: npm ci (package-lock.json)",
        "test_command: npm test (package.json)",
        "start_command: npm start (package.json)",
        "port: 3000 (server.js)",
        "health_check_url: /healthz (server.js)",
    )


def test_a_route_that_is_there_is_asked_where_the_root_is_not() -> None:
    files = {
        "package.json": _package(**EXPRESS),
        "server.js": "app.get('/api/items', list)\napp.get('/api/:id', one)\napp.listen(3000)",
    }
    found = detect(files, files)
    assert found.health_path is not None
    assert (found.health_path.value, found.fallback_path) == ("/", "/api/items")


def test_several_lock_files_are_told_and_the_named_manager_wins() -> None:
    files = {
        "package.json": _package(packageManager="pnpm@9.1.0"),
        "package-lock.json": "",
        "pnpm-lock.yaml": "",
    }
    found = detect(files, files)
    assert found.install is not None
    assert found.install.value == "pnpm install --frozen-lockfile"
    assert found.notes == (
        (
            "there are several lock files (pnpm-lock.yaml, package-lock.json); pnpm-lock.yaml "
            "was used: package.json's packageManager says pnpm"
        ),
    )


def test_modern_yarn_has_another_word_for_frozen() -> None:
    files = {"package.json": _package(packageManager="yarn@4.5.0"), "yarn.lock": ""}
    found = detect(files, files)
    assert found.install is not None
    assert found.install.value == "yarn install --immutable"


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        pytest.param({}, False, id="plain"),
        pytest.param({"scripts": {"prepare": "husky"}}, True, id="prepare"),
        pytest.param({"scripts": {"postinstall": "patch-package"}}, True, id="postinstall"),
        pytest.param({"workspaces": ["packages/*"]}, True, id="workspaces"),
        pytest.param({"dependencies": {"own": "file:../own"}}, True, id="local dependency"),
    ],
)
def test_install_needs_the_source(fields: Mapping[str, Any], needed: bool) -> None:
    files = {"package.json": _package(**fields)}
    assert detect(files, files).needs_source is needed


def test_manifests_are_found_everywhere_but_in_other_peoples_code() -> None:
    files = {"package.json": _package(workspaces=["packages/*"]), "package-lock.json": "{}"}
    paths = (
        *files,
        ".npmrc",
        "packages/a/package.json",
        "node_modules/x/package.json",
        "src/index.js",
    )
    found = detect(files, paths)
    assert found.manifests == (
        ".npmrc",
        "package-lock.json",
        "package.json",
        "packages/a/package.json",
    )
    assert found.locked


def test_what_is_missing_says_what_to_do() -> None:
    files = {"package.json": _package()}
    assert {it.key: it.sentence for it in detect(files, files).missing} == {
        "test_command": (
            "package.json has no script `test`; add one or set `deployment.test_command`"
        ),
        "start_command": (
            "no start command was found: package.json has no script `start` or `preview`, and no "
            "server file; set `deployment.start_command`"
        ),
    }


@pytest.mark.parametrize(
    ("more", "said"),
    [({}, False), ({"dependencies": {}}, False), ({"devDependencies": {"mocha": "11"}}, True)],
    ids=["nothing to install", "none listed", "something to install"],
)
def test_a_lock_file_is_missed_where_it_would_pin_something(
    more: dict[str, object], *, said: bool
) -> None:
    files = {"package.json": _package(scripts={"test": "node --test"}, **more)}
    notes = detect(files, frozenset(files)).notes
    assert any("no lock file" in it for it in notes) is said
