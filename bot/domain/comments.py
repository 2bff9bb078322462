"""Comments on GitHub, and what the bot says in its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from bot.domain.commands import Mistake, Verb
from bot.domain.ids import derived
from bot.domain.merging import Explanation
from bot.domain.repositories import Permission


class CommentKind(StrEnum):
    """Where a comment stands; values are GitHub's events."""

    CONVERSATION = "issue_comment"
    REVIEW = "pull_request_review"
    INLINE = "pull_request_review_comment"
    ISSUE = "issues"


@dataclass(frozen=True)
class CommentReference:
    """A person's comment, or an issue itself. ``id`` is GitHub's, unique within its kind."""

    kind: CommentKind
    id: int
    number: int
    url: str

    @property
    def reply_marker(self) -> str:
        """What our reply to it is found by, beside its author."""
        return f"<!-- codegenapp:reply:{self.kind.value}:{self.id} -->"

    def named(self, *parts: str | int) -> str:
        """The id of what this comment sets going: whichever delivery tells of it, the same."""
        return derived("comment", self.kind.value, self.id, *parts)


@dataclass(frozen=True)
class Comment:
    """A comment of the conversation of an issue or pull request, as it is now."""

    id: int
    author: str
    body: str


class Reaction(StrEnum):
    """GitHub's names of the reactions that the bot gives."""

    SEEN = "eyes"
    DONE = "rocket"
    CONFUSED = "confused"


# ── what a reply says, command by command ────────────────────────────────────────────────────


@dataclass(frozen=True)
class Help:
    """The commands; ``least`` says who may give them here."""

    least: Mapping[Verb, Permission]
    kind: Literal["help"] = "help"


@dataclass(frozen=True)
class Refused:
    """The commenter may not give this command; ``least`` is who may."""

    verb: Verb
    login: str
    has: Permission
    least: Permission
    kind: Literal["refused"] = "refused"


@dataclass(frozen=True)
class Mistaken:
    """A line that is no command."""

    mistake: Mistake
    kind: Literal["mistaken"] = "mistaken"


@dataclass(frozen=True)
class NotThereYet:
    """A command whose work is not built yet."""

    verb: Verb
    kind: Literal["not_there_yet"] = "not_there_yet"


@dataclass(frozen=True)
class Impossible:
    """A command that makes no sense here and now: ``reason`` names why, ``mend`` what would."""

    verb: Verb
    reason: str
    mend: str = ""
    kind: Literal["impossible"] = "impossible"


@dataclass(frozen=True)
class Done:
    """What was done, or that there was nothing to do, in a sentence."""

    verb: Verb
    sentence: str
    kind: Literal["done"] = "done"


@dataclass(frozen=True)
class Standing:
    """Where things stand: the newest validation of the head, if there is a pull request, and runs.

    ``run_ids`` are those of the agent runs here, newest first; ``budgets`` say in a sentence each
    what is left of them.
    """

    head_sha: str
    validation_id: str | None
    run_ids: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ()
    kind: Literal["standing"] = "standing"


@dataclass(frozen=True)
class Configured:
    """The effective configuration.

    ``path`` is the file's, empty where there is none; ``problems`` are its faults; ``values`` are
    key, value and source of whatever is not a default; ``defaults`` are key and value of the rest.
    """

    path: str
    problems: tuple[str, ...] = ()
    values: tuple[tuple[str, str, str], ...] = ()
    defaults: tuple[tuple[str, str], ...] = field(default=())
    kind: Literal["configured"] = "configured"


@dataclass(frozen=True)
class Explained:
    """Every criterion of a pull request's merge."""

    explanation: Explanation
    kind: Literal["explained"] = "explained"


Answer = (
    Help | Refused | Mistaken | NotThereYet | Impossible | Done | Standing | Configured | Explained
)

FAILED = (Refused, Mistaken, NotThereYet, Impossible)
"""Answers to what was not done."""
