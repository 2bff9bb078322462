"""Detection across stacks: static sites, hints, other stacks, two stacks at once."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.policy.detect import INTERESTING, Detected, detect, interesting
from bot.policy.detect.hints import read_hints
from bot.policy.detect.tree import MAXIMUM_FILES, Tree


def _commands(found: Detected) -> dict[str, str | int]:
    return {key.removesuffix("_command"): it.value for key, it in found.values()}


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        pytest.param(["index.html", "docs/index.html"], ".", id="root"),
        pytest.param(["public/index.html"], "public", id="public"),
        pytest.param(["docs/index.html", "README.md"], "docs", id="docs"),
        pytest.param(["site/index.html"], "site", id="site"),
        pytest.param(["dist/index.html"], "dist", id="dist"),
    ],
)
def test_a_static_site_is_served_from_its_folder(paths: list[str], folder: str) -> None:
    assert _commands(detect({}, paths)) == {
        "start": f"python3 -m http.server 8000 --bind 127.0.0.1 --directory {folder}",
        "port": 8000,
        "health_check_url": "/",
    }


def test_nothing_known_says_what_to_set() -> None:
    found = detect({}, ["README.md", "notes.txt"])
    assert (found.stack, _commands(found)) == ("", {})
    assert [it.key for it in found.missing] == ["install_command", "start_command"]


@pytest.mark.parametrize(
    ("dockerfile", "command", "port", "image"),
    [
        pytest.param(
            'FROM golang:1.24 AS build\nEXPOSE 1\nFROM alpine:3\nEXPOSE 8080/tcp 9090\n'
            'CMD ["./serve", "--quiet now"]',
            "./serve '--quiet now'", 8080, "alpine:3", id="last stage, exec form",
        ),
        pytest.param("FROM --platform=linux/amd64 node:22\nCMD node server.js # now",
                     "node server.js # now", None, "node:22", id="shell form"),
        pytest.param('FROM a\nENTRYPOINT ["python", "-m"]\nCMD ["web"]', "python -m web", None, "a",
                     id="entry point with command"),
        pytest.param("FROM a\nENTRYPOINT exec top\nCMD x", "exec top", None, "a",
                     id="entry point in shell form"),
        pytest.param("FROM a\nCMD node \\\n # why\n  app.js", "node    app.js", None, "a",
                     id="continued over a comment"),
        pytest.param("ARG B=x\nFROM $B\nEXPOSE $PORT\n", None, None, None, id="variables"),
        pytest.param("FROM scratch\nEXPOSE 99999", None, None, None, id="scratch, no port"),
    ],
)  # fmt: skip
def test_what_a_dockerfile_says(
    dockerfile: str, command: str | None, port: int | None, image: str | None
) -> None:
    hints = read_hints(Tree({"Dockerfile": dockerfile}, frozenset({"Dockerfile"})))
    assert (hints.command.value if hints.command else None) == command
    assert (hints.exposed.value if hints.exposed else None) == port
    assert hints.image == image


def test_a_dockerfile_starts_what_nothing_else_does() -> None:
    files = {"Dockerfile": 'FROM perl:5\nEXPOSE 7000\nCMD ["perl", "app.pl"]'}
    found = detect(files, files)
    assert _commands(found) == {"start": "perl app.pl", "port": 7000, "health_check_url": "/"}
    assert found.notes == ("the Dockerfile starts from perl:5; to run in it, set `sandbox.image`",)


@pytest.mark.parametrize(
    ("line", "port"),
    [
        pytest.param("web: node server.js --port $PORT", 8000, id="the variable"),
        pytest.param("web: uvicorn a:b --port=${PORT:-5000}", 8000, id="the variable, braced"),
        pytest.param("web: gunicorn app:app -b 0.0.0.0:9000", 9000, id="its own"),
        pytest.param("web: ./serve", None, id="none"),
    ],
)
def test_the_port_of_a_procfile(line: str, port: int | None) -> None:
    found = detect({"Procfile": line}, ["Procfile"])
    assert (found.port.value if found.port else None) == port
    assert any(it.key == "port" for it in found.missing) is (port is None)


@pytest.mark.parametrize(
    ("files", "expected", "tools"),
    [
        pytest.param(
            {"go.mod": "module x", "go.sum": "", "x_test.go": "",
             "main.go": 'http.ListenAndServe(":8085", nil)'},
            {"install": "go mod download", "build": "go build ./...", "test": "go test ./...",
             "start": "go run .", "port": 8085, "health_check_url": "/"},
            "Go", id="Go",
        ),
        pytest.param(
            {"Cargo.toml": "[package]", "Cargo.lock": ""},
            {"install": "cargo fetch --locked", "build": "cargo build --offline",
             "test": "cargo test --offline"},
            "Rust", id="Rust",
        ),
        pytest.param(
            {"pom.xml": "<project/>"},
            {"install": "mvn -B dependency:go-offline", "build": "mvn -B -o -DskipTests package",
             "test": "mvn -B -o verify"},
            "Java", id="Maven",
        ),
        pytest.param(
            {"build.gradle.kts": "", "gradlew": ""},
            {"install": "sh ./gradlew --no-daemon testClasses",
             "build": "sh ./gradlew --no-daemon --offline assemble",
             "test": "sh ./gradlew --no-daemon --offline test"},
            "Java", id="Gradle",
        ),
        pytest.param(
            {"Gemfile": "gem 'rails'", "bin/rails": "", "test/a_test.rb": ""},
            {"install": "bundle install", "test": "bin/rails test",
             "start": "bin/rails server -b 127.0.0.1 -p 3000", "port": 3000,
             "health_check_url": "/up"},
            "Ruby", id="Rails",
        ),
        pytest.param(
            {"composer.json": json.dumps({"require-dev": {"phpunit/phpunit": "^11"}}),
             "public/index.php": ""},
            {"install": "composer install --no-interaction", "test": "vendor/bin/phpunit",
             "start": "php -S 127.0.0.1:8000 -t public", "port": 8000, "health_check_url": "/"},
            "PHP", id="PHP",
        ),
        pytest.param(
            {"Makefile": "build: x\n\tcc x.c\ncheck:\n\t./x\nCC := gcc\n"},
            {"build": "make build", "test": "make check"},
            "", id="Makefile alone",
        ),
    ],
)  # fmt: skip
def test_other_stacks(
    files: Mapping[str, str], expected: Mapping[str, str | int], tools: str
) -> None:
    found = detect(files, files)
    assert (_commands(found), found.needs_image) == (expected, tools)


PACKAGE = json.dumps({"scripts": {"build": "webpack"}, "devDependencies": {"webpack": "5"}})


def test_two_stacks_join_where_the_second_has_work() -> None:
    files = {
        "requirements.txt": "flask",
        "app.py": "app = Flask(__name__)",
        "package.json": PACKAGE,
        "package-lock.json": "{}",
    }
    found = detect(files, files)
    assert found.stack == "Python (Flask), Node.js (npm)"
    assert _commands(found) == {
        "install": "python3 -m pip install -r requirements.txt && npm ci",
        "build": "npm run build",
        "start": "python3 -m flask --app app run --host 127.0.0.1 --port 5000",
        "port": 5000,
        "health_check_url": "/",
    }
    assert found.install is not None
    assert found.install.origin == "requirements.txt, package-lock.json"


def test_a_second_stack_without_work_stays_out() -> None:
    node = json.dumps({"scripts": {"start": "node server.js"}, "dependencies": {"express": "4"}})
    files = {"package.json": node, "server.js": "app.listen(3000)", "requirements.txt": "mkdocs"}
    found = detect(files, files)
    assert found.install is not None
    assert found.install.value == "npm install"
    assert "Python is there too; it has nothing to build, test or start" in found.notes


def test_interesting_files_are_few_and_the_telling_ones_first() -> None:
    paths = [f"page{number}.js" for number in range(500)]
    paths += ["package.json", "src/deep/er/file.py", "node_modules/a/package.json", "app.py"]
    chosen = interesting(paths)
    assert chosen[0] == "package.json"
    assert "app.py" in chosen
    assert len(chosen) == MAXIMUM_FILES
    assert not {"src/deep/er/file.py", "node_modules/a/package.json"} & set(chosen)
    assert INTERESTING[0] == "package.json"


_FILES = st.dictionaries(
    st.sampled_from(
        ["package.json", "pyproject.toml", "requirements.txt", "setup.cfg", "setup.py", "Pipfile",
         "Dockerfile", "Procfile", "Makefile", "app.py", "manage.py", "server.js", "composer.json"]
    ),
    st.text(max_size=60)
    | st.sampled_from(
        ['{"scripts": []}', '{"scripts": {"start": 3}}', '{"dependencies": "x"}', "[1]", "null",
         '[project]\ndependencies = "x"', "[project.optional-dependencies]\ntest = 3",
         "[tool]\npoetry = 3", "[tool.poetry.dependencies]\na = 3\nb = '^'\nc = ''",
         "[dependency-groups]\ndev = [{include-group = 'x'}]", "CMD []", 'CMD ["a", 1]', "-e",
         "[options.extras_require", "web:", "[build-system]\nrequires = 'x'\n[project]"]
    ),
)  # fmt: skip


@given(files=_FILES)
@settings(deadline=None)
def test_no_content_makes_detection_raise(files: dict[str, str]) -> None:
    found = detect(files, files)
    assert all(str(value.value).strip() and value.origin for _, value in found.values())
