"""The table of what tools print when they blame a line of a file, and how a user's is read.

Most of it is written in the format of GitHub Actions' problem matchers, by tool: ``for_*``.
Patterns of our own are matched at the start of a line. To stay linear on hostile lines, each
repeats only bounded classes that exclude the character after them; ``.*`` stands only at an end.
What somebody else wrote is measured instead (``regexps``).
"""

from __future__ import annotations

from dataclasses import replace

from bot.policy.matchers import for_compilers, for_javascript, for_python
from bot.policy.matchers.actions import built_in, parse_matchers
from bot.policy.matchers.manifests import MANIFESTS
from bot.policy.matchers.shape import Manifest, Matcher, Trace

__all__ = [
    "ACTIONS",
    "MANIFESTS",
    "MATCHERS",
    "TRACES",
    "Manifest",
    "Matcher",
    "Trace",
    "parse_matchers",
]

_TOOLS = (for_javascript, for_python, for_compilers)

ACTIONS = tuple(entry for tool in _TOOLS for entry in tool.ACTIONS)
"""The part of the table that is in GitHub Actions' format."""

_FROM_ZERO = frozenset(owner for tool in _TOOLS for owner in tool.COLUMNS_FROM_ZERO)

MATCHERS: tuple[Matcher, ...] = tuple(
    replace(matcher, first_column=0) if matcher.owner in _FROM_ZERO else matcher
    for matcher in (*built_in(ACTIONS), *(extra for tool in _TOOLS for extra in tool.EXTRA))
)
TRACES: tuple[Trace, ...] = tuple(trace for tool in _TOOLS for trace in tool.TRACES)
