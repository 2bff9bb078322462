"""The bot's sentences: values in, Markdown, HTML or plain text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.agent_runs import AgentRun
from bot.domain.conversations import Issue
from bot.domain.effects import Reply
from bot.domain.merging import Explanation
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import ValidationResult


@dataclass(frozen=True)
class Said:
    """What somebody wrote, for a prompt: data, whatever it says."""

    login: str
    text: str


@dataclass(frozen=True)
class Piece:
    """Something that others wrote, for a prompt: data, whatever it says, plain and bounded.

    ``name`` says in our words what it is; ``note`` is a sentence of ours that stands before it.
    """

    name: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class FailureView:
    """A failed validation that the agent is to mend.

    ``branch`` is where to push to, of ``repository`` (``owner/name``); each is empty where it can't
    be named. ``nowhere`` is the sentence why there is no place to push to. ``head_sha`` is the
    commit that failed, ``head_now`` the branch's head where that is another one by now. ``missing``
    are sentences on what can't be told, ``pictures`` counts those that go along. ``hint`` is what
    the person who asked for the fix wrote: the one text that is no data.
    """

    number: int
    repository: str = ""
    branch: str = ""
    nowhere: str = ""
    head_sha: str = ""
    head_now: str = ""
    pieces: tuple[Piece, ...] = ()
    missing: tuple[str, ...] = ()
    pictures: int = 0
    hint: Said | None = None
    wants_plan: bool = False


@dataclass(frozen=True)
class PromptView:
    """What a prompt is made of. ``fence`` is a random word that none of the texts has.

    ``conventions`` is the repository's own file for contributors, with its path; ``left_out``
    counts the comments before those that are there. ``failure`` is what is to be mended, where
    that is what the run is for.
    """

    run: AgentRun
    issue: Issue
    comments: Sequence[Said]
    fence: str
    conventions: tuple[str, str] | None = None
    left_out: int = 0
    images: int = 0
    failure: FailureView | None = None


@dataclass(frozen=True)
class Prompt:
    """What the agent is told; ``images`` are data URIs."""

    text: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class StatusView:
    """What the status comment of an issue or pull request tells.

    ``runs`` are newest first; ``validations`` the newest one of each pull request, by its number,
    with its title, how it ended (empty while it goes on) and its page; ``courses`` what is kept of
    each pull request, by its number.
    """

    number: int
    runs: Sequence[AgentRun]
    validations: Mapping[int, ShownValidation]
    now: datetime
    courses: Mapping[int, PullRequestRecord] = field(default_factory=dict)


@dataclass(frozen=True)
class ShownValidation:
    """A validation in a line."""

    head_sha: str
    title: str
    verdict: str
    url: str


class Renderer(Protocol):
    """Renders what a person reads; every text from outside is defused on its way."""

    def report_markdown(self, result: ValidationResult, *, title: str = "") -> str:
        """The report of a validation as GitHub-flavoured Markdown."""

    def report_html(
        self,
        result: ValidationResult,
        *,
        title: str = "",
        log_url: str = "",
        artifacts_at: str = "",
    ) -> str:
        """The same report as one self-contained page, for light and dark, phone and desk.

        It links to the whole log where ``log_url`` is not empty, and shows the pictures that are
        kept below ``artifacts_at``.
        """

    def check_summary(self, result: ValidationResult, url: str) -> str:
        """What a check run says first: verdict, stages, what failed and why; within its limit.

        What does not fit is left out, with a link to ``url``.
        """

    def check_detail(self, result: ValidationResult, url: str) -> str:
        """What it says below: findings, what was not verified or assumed; within its limit."""

    def check_text(
        self, record: ValidationRecord, course: PullRequestRecord | None, url: str
    ) -> str:
        """A check run's details: what keeps its pull request from being merged, then the record's.

        Within its limit; the record's alone where its commit is not the course's head.
        """

    def explanation_text(self, name: str, explanation: Explanation) -> str:
        """The same for a terminal, plain. ``name`` is the pull request's."""

    def stop(self, record: PullRequestRecord) -> tuple[str, str]:
        """The comment that asks a person: its marker, and its text, which begins with it."""

    def reply(
        self,
        reply: Reply,
        records: Mapping[str, ValidationRecord],
        urls: Mapping[str, str],
        runs: Mapping[str, AgentRun],
    ) -> str:
        """Our reply to a comment: its marker first, then an answer to each of its commands.

        ``records`` and ``urls`` are those of the validations that the answers name, by their ids,
        ``runs`` the agent runs.
        """

    def status(self, view: StatusView) -> str:
        """The status comment: its marker first, then how the runs stand; within GitHub's limit."""

    def prompt(self, view: PromptView) -> str:
        """What the agent is told; what people wrote stands in it as fenced data."""

    def failure(self, view: FailureView, fence: str) -> str:
        """What a run that the agent has is sent of a failed validation; all but the hint fenced.

        ``fence`` is a random word that none of the texts has.
        """

    def validation_page(self, record: ValidationRecord, log: str) -> str:
        """The page of a validation that has no report (yet): where it stands, and its log."""

    def absent_page(self) -> str:
        """The page of what is not there, or not for everybody."""

    def report_text(self, result: ValidationResult, *, title: str = "") -> str:
        """The same report for a terminal, plain."""
