"""The bot's sentences: values in, Markdown, HTML or plain text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bot.domain.effects import Reply
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import ValidationResult


class Renderer(Protocol):
    """Renders what a person reads; every text from outside is defused on its way."""

    def report_markdown(self, result: ValidationResult, *, title: str = "") -> str:
        """The report of a validation as GitHub-flavoured Markdown."""

    def report_html(self, result: ValidationResult, *, title: str = "", log_url: str = "") -> str:
        """The same report as one self-contained page, for light and dark, phone and desk.

        It links to the whole log where ``log_url`` is not empty.
        """

    def check_summary(self, result: ValidationResult, url: str) -> str:
        """What a check run says first: verdict, stages, what failed and why; within its limit.

        What does not fit is left out, with a link to ``url``.
        """

    def check_detail(self, result: ValidationResult, url: str) -> str:
        """What it says below: findings, what was not verified or assumed; within its limit."""

    def reply(
        self, reply: Reply, records: Mapping[str, ValidationRecord], urls: Mapping[str, str]
    ) -> str:
        """Our reply to a comment: its marker first, then an answer to each of its commands.

        ``records`` and ``urls`` are those of the validations that the answers name, by their ids.
        """

    def validation_page(self, record: ValidationRecord, log: str) -> str:
        """The page of a validation that has no report (yet): where it stands, and its log."""

    def absent_page(self) -> str:
        """The page of what is not there, or not for everybody."""

    def report_text(self, result: ValidationResult, *, title: str = "") -> str:
        """The same report for a terminal, plain."""
