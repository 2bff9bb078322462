"""The line of a manifest that an install's error is about.

An error says which package it is about and names no line. Where exactly one line of the manifest
begins with that package, as ``"express": "4.99.1"`` or ``flask==3.1``, that is the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from bot.domain.validations import Finding

_NAMED = re.compile(r"(?:\bfor |['\"`])((?:@[\w.-]{1,100}/)?\w[\w.-]{0,100})")
_SEPARATORS = re.compile(r"[-_.]+")


def with_lines(findings: tuple[Finding, ...], files: Mapping[str, str]) -> tuple[Finding, ...]:
    """The findings, with a line for those that lack one; ``files`` maps a path to its text."""
    return tuple(
        it if it.line else replace(it, line=_line(it.message, files.get(it.file, "")))
        for it in findings
    )


def _line(message: str, text: str) -> int | None:
    """The number of the one line that begins with the package of the message."""
    named = _NAMED.search(message)
    if named is None:
        return None
    # Names of Python's are the same whichever separator they are written with.
    parts = [re.escape(it) for it in _SEPARATORS.split(named[1].rstrip(".")) if it]
    begins = re.compile(
        rf"\s*[\"']?{'[-_.]'.join(parts)}[\"']?\s*(?:[:=<>~!\[;@,]|$)", re.IGNORECASE
    )
    found = [number for number, it in enumerate(text.splitlines(), 1) if begins.match(it)]
    return found[0] if len(found) == 1 else None
