"""An analyst before the stand-in, and what GitHub would make of what it says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from bot.adapters.gemini import Gemini, GeminiReviewer
from bot.adapters.render import TemplateRenderer
from bot.domain.analysis import AnalysisContext, AnalysisOutcome
from bot.domain.commands import parse
from bot.domain.validations import ValidationResult
from bot.services.analysis import Analyst
from demo.gemini import scripts
from demo.gemini.server import KEY, MODEL, StandInGemini
from tests.contract.results import PATHS, samples
from tests.stand_in import at_once

RENDERER = TemplateRenderer()
GITHUB = MarkdownIt("commonmark", {"html": True}).enable("table")
BUILD = samples()["build"]
CONTEXT = AnalysisContext(paths=PATHS)


@dataclass
class Desk:
    """An analyst before the stand-in."""

    server: StandInGemini
    analyst: Analyst

    async def analyse(self, told: ValidationResult, context: AnalysisContext) -> AnalysisOutcome:
        outcome = await self.analyst.analyse(told, context)
        assert outcome.review is not None, outcome.sentence
        return outcome


class Patient:
    """A clock on which no time passes."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@asynccontextmanager
async def analyst_desk() -> AsyncIterator[Desk]:
    """An analyst whose model obeys everything."""
    async with StandInGemini(scripts.obedient) as server:
        reviewer = GeminiReviewer(Gemini(at_once, KEY, MODEL, server.url, call_seconds=5))
        yield Desk(server, Analyst(reviewer, RENDERER, Patient()))


class Page(HTMLParser):
    """What GitHub would make of a text: tags, and the text that it looks for references in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.comments: list[str] = []
        self.outside_code: list[str] = []
        self.stack: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"br", "img", "hr", "input"}:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        if not {"code", "pre"} & set(self.stack):
            self.outside_code.append(data)


LAYOUT = {"h3", "p", "ul", "ol", "li", "em", "strong", "code", "details", "summary"}


def assert_inert(markdown: str) -> None:
    """Nothing of what a model says has become a tag, a link, a reference or a command."""
    page = Page(GITHUB.render(markdown))
    assert set(page.tags) <= LAYOUT
    assert (page.tags.count("h3"), page.tags.count("details")) in {(1, 1), (1, 0)}
    assert not [it for it in page.comments if it.strip()], "a marker could be forged"
    for text in page.outside_code:
        assert not re.search(r"@\w|#\d|GH-\d|://|www\.|\u202e|\x1b", text, re.IGNORECASE), text
    assert parse(markdown, "codegenapp") == ()
