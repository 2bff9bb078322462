"""What a matcher is: lines to look for, and which part of them is the file, the line, the message.

``Matcher`` is what GitHub Actions calls a problem matcher, ``Trace`` is a stack of calls, and
``Manifest`` an error that names no file, with the file where it is mended. All are data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.validations import Level
from bot.policy.matchers.regexps import Cost

FIELDS = ("file", "fromPath", "line", "column", "severity", "code", "message")
"""What a part of a line can be, in the words of GitHub Actions' format."""


@dataclass(frozen=True)
class Pattern:
    """One line.

    ``fields`` are the numbers of groups by the names of ``FIELDS``; without them the expression's
    own group names count. The line stands within so many lines (``within``) after the one before
    it, and before any that ``until`` matches. ``cost`` bounds what an expression may take that we
    did not write.
    """

    regex: re.Pattern[str]
    fields: Mapping[str, int] = field(default_factory=dict)
    within: int = 1
    until: re.Pattern[str] | None = None
    cost: Cost | None = None

    def match(self, line: str) -> dict[str, str] | None:
        """The parts of a line by their names, those that are there; None where it differs."""
        found = self.regex.search(line)
        if found is None:
            return None
        groups = self.fields or self.regex.groupindex
        return {name: found[group] for name, group in groups.items() if found[group]}


@dataclass(frozen=True)
class Matcher:
    """Lines that follow one another. ``level`` and ``message`` stand where no group gives one.

    ``loop`` repeats the last pattern. ``file`` makes a path of what the group ``file`` holds.
    A ``fallback`` counts only where nothing else of the log tells of a failure. ``first_column``
    is 0 for tools that count columns so.
    """

    owner: str
    patterns: tuple[Pattern, ...]
    loop: bool = False
    level: Level = Level.FAILURE
    message: str = "failed here"
    file: str = "{file}"
    fallback: bool = False
    first_column: int = 1


@dataclass(frozen=True)
class Trace:
    """A stack of calls.

    It begins at a line that ``opens`` matches and ends at one that ``closes`` matches, or when
    ``span`` lines in a row are no ``frame``. With ``message_last`` the first frame opens it, the
    message closes it and the last frame is the innermost; else the message opens it and the
    first frame is the innermost. What the first lines that match ``details`` say (their group 1)
    belongs to a message that opened it.
    """

    owner: str
    opens: re.Pattern[str]
    frame: re.Pattern[str]
    closes: re.Pattern[str]
    message_last: bool
    span: int
    message: str = "failed here"
    details: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Manifest:
    """An error without a place, which is mended in one of ``files``.

    It counts where the tree has exactly one file of these names, where nothing else of the log
    points into the tree, and where no line says that the network failed.
    """

    owner: str
    regex: re.Pattern[str]
    files: tuple[str, ...]


def lines(
    owner: str, *regexes: str, within: int = 1, until: str = "", fallback: bool = False
) -> Matcher:
    """A matcher that GitHub Actions' format cannot say; its groups are named as ``FIELDS``."""
    patterns = tuple(
        Pattern(re.compile("^" + regex), {}, within, re.compile(until) if until else None)
        for regex in regexes
    )
    return Matcher(owner, patterns, fallback=fallback)
