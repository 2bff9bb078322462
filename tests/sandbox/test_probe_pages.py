from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).parents[2] / "sandbox" / "image" / "probe_pages.py"


def load() -> ModuleType:
    """The module runs inside a box, where it belongs to no package."""
    spec = importlib.util.spec_from_file_location("probe_pages", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = load()

HTML = "text/html; charset=utf-8"
PROSE = "<p>" + "Plain words about something else entirely. " * 30 + "</p>"

ERRORS = {
    "vite": (
        HTML,
        (
            "<html><head><title>Error</title><script type='module'>const error = {};"
            "try { const { ErrorOverlay } = await import('/@vite/client') } catch {}</script>"
        ),
    ),
    "vite-element": (HTML, f"<body>{PROSE}<vite-error-overlay></vite-error-overlay></body>"),
    "webpack": (HTML, '<iframe id="webpack-dev-server-client-overlay"></iframe>' + PROSE),
    "next-app": (HTML, '<!DOCTYPE html><html id="__next_error__"><head></head></html>'),
    "next-pages": (
        HTML,
        '<script id="__NEXT_DATA__" type="application/json">{"props":{},"page":"/_error"}</script>',
    ),
    "express": (
        HTML,
        "<html><head><title>Error</title></head><body><pre>Cannot GET /</pre></body></html>",
    ),
    "express-stack": (
        HTML,
        "<title>Error</title><body><pre>Error: boom<br> &nbsp; at Layer.handle</pre></body>",
    ),
    "django": (
        HTML,
        PROSE + "<p>You’re seeing this error because you have <code>DEBUG = True</code> in "
        "your Django settings file.</p>",
    ),
    "django-escaped": (
        HTML,
        "<p>You&#x27;re seeing this error because you have <code>DEBUG = True</code></p>",
    ),
    "django-host": (HTML, "<head><title>DisallowedHost at /</title></head>" + PROSE),
    "werkzeug": (HTML, "<title>ZeroDivisionError: x\n // Werkzeug Debugger</title>" + PROSE),
    "php": (HTML, "<br />\n<b>Fatal error</b>:  Uncaught Error in /a.php on line <b>3</b><br />"),
    "php-text": ("text/plain", "PHP Fatal error: Uncaught Error in /app/a.php:3 on line 3"),
    "rails": (HTML, "<title>Action Controller: Exception caught</title>" + PROSE),
    "rails-production": (HTML, "<title>We're sorry, but something went wrong (500)</title>"),
    "aspnet": (HTML, "<h1>Server Error in '/' Application.<hr></h1>" + PROSE),
    "aspnet-core": (
        HTML,
        "<h1>An unhandled exception occurred while processing the request.</h1>" + PROSE,
    ),
    "spring": (HTML, "<html><body><h1>Whitelabel Error Page</h1><p>This application"),
    "tomcat": (HTML, "<title>HTTP Status 500 – Internal Server Error</title>" + PROSE),
    "java": (
        "text/plain",
        (
            'Exception in thread "main" java.lang.IllegalStateException: x\n'
            "\tat com.example.App.main(App.java:12)\n"
        ),
    ),
    "python": (
        "text/plain",
        'Traceback (most recent call last):\n  File "/app/a.py", line 3, in <module>\n',
    ),
    "python-html": (
        HTML,
        '<pre>Traceback (most recent call last):\n  File "a.py", line 3</pre>',
    ),
    "title": (HTML, "<title>502 Bad Gateway</title><center><h1>502 Bad Gateway</h1></center>"),
    "heading": (HTML, "<html><title>My shop</title><h1>Internal Server Error</h1></html>"),
    "heading-class": (HTML, '<h1 class="big">Application <b>error</b></h1>'),
    "soft-404": (HTML, "<title>Shop</title><h1>404 - Page not found</h1>"),
    "something": (HTML, "<h1>Something went wrong.</h1><p>Try again later.</p>"),
    "plain": ("text/plain", "Internal Server Error\n"),
    "no-type": ("", "Internal Server Error"),
    "json-status": ("application/json", '{"status":"error"}'),
    "json-unhealthy": ("application/health+json", '{"status":"Unhealthy","checks":[]}'),
    "json-fail": ("application/json", '{"state": "fail"}'),
    "json-down": ("application/json", '{"status":"DOWN"}'),
    "json-ok": ("application/json", '{"ok":false}'),
    "json-no-type": ("", '{"status":"down"}'),
}

WELL = {
    "empty": (HTML, ""),
    "blank": ("text/plain", "  \n"),
    "plain-ok": ("text/plain", "OK"),
    "page": (HTML, "<title>Shop</title><h1>Welcome</h1>"),
    "prose": (
        HTML,
        (
            f"<title>On errors</title><h1>Errors and how to read them</h1>{PROSE}"
            "<p>An Internal Server Error or a 502 Bad Gateway says little.</p>"
        ),
    ),
    "short-prose": (HTML, "<h1>Status codes</h1><p>500 means: internal server error</p>"),
    "error-log-title": (HTML, "<title>Error log - Shop</title><h1>Error log</h1>"),
    "tutorial": (
        HTML,
        (
            f"<h1>Python</h1>{PROSE}<pre>Traceback (most recent call last):\n"
            '  File "a.py", line 3</pre>'
        ),
    ),
    "java-tutorial": (HTML, f"{PROSE}<pre>Exception in thread x\n at a.b(C.java:1)</pre>"),
    "exception-word": ("text/plain", "Exceptional service since 1990"),
    "scripted": (
        HTML,
        (
            "<title>App</title><div id=root></div><script>throw new Error('Internal Server Error')"
            "; document.title = '<h1>Bad Gateway</h1>'</script>"
        ),
    ),
    "vite-app": (HTML, '<script type="module" src="/@vite/client"></script><div id="app"></div>'),
    "next-app": (HTML, '<script id="__NEXT_DATA__">{"props":{},"page":"/"}</script><h1>Hi</h1>'),
    "django-welcome": (
        HTML,
        (
            "<title>The install worked successfully!</title><h1>The install worked "
            "successfully! Congratulations!</h1><p>You are seeing this page because DEBUG=True"
        ),
    ),
    "json-ok": ("application/json", '{"status":"ok","errors":0}'),
    "json-errors": ("application/json", '{"status":"pass","error":null,"errors":[]}'),
    "json-list": ("application/json", '["error"]'),
    "json-number": ("application/json", '{"status": 500}'),
    "json-broken": ("application/json", '{"status":"err'),
    "json-html-words": ("application/json", '{"title":"<h1>Internal Server Error</h1>"}'),
    "image": ("image/png", "\x89PNG Internal Server Error"),
}


@pytest.mark.parametrize(("content_type", "body"), ERRORS.values(), ids=ERRORS.keys())
def test_error_pages_are_named(content_type: str, body: str) -> None:
    found = pages.error_page(200, content_type, body)
    assert found is not None
    assert found.startswith(("a ", "an "))


@pytest.mark.parametrize(("content_type", "body"), WELL.values(), ids=WELL.keys())
def test_pages_that_are_well_are_left_alone(content_type: str, body: str) -> None:
    assert pages.error_page(200, content_type, body) is None


def test_no_content_is_well_whatever_follows() -> None:
    assert pages.error_page(204, HTML, "<h1>Internal Server Error</h1>") is None


@pytest.mark.parametrize(
    ("content_type", "unit"),
    [
        (HTML, "<script"),
        (HTML, "<!--"),
        (HTML, "<"),
        (HTML, "<h1>error <"),
        (HTML, "<title>500 "),
        ("text/plain", "a.Error"),
        ("text/plain", "error: "),
        ("application/json", "["),
        ("application/json", '{"a":'),
        ("application/json", "9"),
    ],
)
@pytest.mark.timeout(30)  # one that took its square would take hours
def test_the_longest_page_is_judged_in_one_reading(content_type: str, unit: str) -> None:
    pages.error_page(200, content_type, unit * (1024 * 1024 // len(unit)))


def test_letters_that_change_their_length_do_not_move_the_text() -> None:
    page = "İ" * 1000 + "<h1>Internal Server Error</h1>"
    assert pages.error_page(200, HTML, "<i>İ</i><h1>Internal Server Error</h1>") is not None
    assert pages.error_page(200, HTML, page) is None


def test_an_unhealthy_answer_is_quoted_briefly() -> None:
    body = json.dumps({"status": "down", "note": "x" * 1000})
    assert pages.error_page(200, "application/json", body) == 'an answer that says "status": "down"'
