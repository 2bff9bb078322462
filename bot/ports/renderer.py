"""The bot's sentences: values in, Markdown, HTML or plain text out."""

from __future__ import annotations

from typing import Protocol

from bot.domain.validations import ValidationResult


class Renderer(Protocol):
    """Renders what a person reads; every text from outside is defused on its way."""

    def report_markdown(self, result: ValidationResult, *, title: str = "") -> str:
        """The report of a validation as GitHub-flavoured Markdown."""

    def report_html(self, result: ValidationResult, *, title: str = "") -> str:
        """The same report as one self-contained page, for light and dark, phone and desk."""

    def report_text(self, result: ValidationResult, *, title: str = "") -> str:
        """The same report for a terminal, plain."""
