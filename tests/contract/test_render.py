"""The exact text that a person reads, and what nobody can smuggle into it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from bot.adapters.markdown import cell, cell_code, fence, inline_code, prose, within_bytes
from bot.adapters.render import WIDTH, TemplateRenderer
from bot.domain.log_text import one_line
from bot.domain.plan import Cause, Plan, Stage, Step
from bot.domain.validations import ValidationResult
from bot.ports.renderer import Renderer
from tests.contract.results import LATER, failed, passed, result, samples

RENDERER: Renderer = TemplateRenderer()
SAMPLES = samples()
GITHUB = MarkdownIt("commonmark", {"html": True}).enable("table")


class MarkdownFile(SingleFileSnapshotExtension):
    file_extension = "md"
    _write_mode = WriteMode.TEXT


class TextFile(SingleFileSnapshotExtension):
    file_extension = "txt"
    _write_mode = WriteMode.TEXT


class HtmlFile(SingleFileSnapshotExtension):
    file_extension = "html"
    _write_mode = WriteMode.TEXT


@pytest.mark.parametrize("name", SAMPLES)
def test_markdown(name: str, snapshot: SnapshotAssertion) -> None:
    text = RENDERER.report_markdown(SAMPLES[name], title="shop")
    assert text == snapshot(extension_class=MarkdownFile)


@pytest.mark.parametrize("name", SAMPLES)
def test_text(name: str, snapshot: SnapshotAssertion) -> None:
    text = RENDERER.report_text(SAMPLES[name], title="shop")
    assert text == snapshot(extension_class=TextFile)
    assert max(map(len, text.split("\n"))) <= WIDTH


def test_html(snapshot: SnapshotAssertion) -> None:
    page = RENDERER.report_html(SAMPLES["build"], title="shop")
    assert page == snapshot(extension_class=HtmlFile)


SHOWN = (
    '<img width="480" alt="Screenshot" src="https://bot.example.com/validations/1/artifacts/id-0">'
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://bot.example.com/validations/1", True),
        ("https://bot.example.com/validations/1?expires=9&signature=0f", False),
        ("http://bot.example.com/validations/1", False),
        ("https://localhost/validations/1", False),
        ("https://bot.local/validations/1", False),
        ("https://10.0.0.7/validations/1", False),
        ("https://[::1]:8080/validations/1", False),
    ],
)
def test_a_picture_is_shown_where_all_the_world_may_fetch_it(url: str, shown: bool) -> None:
    summary = RENDERER.check_summary(SAMPLES["browser"], url)
    links = f"[The whole report and log]({url}) · [1 screenshot]({url}#web)"
    assert f"{links} · [before and after]({url}#base)" in summary
    assert ("<img" in summary) is shown
    assert (SHOWN in summary) is shown


def test_without_a_failure_no_picture_is_shown() -> None:
    summary = RENDERER.check_summary(SAMPLES["browser, same"], "https://bot.example.com/1")
    assert "[1 screenshot](https://bot.example.com/1#web)" in summary
    assert "<img" not in summary


def test_html_with_pictures_of_both(snapshot: SnapshotAssertion) -> None:
    page = RENDERER.report_html(SAMPLES["browser"], log_url="id/log", artifacts_at="id/artifacts")
    assert page == snapshot(extension_class=HtmlFile)


@pytest.mark.parametrize("name", SAMPLES)
def test_verdict_and_cause_come_first(name: str) -> None:
    sample = SAMPLES[name]
    first, _, cause = RENDERER.report_markdown(sample).split("\n")[:3]
    words = {"error": "Could not run", "neutral": "Nothing to run"}
    assert words.get(sample.verdict.value, sample.verdict.value.capitalize()) in first
    assert cause.lower() == f"**{sample.reason.lower()}.**"


class Page(HTMLParser):
    """What a page is made of: its tags, attributes and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.outside_code: list[str] = []
        self.stack: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "br", "img", "hr", "input"}:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if not {"code", "pre", "style"} & set(self.stack):
            self.outside_code.append(data)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_loads_and_runs_nothing(name: str) -> None:
    page = RENDERER.report_html(SAMPLES[name])
    parsed = Page(page)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name in ("src", "href", "style")]
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page


NASTY = (
    "</details></pre><script>alert(1)</script> ``` ~~~ `a` **b** _c_ | d \\| e "
    "![x](https://evil.example/p.png) [y](https://evil.example) @octocat #12 GH-13 fixes o/r#14 "
    "https://evil.example www.evil.example <img src=x onerror=y> &lt; \u202e \x1b[31m\x07 - [ ] z"
)


def hostile(text: str = NASTY) -> ValidationResult:
    steps = (Step(Stage.BUILD, text),)
    plan = Plan(steps=steps, skipped={**LATER, Stage.TEST: text}, assumed=(text,))
    log = f"{text}\n```\n{text}\n````\nsrc/app.ts:3:7 - error TS1: {text}\n"
    ended = failed(Stage.BUILD, Cause.UNHEALTHY, log=log, reason=text)
    return result(passed(Stage.RETRIEVE), ended, plan=plan, fault=text, notes=(text,))


def assert_inert(page: Page) -> None:
    """Nothing from outside has become a tag, a link, or a text that GitHub would act upon."""
    assert not {"script", "img", "a", "input", "iframe"} & set(page.tags)
    for text in page.outside_code:
        assert not re.search(r"@\w|#\d|GH-\d|://|www\.|\u202e|\x1b", text, re.IGNORECASE), text


def test_markdown_is_defused() -> None:
    text = RENDERER.report_markdown(hostile(), title=NASTY)
    page = Page(GITHUB.render(text))
    assert_inert(page)
    assert page.tags.count("table") == 1
    assert page.tags.count("details") == 2
    assert page.tags.count("h2") == 1
    rows = page.tags.count("tr")
    assert page.tags.count("td") + page.tags.count("th") == rows * 4
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_html_is_defused() -> None:
    page = RENDERER.report_html(hostile(), title=NASTY)
    assert not {"script", "img", "a"} & set(Page(page).tags)
    assert "\u202e" not in page


def test_text_is_defused() -> None:
    text = RENDERER.report_text(hostile(), title=NASTY)
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("plain words", "plain words", id="words"),
        pytest.param("snake_case stays", "snake_case stays", id="underscore inside a word"),
        pytest.param("_a_ *b* [c](d)", r"\_a\_ \*b\* \[c\](d)", id="marks"),
        pytest.param("run `a_b *c*` now", "run `a_b *c*` now", id="code spans"),
        pytest.param("@me", "@<!-- -->me", id="mention"),
        pytest.param("fixes #12", "fixes #<!-- -->12", id="reference"),
        pytest.param("gh-12", "gh-<!-- -->12", id="reference by GH-"),
        pytest.param("https://a.b www.c.d", "https:<!-- -->//a.b www<!-- -->.c.d", id="links"),
        pytest.param("<b> & |", "&lt;b&gt; &amp; &#124;", id="HTML and bars"),
        pytest.param("- [ ] x", r"\- \[ \] x", id="list"),
        pytest.param("1. x", r"1\. x", id="numbered list"),
        pytest.param("a\n\n# b", "a #<!-- --> b", id="lines"),
    ],
)
def test_prose(text: str, written: str) -> None:
    assert prose(text) == written
    assert prose(prose(text)) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("npm ci", "`npm ci`", id="plain"),
        pytest.param("a `b` c", "``a `b` c``", id="backticks inside"),
        pytest.param("`a", "`` `a ``", id="backtick at the edge"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_inline_code(text: str, written: str) -> None:
    assert inline_code(text) == written


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fence("a\n````\nb") == "`````text\na\n````\nb\n`````"


ANYTHING = st.text(st.sampled_from("`~*_[]()<>!|\\#@:/wWgGhH-. \n\t1a&;\u202e\x1b"), max_size=40)


@given(ANYTHING)
def test_any_text_is_inert_as_prose(text: str) -> None:
    assert_inert(Page(GITHUB.render(f"- x {prose(text)}")))
    page = Page(GITHUB.render(prose(text)))
    assert set(page.tags) <= {"p", "code"}


@given(ANYTHING)
def test_any_text_stays_in_its_cell(text: str) -> None:
    table = f"| a | b |\n|---|---|\n| {cell(text)} | {cell_code(text)} |"
    page = Page(GITHUB.render(table))
    assert_inert(page)
    assert page.tags.count("td") == 2
    # A renderer drops the cells that a row has too many: what was in them would be missing.
    assert "".join(page.texts).count("|") == 2 * one_line(text).count("|")


@given(ANYTHING)
def test_any_text_stays_in_its_fence(text: str) -> None:
    page = Page(GITHUB.render(f"{fence(text)}\n\nafter"))
    assert page.tags == ["pre", "code", "p"]


@given(st.integers(min_value=200, max_value=3000))
def test_a_cut_report_fits_and_closes_what_it_opened(limit: int) -> None:
    whole = RENDERER.report_markdown(SAMPLES["build"])
    cut = within_bytes(whole, limit)
    assert len(cut.encode()) <= limit
    assert (cut == whole) == (len(whole.encode()) <= limit)
    assert cut.count("<details>") == cut.count("</details>")
    assert len(re.findall(r"(?m)^```", cut)) % 2 == 0


def test_a_check_keeps_to_githubs_bytes_on_a_character_boundary() -> None:
    """65,535 bytes each, not characters; what is cut says where the rest is."""
    long = "é🙂" * 400
    sample = samples()["build"]
    stages = tuple(
        replace(stage, reason=f"{number} {long}") for number, stage in enumerate(sample.stages * 12)
    )
    notes = tuple(f"{number} {long}" for number in range(90))
    large = replace(sample, stages=stages, notes=notes)
    renderer = TemplateRenderer()
    for text in (
        renderer.check_summary(large, "https://x/validations/1"),
        renderer.check_detail(large, "https://x/validations/1"),
    ):
        size = len(text.encode())
        assert 60_000 < size <= 65_535
        assert "\ufffd" not in text
        assert text.endswith("[The whole report and log](https://x/validations/1)\n")
