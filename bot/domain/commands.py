"""Slash commands: a comment's text to what it asks for. Pure; no text makes it raise.

::

    comment = { line }
    command = prefix [ verb ] [ rest ]     at the start of a line; spaces may stand before it
    prefix  = ( "/codegen" | "@" app-slug ) [ ":" | "," ]     in any case; then a space or the end
    verb    = one of ``COMMANDS``, in any case; without one, two words or more are a goal (``run``),
              one is a slip, and none asks for ``help``
    rest    = by the command's usage; a GOAL, MESSAGE, HINT or REASON goes on over the following
              lines, to the next command or to the comment's end

A command counts only where GitHub shows its line as plain text of the comment itself: not in code,
quotes, lists, tables, headings, links, emphasis or HTML comments, in whatever nesting.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.domain.repositories import Permission

PREFIX: Final = "/codegen"
MOST_COMMANDS = 10
"""In one comment; what is beyond is answered as a mistake."""
LONGEST_SAID = 80
"""Characters of a mistaken line that are repeated to its writer."""


class Verb(StrEnum):
    """What can be asked for."""

    RUN = "run"
    PLAN = "plan"
    APPROVE = "approve"
    RESUME = "resume"
    STATUS = "status"
    EXPLAIN = "explain"
    HELP = "help"
    CONFIG = "config"
    CANCEL = "cancel"
    VALIDATE = "validate"
    FIX = "fix"
    TRUST = "trust"
    HOLD = "hold"
    UNHOLD = "unhold"
    MERGE = "merge"
    OVERRIDE = "override"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"


class Takes(StrEnum):
    """What stands behind a verb."""

    NOTHING = "nothing"
    TEXT = "text"
    OPTIONAL_TEXT = "optional text"
    KILL = "--kill"
    SHA = "a commit's SHA"
    ENVIRONMENT = "at most the name of an environment"
    CHECK_AND_REASON = "a check's name and a reason"


@dataclass(frozen=True)
class CommandSpec:
    """A row of the table that parser, help, permissions and documentation share.

    ``least`` is who may give it where the configuration says nothing; ``is_there`` is False for
    what is parsed and answered that its work is not there yet.
    """

    verb: Verb
    usage: str
    takes: Takes
    least: Permission
    does: str
    is_there: bool = True

    @property
    def written(self) -> str:
        """The command as one writes it."""
        return f"{PREFIX} {self.verb}{' ' if self.usage else ''}{self.usage}"


def _spec(
    verb: Verb, usage: str, takes: Takes, least: Permission, does: str, *, is_there: bool = True
) -> CommandSpec:
    return CommandSpec(verb, usage, takes, least, does, is_there)


_READ, _WRITE = Permission.READ, Permission.WRITE

COMMANDS: Final[dict[Verb, CommandSpec]] = {
    it.verb: it
    for it in (
        _spec(
            Verb.RUN, "GOAL…", Takes.TEXT, _WRITE,
            "Starts an agent run. The goal may go on over the following lines; "
            "`/codegen GOAL…` is the same.",
        ),
        _spec(Verb.PLAN, "GOAL…", Takes.TEXT, _WRITE, "Asks the agent for a plan only."),
        _spec(
            Verb.APPROVE, "", Takes.NOTHING, _WRITE,
            "Approves the plan: the same run goes on to a pull request.",
        ),
        _spec(
            Verb.RESUME, "MESSAGE…", Takes.TEXT, _WRITE,
            "Sends a follow-up to the newest run here.",
        ),
        _spec(Verb.STATUS, "", Takes.NOTHING, _READ, "Says where things stand."),
        _spec(
            Verb.EXPLAIN, "", Takes.NOTHING, _READ,
            "Says why this is not merged: every criterion, and what would change it.",
        ),
        _spec(Verb.HELP, "", Takes.NOTHING, _READ, "Shows the commands."),
        _spec(
            Verb.CONFIG, "", Takes.NOTHING, _READ,
            "Shows the effective configuration, and where each value comes from.",
        ),
        _spec(
            Verb.CANCEL, "[--kill]", Takes.KILL, _WRITE,
            "Cancels runs and validations here; `--kill` also bans the agent from the pull "
            "request.",
        ),
        _spec(Verb.VALIDATE, "", Takes.NOTHING, _WRITE, "Validates the head again."),
        _spec(
            Verb.FIX, "[HINT…]", Takes.OPTIONAL_TEXT, _WRITE,
            "Sends the failure of the head to the agent now, whatever was tried before.",
        ),
        _spec(
            Verb.TRUST, "SHA", Takes.SHA, _WRITE,
            "Lets a fork's commit run; a new push asks again.",
        ),
        _spec(Verb.HOLD, "", Takes.NOTHING, _WRITE, "Stops automatic fixing and merging here."),
        _spec(Verb.UNHOLD, "", Takes.NOTHING, _WRITE, "Allows them again."),
        _spec(
            Verb.MERGE, "", Takes.NOTHING, _WRITE,
            "Merges as soon as every criterion holds, also where merging is not automatic.",
        ),
        _spec(
            Verb.OVERRIDE, "CHECK REASON…", Takes.CHECK_AND_REASON, Permission.ADMIN,
            "Counts one criterion as met, for this commit alone; recorded with name and reason.",
        ),
        _spec(
            Verb.DEPLOY, "[ENV]", Takes.ENVIRONMENT, Permission.MAINTAIN,
            "Deploys the head of the default branch.", is_there=False,
        ),
        _spec(
            Verb.ROLLBACK, "[ENV]", Takes.ENVIRONMENT, Permission.MAINTAIN,
            "Returns to the last good deployment.", is_there=False,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """One command.

    ``text`` is its goal, message, hint or reason; ``name`` a SHA, check or environment; both are
    empty where there is none.
    """

    verb: Verb
    text: str = ""
    name: str = ""
    kill: bool = False


@dataclass(frozen=True)
class Mistake:
    """A line that wants to be a command and is none.

    ``said`` is its text, ``message`` names the fault, ``mend`` what to write instead.
    """

    said: str
    message: str
    mend: str


def parse(text: str, slug: str) -> tuple[Command | Mistake, ...]:
    """The commands and mistakes of a comment, in order. ``slug`` is the App's, for its mention."""
    text = _plain(text)
    prefix = _prefix(slug)
    if not prefix.search(text):  # hardly any comment has one: no Markdown is read for them
        return ()
    lines = text.split("\n")
    starts = sorted(_command_lines(text, prefix))
    found: list[Command | Mistake] = []
    for at, following in itertools.pairwise([*starts, len(lines)]):
        if len(found) == MOST_COMMANDS:
            found.append(
                Mistake(
                    _shown(lines[at]),
                    f"A comment has at most {MOST_COMMANDS} commands.",
                    "Write the rest in another comment.",
                )
            )
            break
        said = prefix.sub("", lines[at], count=1).strip()
        found.append(_command(said, "\n".join(lines[at + 1 : following])))
    return tuple(found)


# ── where commands stand ─────────────────────────────────────────────────────────────────────

_INVISIBLE = re.compile("[\x00\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""NUL, direction marks and zero-width spaces: nobody sees them, and they hide what is said."""
_MARKS = range(0xE000, 0xF8FF)
"""Private use: a mark that the comment does not have is put before what may be a command."""

_markdown = MarkdownIt("commonmark", {"maxNesting": 20}).enable(["table", "strikethrough"])
_blocks = MarkdownIt("commonmark", {"maxNesting": 20}).enable("table").disable("inline")
"""Blocks alone: what stands within them is read for those that may have a command."""


def _plain(text: str) -> str:
    return _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _prefix(slug: str) -> re.Pattern[str]:
    mention = f"|@{re.escape(slug)}(?:\\[bot\\])?" if slug else ""
    return re.compile(
        rf"^[ \t]*(?:/codegen{mention})[:,]?(?=[ \t]|$)", re.MULTILINE | re.IGNORECASE
    )


def _command_lines(text: str, prefix: re.Pattern[str]) -> Iterator[int]:
    """Numbers of the lines (from 0) that are commands."""
    mark = next((chr(it) for it in _MARKS if chr(it) not in text), None)
    if mark is None:
        return
    tokens = _blocks.parse(text)
    for opened, inline in itertools.pairwise(tokens):
        if opened.type != "paragraph_open" or opened.level or opened.map is None:
            continue
        lines = inline.content.split("\n")
        may_be = [at for at, line in enumerate(lines) if prefix.match(line)]
        if may_be:
            yield from (opened.map[0] + at for at in _at_line_starts(lines, may_be, mark))


def _at_line_starts(lines: Sequence[str], may_be: Sequence[int], mark: str) -> Iterator[int]:
    """Those lines whose beginning is plain text: the marks before them come back as such."""
    marked = list(lines)
    for at in may_be:
        marked[at] = f"{mark}{at}{mark}{marked[at].lstrip()}"
    children: list[Token] = _markdown.parseInline("\n".join(marked))[0].children or []
    before: Token | None = None
    for token in children:
        begins = before is None or before.type in {"softbreak", "hardbreak"}
        if begins and token.type == "text" and token.level == 0 and token.content[:1] == mark:
            yield int(token.content[1:].partition(mark)[0])
        before = token


# ── what they say ────────────────────────────────────────────────────────────────────────────

_SHA = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")


def _command(said: str, below: str) -> Command | Mistake:
    """One command, from what stands behind its prefix and below its line."""
    first, _, rest = said.partition(" ")
    word, rest = first.rstrip(":,").casefold(), rest.strip()
    whole = f"{said}\n{below}".strip()
    if not said and not below.strip():
        return Command(Verb.HELP)
    if word in set(Verb):
        return _of_verb(COMMANDS[Verb(word)], said, rest, f"{rest}\n{below}".strip())
    if len(whole.split()) < 2:
        near = difflib.get_close_matches(word, list(Verb), n=1)
        nearest = f"{PREFIX} {near[0]}" if near else f"{PREFIX} help"
        return Mistake(
            _shown(said), f"There is no command `{_shown(first)}`.", f"Did you mean `{nearest}`?"
        )
    return Command(Verb.RUN, text=whole)


def _of_verb(spec: CommandSpec, said: str, rest: str, text: str) -> Command | Mistake:
    verb, words = spec.verb, rest.split()
    match spec.takes:
        case Takes.TEXT if text:
            return Command(verb, text=text)
        case Takes.OPTIONAL_TEXT:
            return Command(verb, text=text)
        case Takes.NOTHING if not words:
            return Command(verb)
        case Takes.KILL if [word.casefold() for word in words] in ([], ["--kill"]):
            return Command(verb, kill=bool(words))
        case Takes.SHA if len(words) == 1 and _SHA.fullmatch(words[0].strip("`")):
            return Command(verb, name=words[0].strip("`").lower())
        case Takes.ENVIRONMENT if not words:
            return Command(verb)
        case Takes.ENVIRONMENT if len(words) == 1 and _ENVIRONMENT.fullmatch(words[0]):
            return Command(verb, name=words[0])
        case Takes.CHECK_AND_REASON if words and len(text.split()) > 1:
            name, reason = words[0].strip("`"), text.partition(words[0])[2].strip()
            return Command(verb, name=name, text=reason)
    return _misused(spec, said, words)


def _misused(spec: CommandSpec, said: str, words: Sequence[str]) -> Mistake:
    wants = f"`{spec.verb}` takes {spec.takes}"
    if not words and spec.takes is Takes.TEXT:
        wants = f"`{spec.verb}` needs a {spec.usage.strip('…').lower()}"
    elif not words:
        wants = f"`{spec.verb}` needs {spec.takes}"
    mend = f"Write `{spec.written}`."
    if spec.takes in (Takes.NOTHING, Takes.KILL, Takes.ENVIRONMENT) and len(words) > 1:
        mend += f" If you meant a goal for the agent, write `{PREFIX} run {spec.verb} …`."
    return Mistake(_shown(said), f"{wants}.", mend)


def _shown(said: str) -> str:
    """A line as it is repeated: short, and without what would end a code span."""
    said = " ".join(said.replace("`", "'").split())
    return said if len(said) <= LONGEST_SAID else f"{said[: LONGEST_SAID - 1]}…"
