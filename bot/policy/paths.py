"""Paths and the patterns of the configuration, read as GitHub reads those of its workflows."""

from __future__ import annotations

from collections.abc import Sequence

from wcmatch import glob

MOST_PATHS = 3_000
"""As many as GitHub lists of a pull request; with so many, some may be missing."""
FLAGS = glob.GLOBSTAR | glob.DOTGLOB | glob.NEGATE


def all_match(paths: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether every path is known and matches (``docs/**``, ``*.md``, ``!docs/api/**``)."""
    if not paths or len(paths) >= MOST_PATHS:
        return False
    return len(glob.globfilter(paths, patterns, flags=FLAGS)) == len(paths)


def matching(paths: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The paths that match, in their order."""
    return [str(it) for it in glob.globfilter(paths, patterns, flags=FLAGS)]
