"""Detection of Python projects, a row a kind of repository."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bot.policy.detect import Detected, detect

MANAGE = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")'
FLASK = "from flask import Flask\napp = Flask(__name__)\n\n@app.route('/')\ndef home(): ...\n"
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


def _commands(found: Detected) -> dict[str, str | int]:
    return {key.removesuffix("_command"): it.value for key, it in found.values()}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"requirements.txt": "flask==3.0.0\npytest==8.0\n", "app.py": FLASK,
             "tests/test_app.py": ""},
            {
                "install": "python3 -m pip install -r requirements.txt",
                "test": "python3 -m pytest",
                "start": "python3 -m flask --app app run --host 127.0.0.1 --port 5000",
                "port": 5000,
                "health_check_url": "/",
            },
            id="Flask with pytest",
        ),
        pytest.param(
            {"requirements.txt": "Flask\n", "shop/__init__.py": "def create_app(config=None):\n",
             "tests/test_shop.py": "import unittest\n"},
            {
                "install": "python3 -m pip install -r requirements.txt",
                "test": "python3 -m unittest discover -s tests",
                "start": "python3 -m flask --app shop run --host 127.0.0.1 --port 5000",
                "port": 5000,
                "health_check_url": "/",
            },
            id="Flask factory, unittest",
        ),
        pytest.param(
            {"requirements.txt": "flask\n", "shop/__init__.py": "def create_app(config=None):\n",
             "shop/db.py": "@click.command('init-db')\ndef init_db_command(): ...\n"},
            {
                "install": "python3 -m pip install -r requirements.txt",
                "start": "python3 -m flask --app shop init-db && "
                "python3 -m flask --app shop run --host 127.0.0.1 --port 5000",
                "port": 5000,
                "health_check_url": "/",
            },
            id="Flask with a command that makes its tables",
        ),
        pytest.param(
            {"requirements.txt": "flask\nFlask-Migrate\n", "app.py": FLASK,
             "migrations/env.py": "", "tests/conftest.py": "@cli.command('init-db')"},
            {
                "install": "python3 -m pip install -r requirements.txt",
                "start": "python3 -m flask --app app db upgrade && "
                "python3 -m flask --app app run --host 127.0.0.1 --port 5000",
                "port": 5000,
                "health_check_url": "/",
            },
            id="Flask with migrations",
        ),
        pytest.param(
            {"requirements.txt": "fastapi[standard]\n", "requirements-dev.txt": "pytest\n",
             "main.py": "api = FastAPI(title='x')\n@api.get('/healthz')\n",
             "test_main.py": ""},
            {
                "install": "python3 -m pip install -r requirements.txt -r requirements-dev.txt",
                "test": "python3 -m pytest",
                "start": "python3 -m uvicorn main:api --host 127.0.0.1 --port 8000",
                "port": 8000,
                "health_check_url": "/healthz",
            },
            id="FastAPI with development requirements",
        ),
        pytest.param(
            {"requirements.txt": "Django>=5\n", "manage.py": MANAGE, "shop/wsgi.py": "",
             "shop/urls.py": "path('admin/', admin.site.urls)", "cart/tests.py": ""},
            {
                "install": "python3 -m pip install -r requirements.txt",
                "test": "python3 manage.py test",
                "start": "python3 manage.py migrate --noinput && "
                "python3 manage.py runserver --noreload 127.0.0.1:8000",
                "port": 8000,
                "health_check_url": "/",
            },
            id="Django",
        ),
        pytest.param(
            {"requirements.txt": "django\ngunicorn\n", "manage.py": MANAGE, "shop/wsgi.py": "",
             "shop/urls.py": "path('healthz/', ok)"},
            {
                "install": "python3 -m pip install -r requirements.txt",
                "start": "python3 manage.py migrate --noinput && "
                "python3 -m gunicorn shop.wsgi --bind 127.0.0.1:8000",
                "port": 8000,
                "health_check_url": "/healthz/",
            },
            id="Django with gunicorn and a health route",
        ),
        pytest.param(
            {"pyproject.toml": HATCH + '[project]\nname = "x"\ndependencies = ["click"]\n'
             '[project.optional-dependencies]\ndocs = ["sphinx"]\ntest = ["pytest>=8"]\n',
             "tests/test_x.py": ""},
            {
                "install": "python3 -m pip install hatchling editables && "
                "python3 -m pip install --no-build-isolation -e '.[test]'",
                "test": "python3 -m pytest",
            },
            id="package with a test extra",
        ),
        pytest.param(
            {"pyproject.toml": HATCH + '[project]\nname = "x"\n'
             '[dependency-groups]\ndev = ["pytest", {include-group = "lint"}]\nlint = ["ruff"]\n',
             "tests/test_x.py": ""},
            {
                "install": "python3 -m pip install hatchling editables && "
                "python3 -m pip install --no-build-isolation -e . --group dev",
                "test": "python3 -m pytest",
            },
            id="package with a dependency group",
        ),
        pytest.param(
            {"pyproject.toml": '[build-system]\nrequires = ["setuptools>=64", "setuptools-scm"]\n'
             '[project]\nname = "x"\ndynamic = ["version"]\n'},
            {
                "install": "python3 -m pip install 'setuptools>=64' setuptools-scm && "
                "SETUPTOOLS_SCM_PRETEND_VERSION=9999 python3 -m pip install "
                "--no-build-isolation -e .",
            },
            id="version from git, which a box does not have",
        ),
        pytest.param(
            {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["flask>=3", "gunicorn"]\n'
             '[dependency-groups]\ndev = ["pytest"]\n', "uv.lock": "", "main.py": FLASK},
            {
                "install": "python3 -m pip install 'flask>=3' gunicorn pytest",
                "start": "python3 -m flask --app main run --host 127.0.0.1 --port 5000",
                "port": 5000,
                "health_check_url": "/",
            },
            id="application that is no package",
        ),
        pytest.param(
            {"pyproject.toml": '[build-system]\nrequires = ["poetry-core"]\n[tool.poetry]\n'
             'name = "x"\n[tool.poetry.dependencies]\npython = "^3.11"\nclick = "^8.1"\n'
             '[tool.poetry.group.dev.dependencies]\npytest = "^8.2.1"\nblack = "*"\n',
             "tests/test_x.py": ""},
            {
                "install": "python3 -m pip install poetry-core && python3 -m pip install "
                "--no-build-isolation -e . 'pytest>=8.2.1,<9' black",
                "test": "python3 -m pytest",
            },
            id="Poetry",
        ),
        pytest.param(
            {"pyproject.toml": '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\n'
             'python = "^3.11"\nhttpx = {version = "^0.27.1", extras = ["http2"]}\nx = "~1.2"\n'},
            {"install": "python3 -m pip install 'httpx[http2]>=0.27.1,<0.28' 'x>=1.2,<1.3'"},
            id="Poetry without a package",
        ),
        pytest.param(
            {"Pipfile": '[packages]\nflask = "*"\n[dev-packages]\npytest = ">=8"\n',
             "wsgi.py": "application = Flask('x')\n", "tests/test_a.py": ""},
            {
                "install": "python3 -m pip install flask 'pytest>=8'",
                "test": "python3 -m pytest",
                "start": "python3 -m flask --app wsgi run --host 127.0.0.1 --port 5000",
                "port": 5000,
                "health_check_url": "/",
            },
            id="Pipfile",
        ),
        pytest.param(
            {"setup.py": "setup(name='x', extras_require={'test': ['pytest']})",
             "tests/test_x.py": ""},
            {
                "install": "python3 -m pip install 'setuptools>=64' wheel && "
                "python3 -m pip install --no-build-isolation -e '.[test]'",
                "test": "python3 -m pytest",
            },
            id="setup.py",
        ),
        pytest.param(
            {"requirements.txt": "aiohttp\n", "server.py": "web.run_app(app, port=8088)"},
            {
                "install": "python3 -m pip install -r requirements.txt",
                "start": "python3 server.py",
                "port": 8088,
                "health_check_url": "/",
            },
            id="aiohttp",
        ),
        pytest.param(
            {"requirements.txt": "starlette\nuvicorn\n",
             "src/api/main.py": "site: Starlette = Starlette(routes=[])\n"},
            {
                "install": "python3 -m pip install -r requirements.txt",
                "start": "python3 -m uvicorn api.main:site --host 127.0.0.1 --port 8000 "
                "--app-dir src",
                "port": 8000,
                "health_check_url": "/",
            },
            id="Starlette below src",
        ),
        pytest.param(
            {"requirements.txt": "flask\n", "requirements-dev.txt": "mypy\n",
             "requirements-test.txt": "pytest\n", "bin/core.py": FLASK, "tests/test_a.py": ""},
            {
                "install": "python3 -m pip install -r requirements.txt -r requirements-test.txt",
                "test": "python3 -m pytest",
                "start": "python3 -m flask --app bin.core run --host 127.0.0.1 --port 5000",
                "port": 5000,
                "health_check_url": "/",
            },
            id="only the requirements with pytest, an application in another module",
        ),
        pytest.param(
            {"requirements.txt": "flask\n", "app.py": FLASK,
             "Procfile": "release: python init.py\nweb: gunicorn app:app\n"},
            {
                "install": "python3 -m pip install -r requirements.txt",
                "start": "python init.py && gunicorn app:app",
                "port": 8000,
                "health_check_url": "/",
            },
            id="a Procfile says more than a guess",
        ),
        pytest.param(
            {"pyproject.toml": "[tool.ruff]\nline-length = 100\n"},
            {},
            id="pyproject.toml with nothing but tools",
        ),
        pytest.param({"pyproject.toml": "not = = toml"}, {}, id="pyproject.toml that is none"),
    ],
)  # fmt: skip
def test_python(files: Mapping[str, str], expected: Mapping[str, str | int]) -> None:
    assert _commands(detect(files, files)) == expected


@pytest.mark.parametrize(
    ("files", "key", "sentence"),
    [
        pytest.param(
            {"requirements.txt": "flask", "pytest.ini": "[pytest]", "tests/test_a.py": ""},
            "test_command",
            "pytest.ini sets pytest up, but pytest is not among the dependencies; add it or set "
            "`deployment.test_command`",
            id="pytest set up but not installed",
        ),
        pytest.param(
            {"requirements.txt": "fastapi", "main.py": "app = FastAPI()\n"},
            "start_command",
            "main.py holds a FastAPI application, but no server for it (uvicorn) is among the "
            "dependencies; add one or set `deployment.start_command`",
            id="FastAPI without a server",
        ),
        pytest.param(
            {"requirements.txt": "numpy"},
            "start_command",
            "no start command was found: no Django, Flask, FastAPI or other known web "
            "application; set `deployment.start_command`",
            id="no web application",
        ),
    ],
)
def test_what_is_missing_says_what_to_do(files: Mapping[str, str], key: str, sentence: str) -> None:
    missing = {it.key: it.sentence for it in detect(files, files).missing}
    assert missing[key] == sentence


@pytest.mark.parametrize(
    ("requirements", "locked", "needs_source"),
    [
        pytest.param("flask==3.0.0\nclick==8.1.7  # why\n", True, False, id="all pinned"),
        pytest.param("flask==3.0.0 \\\n  --hash=sha256:00\n", True, False, id="hashes"),
        pytest.param("flask\n", False, False, id="not pinned"),
        pytest.param("flask==3.0.0\n-e .\n", False, True, id="itself"),
        pytest.param("./lib\n", False, True, id="a folder"),
    ],
)
def test_what_a_snapshot_may_rely_on(requirements: str, locked: bool, needs_source: bool) -> None:
    files = {"requirements.txt": requirements}
    found = detect(files, files)
    assert (found.locked, found.needs_source) == (locked, needs_source)


def test_a_package_is_installed_from_its_source() -> None:
    files = {"pyproject.toml": HATCH + '[project]\nname = "x"\n', "requirements/dev.txt": "a==1"}
    found = detect(files, files)
    assert found.needs_source
    assert not found.locked
    assert found.manifests == ("pyproject.toml", "requirements/dev.txt")
