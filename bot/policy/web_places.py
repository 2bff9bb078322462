"""Where in the tree the fault of a page lies: the scripts' places, as findings."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from urllib.parse import unquote

from bot.domain.log_text import one_line
from bot.domain.plan import Stage
from bot.domain.validations import Finding, Level
from bot.domain.web import ConsoleError, Thrown, WebEvaluation, steady
from bot.policy.web import without_scripts

MOST_FINDINGS = 20
LONGEST_MESSAGE = 200

_SERVED = frozenset(
    {"assets", "docs", "htdocs", "html", "public", "site", "static", "web", "www", "wwwroot"}
)
"""Folders that servers show as they are. Of others a build makes something, with other lines."""


def findings(seen: WebEvaluation, paths: Collection[str]) -> tuple[Finding, ...]:
    """The exceptions and console errors whose place is a file of the tree, each once."""
    found: dict[tuple[str, int | None, str], Finding] = {}
    tree = _Tree(paths)
    for error, level in _errors(seen):
        frames = error.frames if isinstance(error, Thrown) else (error.frame,)
        for frame in frames:
            if file := tree.file(frame.url):
                message = one_line(error.text)[:LONGEST_MESSAGE]
                key = (file, frame.line, message)
                rule = "exception" if isinstance(error, Thrown) else "console"
                mark = f"{rule}:{file}:{steady(message)}"
                found.setdefault(
                    key,
                    Finding(
                        Stage.WEB_EVALUATION.value,
                        file,
                        frame.line,
                        frame.column,
                        level,
                        message,
                        rule,
                        mark,
                    ),
                )
                break
    return tuple(found.values())[:MOST_FINDINGS]


class _Tree:
    """Finds the file of the tree that a script's URL shows, where there is only one such."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = paths
        self._known: dict[str, str] = {}

    def file(self, url: str) -> str:
        """The file, empty where none or several may be meant."""
        if url not in self._known:
            self._known[url] = self._find(url)
        return self._known[url]

    def _find(self, url: str) -> str:
        path = unquote(url.partition("?")[0].partition("#")[0]).lstrip("/")
        # A page's own scripts have the page's URL, and that is no file of the tree.
        if not path or "://" in path or not path.endswith((".js", ".mjs", ".ts", ".tsx", ".jsx")):
            return ""
        if path in self._paths:
            return path
        ends = [it for it in self._paths if it.endswith(f"/{path}")]
        served = [it for it in ends if it.removesuffix(f"/{path}").split("/")[-1] in _SERVED]
        return served[0] if len(served) == 1 else ""


def _errors(seen: WebEvaluation) -> Iterator[tuple[Thrown | ConsoleError, Level]]:
    """All errors with how grave they are, the gravest first."""
    for page in seen.pages:
        for thrown in page.exceptions:
            yield thrown, _level(thrown, page.missing)
    for flow in seen.flows:
        for thrown in flow.exceptions:
            yield thrown, _level(thrown, flow.missing)
    for component in seen.components:
        for thrown in component.exceptions:
            yield thrown, Level.WARNING
    for page in seen.pages:
        for error in page.console:
            yield error, Level.WARNING


def _level(thrown: Thrown, missing: tuple[str, ...]) -> Level:
    return Level.WARNING if thrown.flaky or without_scripts(missing) else Level.FAILURE
