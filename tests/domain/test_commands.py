"""What in a comment is a command, and what is not."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.commands import COMMANDS, MOST_COMMANDS, Command, Mistake, Verb, parse
from bot.domain.repo_config import Verb as ConfigVerb

SLUG = "codegenapp"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("/codegen help", [Command(Verb.HELP)], id="a command"),
        pytest.param("/codegen", [Command(Verb.HELP)], id="nothing asks for help"),
        pytest.param("  /CODEGEN Help  ", [Command(Verb.HELP)], id="spaces and case"),
        pytest.param("@codegenapp status", [Command(Verb.STATUS)], id="mention"),
        pytest.param("@CodegenApp[bot], status", [Command(Verb.STATUS)], id="mention with a comma"),
        pytest.param("@codegenapp2 status", [], id="somebody else's mention"),
        pytest.param("/codegenx status", [], id="another prefix"),
        pytest.param("see /codegen help", [], id="in the middle of a line"),
        pytest.param("Hi\r\n/codegen status\r\nbye", [Command(Verb.STATUS)], id="carriage returns"),
        pytest.param("\u200f/code\x00gen\u200b status", [Command(Verb.STATUS)], id="unseen marks"),
        pytest.param("/codegen run Mend it", [Command(Verb.RUN, "Mend it")], id="goal"),
        pytest.param("/codegen Mend it", [Command(Verb.RUN, "Mend it")], id="goal without run"),
        pytest.param(
            "/codegen run\nMend it\n\n```\nTraceback\n```\n",
            [Command(Verb.RUN, "Mend it\n\n```\nTraceback\n```")],
            id="goal over lines, code and all",
        ),
        pytest.param(
            "/codegen run a b\nc\n/codegen plan d\n\n/codegen status",
            [Command(Verb.RUN, "a b\nc"), Command(Verb.PLAN, "d"), Command(Verb.STATUS)],
            id="several, in order",
        ),
        pytest.param("/codegen cancel", [Command(Verb.CANCEL)], id="cancel"),
        pytest.param("/codegen cancel --KILL", [Command(Verb.CANCEL, kill=True)], id="kill"),
        pytest.param("/codegen fix", [Command(Verb.FIX)], id="fix"),
        pytest.param("/codegen fix the css", [Command(Verb.FIX, "the css")], id="hint"),
        pytest.param(
            "/codegen trust `ABCDEF0123`", [Command(Verb.TRUST, name="abcdef0123")], id="SHA"
        ),
        pytest.param("/codegen deploy", [Command(Verb.DEPLOY)], id="deploy"),
        pytest.param("/codegen deploy staging", [Command(Verb.DEPLOY, name="staging")], id="ENV"),
        pytest.param(
            "/codegen override lint it is\nflaky",
            [Command(Verb.OVERRIDE, "it is\nflaky", "lint")],
            id="override",
        ),
    ],
)
def test_what_is_a_command(text: str, found: list[Command]) -> None:
    assert list(parse(text, SLUG)) == found


IGNORED = [
    pytest.param("```\n{}\n```", id="fenced"),
    pytest.param("~~~sh\n{}\n~~~", id="fenced with tildes"),
    pytest.param("    {}", id="indented code"),
    pytest.param("> {}", id="quote"),
    pytest.param("> said\n{}", id="a quote that goes on"),
    pytest.param("> > {}", id="a quote in a quote"),
    pytest.param("# {}", id="heading"),
    pytest.param("{}\n===", id="underlined heading"),
    pytest.param("- {}", id="list"),
    pytest.param("1. x\n   {}", id="in a list's item"),
    pytest.param("<!--\n{}\n-->", id="HTML comment"),
    pytest.param("text <!--\n{}\n--> text", id="HTML comment in a paragraph"),
    pytest.param("<details>\n{}\n</details>", id="HTML"),
    pytest.param("a `b\n{}\nc` d", id="code span over lines"),
    pytest.param("`{}`", id="code span"),
    pytest.param("[text\n{}\ntext](https://example.com)", id="link over lines"),
    pytest.param("[{}](https://example.com)", id="link"),
    pytest.param("{} | b\n--- | ---\nc | d", id="table"),
    pytest.param("\\{}", id="escaped"),
    pytest.param("*a\n{}\nb*", id="emphasis over lines"),
]


@pytest.mark.parametrize("around", IGNORED)
@pytest.mark.parametrize("prefix", ["/codegen", "@codegenapp"])
def test_what_is_none(around: str, prefix: str) -> None:
    assert parse(around.format(f"{prefix} cancel"), SLUG) == ()


@pytest.mark.parametrize(
    ("text", "message", "mend"),
    [
        ("statsu", "There is no command `statsu`.", "Did you mean `/codegen status`?"),
        ("thanks!", "There is no command `thanks!`.", "Did you mean `/codegen help`?"),
        ("run", "`run` needs a goal.", "Write `/codegen run GOAL…`."),
        ("resume", "`resume` needs a message.", "Write `/codegen resume MESSAGE…`."),
        ("trust", "`trust` needs a commit's SHA.", "Write `/codegen trust SHA`."),
        ("trust main", "`trust` takes a commit's SHA.", "Write `/codegen trust SHA`."),
        ("cancel --now", "`cancel` takes --kill.", "Write `/codegen cancel [--kill]`."),
        ("override lint", "`override` takes a check's name and a reason.",
         "Write `/codegen override CHECK REASON…`."),
        ("merge the two lists", "`merge` takes nothing.",
         ("Write `/codegen merge`. If you meant a goal for the agent, write "
          "`/codegen run merge …`.")),
    ],
)  # fmt: skip
def test_a_slip_is_told_with_its_mend(text: str, message: str, mend: str) -> None:
    (found,) = parse(f"/codegen {text}", SLUG)
    assert isinstance(found, Mistake)
    assert (found.message, found.mend) == (message, mend)


def test_a_goal_of_64_kilobytes() -> None:
    goal = "word " * 13_000
    assert parse(f"/codegen run {goal}", SLUG) == (Command(Verb.RUN, goal.strip()),)


def test_a_comment_has_a_bound() -> None:
    found = parse("/codegen status\n" * 50, SLUG)
    assert len(found) == MOST_COMMANDS + 1
    assert isinstance(found[-1], Mistake)


def test_every_verb_has_its_row() -> None:
    assert list(COMMANDS) == list(Verb)
    assert get_args(ConfigVerb) == tuple(Verb), "the configuration knows the same ones"


PIECES = st.sampled_from(
    ["/codegen ", "@codegenapp ", "run", "trust ", "\n", "\n\n", "> ", "- ", "`", "```", "~~~", "#",
     "<!--", "-->", "[", "](", ")", "*", "_", "|", "---", "    ", "\t", "\\", "&#47;", "\x00",
     "\u202e", "\ue000", "<b>", "\r", "\u2028", "é", "0", "a b"]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))


@given(TEXTS)
def test_no_text_makes_it_raise(text: str) -> None:
    assert len(parse(text, SLUG)) <= MOST_COMMANDS + 1


NESTS = st.lists(st.sampled_from(["quote", "list", "fence", "details"]), min_size=1, max_size=6)


@given(NESTS, st.sampled_from(["/codegen cancel", "@codegenapp run a b"]))
def test_what_is_ignored_is_ignored_in_any_nesting(nest: list[str], said: str) -> None:
    lines = ["text", said, "text"]
    for around in nest:
        match around:
            case "quote":
                lines = [f"> {line}" for line in lines]
            case "list":
                lines = [f"{'- ' if at == 0 else '  '}{line}" for at, line in enumerate(lines)]
            case "fence":
                longest = max([2] + [len(it) - len(it.lstrip("`> -")) for it in lines])
                ticks = "`" * (longest + 1)
                lines = [ticks, *lines, ticks]
            case _:
                lines = ["<!--", *lines, "-->"]
    assert parse("\n".join(lines), SLUG) == ()
