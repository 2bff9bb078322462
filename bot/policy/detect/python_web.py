"""Finds the web application of a Python project, and how it is started on 127.0.0.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.policy.detect.found import Found, Missing
from bot.policy.detect.source_code import health_route, other_route, port_in_source
from bot.policy.detect.tree import Tree

_APPLICATION = re.compile(
    r"^(\w+)\s*(?::\s*[\w.]+\s*)?=\s*(?:\w+\.)?"
    r"(Flask|FastAPI|Starlette|Litestar|Quart)\(",
    re.MULTILINE,
)
_FACTORY = re.compile(r"^def\s+(create_app|make_app)\s*\(", re.MULTILINE)
_ASGI = frozenset({"FastAPI", "Starlette", "Litestar", "Quart"})
_PREFERRED = ("app", "wsgi", "asgi", "main", "server")
_INITIALISES = re.compile(r"\.command\(\s*['\"](init[-_]?db)['\"]")
_SETTINGS = re.compile(r"DJANGO_SETTINGS_MODULE['\"]\s*,\s*['\"]([\w.]+)['\"]")


@dataclass(frozen=True)
class WebApplication:
    """``missing`` says why there is no ``start``, though there is an application."""

    framework: str
    start: Found[str] | None = None
    port: Found[int] | None = None
    health_path: Found[str] | None = None
    fallback_path: str | None = None
    missing: Missing | None = None


def find_web_application(tree: Tree, names: frozenset[str]) -> WebApplication | None:
    """Django, then an application object, then a factory; ``names`` are the dependencies."""
    if tree.has("manage.py"):
        return _django(tree, names)
    sources = list(_sources(tree))
    for path, source in sources:
        found = _APPLICATION.search(source)
        if found:
            return _object(tree, path, found[1], found[2], names)
    for path, source in sources:
        factory = _FACTORY.search(source)
        if factory and "flask" in names:
            return _object(tree, path, f"{factory[1]}()", "Flask", names)
        if "web.run_app(" in source:
            return _script(path, source)
    return None


def _sources(tree: Tree) -> Iterator[tuple[str, str]]:
    """The Python files that may hold the application, the likeliest first."""

    def rank(path: str) -> tuple[int, int, str]:
        stem = path.rpartition("/")[2].removesuffix(".py")
        known = _PREFERRED.index(stem) if stem in _PREFERRED else len(_PREFERRED)
        return path.count("/"), known, path

    for path in sorted((it for it in tree.files if it.endswith(".py")), key=rank):
        if not re.search(r"(?:^|/)(?:tests?/|test_|conftest|setup\.py|examples?/|docs?/)", path):
            yield path, tree.text(path)


def module_of(path: str) -> str:
    """``src/shop/__init__.py`` → ``shop``; ``api/main.py`` → ``api.main``."""
    stem = path.removesuffix(".py").removesuffix("/__init__")
    return stem.removeprefix("src/").replace("/", ".")


def _django(tree: Tree, names: frozenset[str]) -> WebApplication:
    settings = _SETTINGS.search(tree.text("manage.py"))
    project = settings[1].partition(".")[0] if settings else ""
    start = "python3 manage.py migrate --noinput && "
    if "gunicorn" in names and tree.has(f"{project}/wsgi.py"):
        start += f"python3 -m gunicorn {project}.wsgi --bind 127.0.0.1:8000"
    else:
        start += "python3 manage.py runserver --noreload 127.0.0.1:8000"
    urls = f"{project}/urls.py"
    health = health_route(tree.text(urls))
    return WebApplication(
        "Django",
        Found(start, "manage.py"),
        Found(8000, "manage.py"),
        Found(health or "/", urls if health else "nothing else is known"),
        "/" if health else "/admin/login/" if "admin.site" in tree.text(urls) else None,
    )


def _object(
    tree: Tree, path: str, variable: str, framework: str, names: frozenset[str]
) -> WebApplication:
    source, module = tree.text(path), module_of(path)
    folder = " --app-dir src" if path.startswith("src/") else ""
    if framework in _ASGI:
        served = not names.isdisjoint({"uvicorn", "fastapi-cli"}) or _fastapi_standard(tree)
        port = 8000
        command = f"python3 -m uvicorn {module}:{variable} --host 127.0.0.1 --port {port}{folder}"
    else:
        served = True
        port = 5000
        plain = variable in {"app", "application", "create_app()", "make_app()"}
        flask = f"python3 -m flask --app {module if plain else f'{module}:{variable}'}"
        database = _database_command(tree, names)
        command = f"{flask} {database} && " if database else ""
        command += f"{flask} run --host 127.0.0.1 --port {port}"
    if not served:
        sentence = (
            f"{path} holds a {framework} application, but no server for it (uvicorn) is among the "
            "dependencies; add one or set `deployment.start_command`"
        )
        return WebApplication(framework, missing=Missing("start_command", sentence))
    health = health_route(source)
    documentation = "/docs" if framework == "FastAPI" else None
    return WebApplication(
        framework,
        Found(command, path),
        Found(port, path),
        Found(health or "/", path if health else "nothing else is known"),
        "/" if health else other_route(source) or documentation,
    )


def _database_command(tree: Tree, names: frozenset[str]) -> str:
    """The command of a Flask application that makes its tables; empty where it has none.

    The box is always a fresh checkout: without it, what is asked of the database fails.
    """
    if "flask-migrate" in names and tree.has("migrations/env.py"):
        return "db upgrade"
    found = (_INITIALISES.search(source) for _, source in _sources(tree))
    return next((it[1] for it in found if it), "")


def _fastapi_standard(tree: Tree) -> bool:
    return any(
        re.search(r"fastapi\[(?:[\w,-]*,)?(?:standard|all)", text) for text in tree.files.values()
    )


def _script(path: str, source: str) -> WebApplication:
    """A program that starts its own server (aiohttp)."""
    health = health_route(source)
    return WebApplication(
        "aiohttp",
        Found(f"python3 {path}", path),
        Found(port_in_source(source) or 8080, path),
        Found(health or "/", path if health else "nothing else is known"),
        "/" if health else other_route(source),
    )
