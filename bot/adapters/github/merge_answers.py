"""GitHub's refusals of a merge, told apart by status and by words. Pure.

405 has several meanings, and only its sentence says which; so have 409 and 422.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from bot.domain.merging import MergeAnswer, MergeAnswerKind
from bot.ports.github import GitHubProblem

_BASE_MOVED: Final = re.compile(r"base branch was modified|out of date", re.IGNORECASE)
_HEAD_MOVED: Final = re.compile(
    r"head branch was modified"
    r"|expected[ _]head|head (sha|oid|ref|commit)\b.*\b(match|expect|differ|chang)"
    r"|\bsha\b.*\bmatch",
    re.IGNORECASE,
)
_METHOD: Final = re.compile(
    r"\b(merge commits|merges|rebas\w*|squash\w*|merge method\b[^.]*)\b[^.]*\bnot allowed"
    r"|can'?t be rebased|cannot be rebased"
    r"|must not contain merge commits|linear history",
    re.IGNORECASE,
)
_CONFLICT: Final = re.compile(r"not mergeable|merge conflict|\bconflicts?\b", re.IGNORECASE)
_QUEUED: Final = re.compile(r"already\b.*\bqueued?\b", re.IGNORECASE)
_NOTHING_NEW: Final = re.compile(r"no new commits", re.IGNORECASE)
_NOT_ACCESSIBLE: Final = re.compile(r"not accessible by integration", re.IGNORECASE)
_QUOTED: Final = re.compile(r"\"[^\"]*\"|`[^`]*`")
WORKFLOWS: Final = ".github/workflows/"


def sentence_of(problem: GitHubProblem) -> str:
    """GitHub's own sentence: what stands before it names the call."""
    _, colon, sentence = problem.message.partition(": ")
    return (sentence if colon else problem.message).strip()


def merge_refusal(status: int, sentence: str) -> MergeAnswer:
    """Why a merge was refused."""
    return MergeAnswer(_merge_kind(status, _unquoted(sentence)), sentence)


def _unquoted(sentence: str) -> str:
    """A sentence without the names in it, as a check may be called anything."""
    return _QUOTED.sub("", sentence)


def _merge_kind(status: int, sentence: str) -> MergeAnswerKind:
    if _BASE_MOVED.search(sentence):
        return MergeAnswerKind.BASE_MOVED
    if status == 409 or _HEAD_MOVED.search(sentence):
        return MergeAnswerKind.HEAD_MOVED
    if status == 405 and _METHOD.search(sentence):
        return MergeAnswerKind.METHOD_REFUSED
    if status == 405 and _CONFLICT.search(sentence):
        return MergeAnswerKind.CONFLICT
    return MergeAnswerKind.REFUSED


def forbidden_merge(sentence: str, paths: Iterable[str]) -> MergeAnswer:
    """A merge that the App may not make, with the permission that it lacks."""
    if _NOT_ACCESSIBLE.search(sentence):
        touches = any(it.startswith(WORKFLOWS) for it in paths)
        lacks = "workflows: write" if touches else "contents: write"
        sentence = f"{sentence.rstrip('.')}: the App needs the permission {lacks}."
    return MergeAnswer(MergeAnswerKind.REFUSED, sentence)


def enqueue_refusal(sentence: str) -> MergeAnswer:
    """Why GitHub's merge queue did not take a pull request; that it is in it is no refusal."""
    told = _unquoted(sentence)
    if _QUEUED.search(told):
        return MergeAnswer(MergeAnswerKind.QUEUED, sentence)
    if _HEAD_MOVED.search(told):
        return MergeAnswer(MergeAnswerKind.HEAD_MOVED, sentence)
    return MergeAnswer(MergeAnswerKind.REFUSED, sentence)


def update_refusal(sentence: str) -> MergeAnswer:
    """Why the base was not merged into a branch."""
    if _NOTHING_NEW.search(sentence):
        return MergeAnswer(MergeAnswerKind.MERGED, sentence)
    if _HEAD_MOVED.search(sentence):
        return MergeAnswer(MergeAnswerKind.HEAD_MOVED, sentence)
    if _CONFLICT.search(sentence):
        return MergeAnswer(MergeAnswerKind.CONFLICT, sentence)
    return MergeAnswer(MergeAnswerKind.REFUSED, sentence)
