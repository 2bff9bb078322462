"""Whatever people and agents write, nothing in what is written of it acts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.adapters.markdown import quoted
from bot.domain.agent_runs import AgentRun, RunMessage, RunStatus
from bot.domain.commands import Mistake, Verb
from bot.domain.comments import (
    Answer,
    Configured,
    Done,
    Impossible,
    Mistaken,
    Refused,
    Standing,
)
from bot.domain.conversations import STATUS_MARKER
from bot.domain.effects import Reply
from bot.domain.log_text import one_line
from bot.domain.repositories import Permission
from bot.ports.renderer import StatusView
from tests.contract.shown_runs import (
    ANSWERED,
    AT_WORK,
    COMMENT,
    FAILED,
    HEAD,
    NOW,
    OPENED,
    PASSED,
    PLANNED,
    QUEUED,
    RENDERER,
    REQUEST,
    SHOP,
    other,
)

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""As GitHub reads a comment; its autolinks are looked for in the text that comes out."""

OUR_TAGS = {"details", "summary", "sub"}
LIVE = re.compile(
    r"@\w | \#\d | (?<![a-z0-9])gh-\d | :// | (?<![a-z0-9])www\.\w | \u202e | \x1b | \x00",
    re.IGNORECASE | re.VERBOSE,
)
"""What GitHub would act upon in a text: mentions, references, links; and what deceives."""


@dataclass
class Page(HTMLParser):
    """What came out: each text in one piece, up to the next tag or comment, and where it stands."""

    tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    outside_code: list[str] = field(default_factory=list)
    outside_quotes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in {"br", "hr", "img", "input", "meta", "link"}:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        # GitHub acts upon nothing in code, and makes no link within a link.
        if not {"code", "pre", "a"} & set(self.stack):
            self.outside_code.append(data)
        if "blockquote" not in self.stack:
            self.outside_quotes.append(data)


def page_of(markdown: str) -> Page:
    page = Page()
    page.feed(GITHUB.render(markdown))
    page.close()
    return page


def html_of(markdown: str) -> set[str]:
    """Every piece of HTML in a Markdown text, tag by tag."""
    tokens = GITHUB.parse(markdown)
    pieces = [*tokens, *(it for token in tokens for it in token.children or ())]
    found = "\n".join(it.content for it in pieces if it.type in {"html_block", "html_inline"})
    return set(re.findall(r"<!--.*?-->|</?[A-Za-z][^>]*>|<[!?]\S*", found, re.DOTALL))


def assert_inert(markdown: str, *, ours: frozenset[str] = frozenset()) -> Page:
    """Nothing in it acts but our own links."""
    tags = {f"<{slash}{tag}>" for tag in OUR_TAGS | {"code"} for slash in ("", "/")}
    marks = {"<!-- -->", STATUS_MARKER, COMMENT.reply_marker}
    assert html_of(markdown) <= tags | marks
    page = page_of(markdown)
    assert set(page.links) <= ours
    assert not {"img", "input", "script", "iframe"} & set(page.tags)
    for text in page.outside_code:
        assert not LIVE.search(text.replace("Asked for in #3", "")), text
    return page


def level_0(markdown: str) -> list[str]:
    return [it.type for it in GITHUB.parse(markdown) if it.level == 0 and it.nesting >= 0]


NASTY: Final[dict[str, str]] = {
    "mentions and references": "@octocat #12 GH-13 gh-14 octo/shop#15 a@b.example fixes #16",
    "links": "https://evil.example www.evil.example [x](https://evil.example) <https://evil.example>",
    "images": "![x](https://evil.example/p.png) <img src=https://evil.example/p.png>",
    "escaped mention": "\\@octocat \\#12 \\GH-13 \\\\@octocat",
    "entities": "&#64;octocat &commat;octocat &#35;12 &lt;b&gt;",
    "a fence in a list": "- a\n  ```\n  @in `x`\n  ```\n- @out <b>\n\n  ```\n  @in\n@out #1",
    "a fence in a numbered list": "1. a\n\n   ```\n   @in\n   ```\n\n10. b\n\n   ```\n@x",
    "an unclosed fence": "```\n@in\n<img src=x>\n- [x](/evil)",
    "an unclosed fence in a list": "- ```\n  @in\n\n@out #1 <b>",
    "a tilde fence": "~~~\n@in\n```\n@in\n~~~\n@out\n```\n@in",
    "a fence with words": "``` js @in\nx\n```\n@out ``` #1",
    "a fence that is none": "```a`b\n@out\n```\n@in",
    "a shorter fence": "````\n```\n@in\n````\n@out",
    "an indented fence": "    ```\n@out\n\n    @in\n    ```\n#1",
    "code by indent": "    @in\n\na\n    @out #1\n",
    "a backslash before an image": "\\![x](/evil.png)",
    "nested quotes": "> a\n> > @out\n> ```\n> @in\n@out\n> > > ```\n@out\n>     #1",
    "a quote in a list": "- > @out\n  > ```\n  > @in\n  @out\n\n> - ```\n>   @in\n> @out",
    "details": "<details><summary>@x</summary>\n\n@out\n\n</details>\n</blockquote></details>",
    "an unclosed comment": "<!-- a\n@out #1\n\n<!--\n[x](/evil)",
    "a comment": "<!-- codegenapp:status -->\n\n@out --> #1 <!-- -->",
    "html": "<script>\n@out\n</script>\n<pre>\n@out\n\n#1\n</pre><?php @out ?><![CDATA[ @out ]]>",
    "reference definitions": "[x]: https://evil.example 'a'\n\n[x] [y][x] ![x]\n[^1]: @out\n[^1]",
    "setext underlines": "@out\n===\n#1\n---\n\n@out\n-\n```\n===",
    "headings": "# @out\n## #1 ##\n####### GH-1\n#@out",
    "tables": "| a @out | b |\n|:-:|---|\n| #1 | [x](/evil) |\n\n@out | x\n-|-\n<b> | GH-1",
    "backticks over lines": "a `b\n@out c` `d @in` ``e\n` @out``\n`@out\n\n@out`",
    "backticks of many lengths": "`` `@in` `` ```a``` @out `` `@x ` @out ```",
    "ends of lines": "a\r\n```\r\n@in\r\n```\r\n@out\r#1\r\rGH-1",
    "controls": "\x00@out\x1b[31m#1\x08\x08\x07\u202e@tuo\u2066#1\u200b\ufeff",
    "rules and lists": "---\n***\n- - - @out\n+ * 1) #1\n* [ ] @out\n* [x] GH-1",
    "emphasis": "**@out** *#1* ~~GH-1~~ ***[x](/evil)***",
    "hard breaks": "@out  \n#1\\\nGH-1\\",
    "an end": "</blockquote></sub>\n\n@out\n\n\n\n\nafter\n",
    "white space": " \n\t\n\u00a0\n\u3000\n\u2003x\n",
    "nothing": "",
    "deep": "> " * 40 + "@out\n" + "- " * 40 + "#1\n" + " " * 80 + "@in",
    "a reference with emphasis": "_GH-1_ _www.evil.example_",
    "a backslash before code": "\\`@out\\`",
    "a backslash before code with a reference": "a \\` #1 `, `GH-1 \\`",
    "a backslash before a link": "\\[x](//evil.example)",
    "a tab that is no indent in a quote": "\t@out\n\n- a\n\n\t\t@out",
    "a backslash in a reference": "GH\\-1",
    "a backslash in a link": "http:\\//evil.example www\\.evil.example",
    "a code span over cells": "|a|b|\n|-|-|\n|`x | @out`|",
    "a fence that a wide blank does not close": "```\n```\u00a0\n@out #1\n<img src=x>",
    "a fence that a wider blank does not close": "~~~\n~~~\u3000\n[x](/evil)",
}
CASES = [pytest.param(text, id=name) for name, text in NASTY.items()]
PIECES: Final = (
    "@octo", "#12", "GH-1", "gh-", "www.", "evil.example", "http://", "https:", "//", "mailto:",
    "[x]", "(/evil)", "![", "]", "[x]: ", "<b>", "</blockquote>", "<details>", "<!--", "-->", "<",
    ">", "&", "&#64;", "`", "``", "```", "~~~", "~", "*", "**", "_", "|", "|-|", ":-:", "---",
    "===", "- ", "1. ", "+ ", "> ", "# ", "    ", "  ", "\t", "\n", "\n\n", "\r\n", "\\", "a", "b",
    "1", " ", "\u00a0", "\u3000", "\x00", "\u202e", "\x1b[31m", ".", ":", "!", "(", ")",
)  # fmt: skip

MANY = 500
"""Texts that are tried where a try is quick."""


def is_seen(text: str) -> bool:
    """Whether anything of a text is left for the eye; a span of blanks is nothing."""
    return bool(one_line(text.replace("`", "")))


def mixed(pieces: Sequence[str]) -> st.SearchStrategy[str]:
    """Texts of a few pieces each, over and over: what matters is how they stand together."""
    few = st.lists(st.sampled_from(pieces), min_size=1, max_size=5, unique=True)
    return few.flatmap(
        lambda some: st.lists(st.sampled_from([*some, "@octo"]), max_size=12).map("".join)
    )


ANYTHING = mixed(PIECES)


DRAWN: Final = ("mermaid", "math", "geojson", "topojson", "stl")


def assert_draws_nothing(markdown: str) -> None:
    """No fence has a word that makes GitHub draw what is in it, or anything but a language's."""
    words = [it.info for it in GITHUB.parse(markdown) if it.type == "fence"]
    assert not [it for it in words if not re.fullmatch(r" ?[\w+#.-]{0,40}", it)]
    assert not {it.strip().lower() for it in words} & set(DRAWN)


def assert_stays_in_its_quote(text: str) -> None:
    markdown = f"before\n\n{quoted(text)}\n\nafter"
    page = assert_inert(markdown)
    assert_draws_nothing(markdown)
    assert level_0(markdown) == ["paragraph_open", "blockquote_open", "paragraph_open"]
    assert "".join(page.outside_quotes).split() == ["before", "after"]
    assert set(page.comments) <= {" "}


@pytest.mark.parametrize("text", CASES)
def test_nasty_text_stays_in_its_quote(text: str) -> None:
    assert_stays_in_its_quote(text)


@pytest.mark.slow
@settings(max_examples=MANY, deadline=None)
@given(ANYTHING)
def test_any_text_stays_in_its_quote(text: str) -> None:
    assert_stays_in_its_quote(text)


@pytest.mark.parametrize("word", [*DRAWN, "Mermaid", " MATH", "mermaid x", "a b", "a\u00a0b"])
@pytest.mark.parametrize(
    "fenced",
    ["```{}\nA-->B\n```", "~~~{}\nA\n~~~", "- a\n\n  ```{}\n  A\n  ```", "> `````{}\n> A"],
    ids=["backticks", "tildes", "in a list", "in a quote"],
)
def test_nothing_is_drawn(word: str, fenced: str) -> None:
    assert_stays_in_its_quote(fenced.format(word))


def test_a_language_stays() -> None:
    assert quoted("```c++\nint a;\n```") == "> ```c++\n> int a;\n> ```"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("one\ntwo", "> one\n> two", id="lines"),
        pytest.param("\n\none\n\n\ntwo\n\n", "> one\n>\n>\n> two", id="empty lines"),
        pytest.param("- a\n  1. **b**", "> - a\n>   1. **b**", id="lists and emphasis"),
        pytest.param("run `a_b *c*` now", "> run `a_b *c*` now", id="code spans"),
        pytest.param("```ts\n<b> @me\n```", "> ```ts\n> <b> @me\n> ```", id="a fence"),
        pytest.param("@me #1 <b>", "> @<!-- -->me #<!-- -->1 &lt;b&gt;", id="defused"),
        pytest.param("# a\nb", "> # a\n> b", id="a heading"),
        pytest.param("a\r\nb", "> a\n> b", id="ends of lines"),
        pytest.param("a | b \\ c", "> a &#124; b &#92; c", id="bars and backslashes"),
        pytest.param("`a|b`", "> <code>a&#124;b</code>", id="a bar in code, which ends a cell"),
        pytest.param("a\n\tb", "> a\n>     b", id="a tab is as wide as at the start of a line"),
    ],
)
def test_a_quote_keeps_its_layout(text: str, written: str) -> None:
    assert quoted(text) == written


# ── in a comment ─────────────────────────────────────────────────────────────────────────────

OURS = frozenset(
    {COMMENT.url, AT_WORK.remote_url, OPENED.pull_request_url, PASSED.url, "https://bot/v/2"}
)


def saying(run: AgentRun, text: str) -> AgentRun:
    """A run in which everybody says this."""
    data = {
        name: [text, text] if name == "notes" else text if value else value
        for name, value in run.response_data.items()
    }
    return replace(
        run,
        request=replace(run.request, goal=text),
        current_step=text,
        reason=text or "x",
        response_data=data,
        messages=(RunMessage("m", text, "bob"),),
    )


def status_of(text: str, run: AgentRun) -> str:
    """A status whose first run is this one; others wait or have ended."""
    waiting = [other("q", QUEUED, "x", -1)] if run.status is RunStatus.ACTIVE else []
    runs = [saying(it, text) for it in (*waiting, run, FAILED, OPENED)]
    return RENDERER.status(StatusView(4, runs, {12: PASSED}, NOW))


def assert_status_is_inert(text: str) -> None:
    for run in (AT_WORK, PLANNED, OPENED, ANSWERED, FAILED, QUEUED):
        said = status_of(text, run)
        assert_inert(said, ours=OURS)
        assert level_0(said) == level_0(status_of("words", run))


@pytest.mark.parametrize("text", [it for it in CASES if it.values != ("",)])
def test_nasty_text_does_nothing_in_a_status(text: str) -> None:
    assert_status_is_inert(text)


@pytest.mark.slow
@settings(deadline=None)
@given(ANYTHING.filter(is_seen))
def test_any_text_does_nothing_in_a_status(text: str) -> None:
    assert_status_is_inert(text)


@pytest.mark.parametrize("title", ["a](/evil) b", "Failed: ]", "[x](/evil)"])
def test_the_title_of_a_validation_stays_in_its_link(title: str) -> None:
    said = RENDERER.status(StatusView(3, [OPENED], {12: replace(PASSED, title=title)}, NOW))
    assert set(page_of(said).links) == OURS - {"https://bot/v/2"}
    assert_inert(said, ours=OURS)


def reply_of(text: str) -> str:
    """Every answer that repeats what somebody wrote."""
    answers: tuple[Answer, ...] = (
        Refused(Verb.RUN, "bob", Permission.READ, Permission.WRITE),
        Mistaken(Mistake(text, text, text)),
        Impossible(Verb.RUN, text, text),
        Done(Verb.CANCEL, text or "x"),
        Standing(HEAD, None, ("at work", "opened")),
        Configured(".github/codegenapp.yml", (text,), ((text, text, text),), ((text, text),)),
    )
    runs = {"at work": saying(AT_WORK, text), "opened": saying(OPENED, text)}
    by_id = {name: replace(run, id=name) for name, run in runs.items()}
    return RENDERER.reply(Reply(SHOP, COMMENT, "bob", answers), {}, {}, by_id)


def assert_reply_is_inert(text: str) -> None:
    said = reply_of(text)
    assert_inert(said, ours=OURS)
    assert level_0(said) == level_0(reply_of("words"))


@pytest.mark.parametrize("text", CASES)
def test_nasty_text_does_nothing_in_a_reply(text: str) -> None:
    assert_reply_is_inert(text)


@pytest.mark.slow
@settings(deadline=None)
@given(ANYTHING.filter(is_seen))
def test_any_text_does_nothing_in_a_reply(text: str) -> None:
    assert_reply_is_inert(text)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("https://x/)[y](https://evil.example", id="an end of the link"),
        pytest.param("https://x/ <b>", id="a tag"),
        pytest.param("https://x/\n\n# y", id="lines"),
        pytest.param("//evil.example", id="no scheme"),
        pytest.param("https://", id="no host"),
    ],
)
def test_an_address_that_is_none_is_not_linked(url: str) -> None:
    comment = replace(COMMENT, url=url)
    run = replace(
        OPENED,
        request=replace(REQUEST, comment=comment),
        remote_url=url,
        pull_request_url=url,
    )
    text = RENDERER.status(StatusView(3, [run], {}, NOW))
    assert page_of(text).links == []
    assert "evil" not in text
