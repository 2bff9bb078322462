"""Whether a page is an error page, whatever its status says.

``error_page`` is pure, never raises, and takes time linear in the page's length: the page is the
application's, and so may be anything. It names what it saw, for a sentence in a report.
"""

from __future__ import annotations

import json
import re
import string
from typing import Any

PAGE_LIMIT = 256 * 1024
SHORT_PAGE = 600
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

# What frameworks write when they fail, as found in the page's source. Each is a plain substring
# or two, all of which must be there; lower case.
SIGNATURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a Vite error overlay", ("erroroverlay", "/@vite/client")),
    ("a Vite error overlay", ("<vite-error-overlay",)),
    ("a webpack error overlay", ('id="webpack-dev-server-client-overlay"',)),
    ("a Next.js error page", ('<html id="__next_error__"',)),
    ("a Next.js error page", ('id="__next_data__"', '"page":"/_error"')),
    ("a Django debug page", ("re seeing this error because you have <code>debug = true",)),
    ("a Django debug page", ("<title>disallowedhost at ",)),
    ("a Werkzeug debugger page", ("// werkzeug debugger</title>",)),
    ("a Werkzeug debugger page", ("werkzeug", 'class="debugger"', "traceback")),
    ("a PHP error", ("<b>fatal error</b>:", "on line <b>")),
    ("a PHP error", ("<b>parse error</b>:", "on line <b>")),
    ("a PHP error page", ("whoops! there was an error.",)),
    ("a Rails error page", ("<title>action controller: exception caught</title>",)),
    ("a Rails error page", ("<title>we're sorry, but something went wrong",)),
    ("an ASP.NET error page", ("<title>runtime error</title>", "server error in '")),
    ("an ASP.NET error page", ("server error in '/", "' application.")),
    (
        "an ASP.NET error page",
        ("<h1>an unhandled exception occurred while processing the request",),
    ),
    ("a Spring error page", ("<h1>whitelabel error page</h1>",)),
    ("a Tomcat error page", ("<title>http status 4",)),
    ("a Tomcat error page", ("<title>http status 5",)),
    ("an Express error page", ("<title>error</title>", "<pre>cannot get /")),
    ("an Express error page", ("<title>error</title>", "<pre>error: ")),
)

# How a page that says nothing else begins when a program fell over.
TRACES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a Java stack trace",
        re.compile(r"(?:exception in thread |[\w.$]{1,200}(?:exception|error)\b)"),
    ),
    ("a Python traceback", re.compile(r"traceback \(most recent call last\):")),
    ("a PHP error", re.compile(r"(?:php )?(?:fatal|parse) error: ")),
)
TRACE_LINE = {
    "a Java stack trace": re.compile(
        r"\bat [\w.$<>/]{1,200}\([\w$]{1,100}\.(?:java|kt|scala):\d+\)"
    ),
    "a Python traceback": re.compile(r'file "[^"\n]{1,300}", line \d+'),
    "a PHP error": re.compile(r" on line \d+"),
}

PHRASE = re.compile(
    r"(?:http )?(?:error )?(?:\d{3}\b[\s:.–—|-]*)?"
    r"(?:internal server error|bad gateway|service (?:temporarily )?unavailable"
    r"|gateway time-?out|application error|server error|unhandled runtime error"
    r"|failed to compile|an error occurred|something went wrong|error(?: \d{3})?"
    r"|not found|page not found|forbidden|cannot get /\S{0,200})"
    r"(?:[\s:.–—|-]*\d{3})?[.!]?"
)
PLAIN = re.compile(
    r"(?:\d{3} )?(?:internal server error|bad gateway|upstream connect error.{0,300})"
)

UNWELL = {"error", "unhealthy", "fail", "failed", "failing", "down", "critical", "out_of_service"}
STATE_KEYS = ("status", "state", "health")
YES_NO_KEYS = ("healthy", "ok", "alive", "ready")

UNSEEN = (("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>"))


def error_page(status: int, content_type: str, body: str) -> str | None:
    """What kind of error page this is, as ``a …``; None for a page that looks well.

    ``status`` of 204 and empty bodies are well: a health path may answer with nothing.
    """
    body = body[:PAGE_LIMIT].strip()
    if status == 204 or not body:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith(("/json", "+json")) or (not kind and body[0] == "{"):
        return _unwell_json(body)
    lowered = body.translate(LOWER)
    if kind in {"text/html", "application/xhtml+xml"} or lowered[0] == "<":
        return _error_in_html(lowered)
    if kind in {"", "text/plain"}:
        return _trace_at_start(lowered) or _plain(lowered)
    return None


def _unwell_json(body: str) -> str | None:
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    for key in STATE_KEYS:
        said = answer.get(key)
        if isinstance(said, str) and said.lower() in UNWELL:
            return f'an answer that says "{key}": "{said[:40]}"'
    for key in YES_NO_KEYS:
        if answer.get(key) is False:
            return f'an answer that says "{key}": false'
    return None


def _error_in_html(lowered: str) -> str | None:
    # Typographic and escaped apostrophes are apostrophes.
    page = lowered.replace("’", "'").replace("&#x27;", "'").replace("&#39;", "'")
    for name, parts in SIGNATURES:
        if all(part in page for part in parts):
            return name
    page = markup(page)
    text = visible_text(page)
    trace = _trace_at_start(text)
    if trace:
        return trace
    if len(text) > SHORT_PAGE:
        return None
    for element in ("h1", "title", "h2"):
        heading = " ".join(visible_text(first_element(page, element)).split())
        if heading and len(heading) < 300 and PHRASE.fullmatch(heading):
            return f"a page that is headed “{heading[:80]}”"
    return None


def _trace_at_start(text: str) -> str | None:
    text = text.lstrip()
    for name, start in TRACES:
        if start.match(text) and TRACE_LINE[name].search(text, 0, 20_000):
            return name
    return None


def _plain(lowered: str) -> str | None:
    if len(lowered) <= SHORT_PAGE and PLAIN.fullmatch(lowered.rstrip(".! ")):
        return f"a text that says “{lowered[:80]}”"
    return None


def first_element(page: str, name: str) -> str:
    """The inner source of the first element of a name; empty where there is none."""
    start = page.find(f"<{name}")
    if start < 0:
        return ""
    opened = page.find(">", start)
    end = page.find(f"</{name}", opened)
    return page[opened + 1 : end] if 0 <= opened < end else ""


def markup(page: str) -> str:
    """A page without its scripts, styles and comments; ``page`` is in lower case."""
    parts: list[str] = []
    at = kept = 0
    while (at := page.find("<", at)) >= 0:
        closing = next((end for start, end in UNSEEN if page.startswith(start, at)), "")
        if not closing:
            at += 1
            continue
        parts.append(page[kept:at])
        end = page.find(closing, at)
        at = kept = len(page) if end < 0 else end + len(closing)
    parts.append(page[kept:])
    return " ".join(parts)


def visible_text(page: str) -> str:
    """The text between the tags of a page's ``markup``."""
    first, *rest = page.split("<")
    return " ".join([first, *(text.partition(">")[2] for text in rest)]).strip()
