"""What an answer of GitHub means. Pure: from status, headers and body to one of a few cases.

GitHub tells a limit by 403 or 429, the secondary one with or without ``Retry-After``, and only by
words; a missing permission is a 403 as well. They are told apart here and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECONDARY_SECONDS = 60.0
"""GitHub's advice where a secondary limit names no time."""
BROKEN_SECONDS = 2.0
_SECONDARY_WORDS = ("secondary rate limit", "abuse detection", "content creation")

_LIMITED_KINDS = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
_BROKEN_KINDS = frozenset({"INTERNAL", "SERVICE_UNAVAILABLE"})
_BROKEN_WORDS = (
    "something went wrong while executing your query",
    "may be the result of a timeout",
)


@dataclass(frozen=True)
class Fine:
    """The answer is what was asked for."""


@dataclass(frozen=True)
class Limited:
    """Too much was asked: again after ``after`` seconds. The request did nothing."""

    after: float
    primary: bool
    message: str


@dataclass(frozen=True)
class Broken:
    """GitHub is at fault (5xx): the request may have done something or not."""

    after: float
    message: str


@dataclass(frozen=True)
class Unauthorized:
    """The token or JWT is no longer (or not) good."""

    message: str


@dataclass(frozen=True)
class Refused:
    """No, for good; ``status`` says in which way."""

    status: int
    message: str


Answer = Fine | Limited | Broken | Unauthorized | Refused


def classify(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Answer:
    """The meaning of an answer; header names are lower case or case-insensitive."""
    if status < 400:
        return Fine()
    message = message_of(body) or f"HTTP {status}"
    if status >= 500:
        return Broken(_retry_after(headers, now) or BROKEN_SECONDS, message)
    if status == 401:
        return Unauthorized(message)
    if status in (403, 429):
        wait = _retry_after(headers, now)
        secondary = any(words in message.lower() for words in _SECONDARY_WORDS)
        if headers.get("x-ratelimit-remaining") == "0" and not secondary:
            return Limited(_until_reset(headers, now), True, message)
        if status == 429 or secondary or wait is not None:
            return Limited(SECONDARY_SECONDS if wait is None else wait, False, message)
    return Refused(status, message)


def classify_query(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Answer:
    """The meaning of GraphQL's answer, whose faults come with 200 as well.

    What is left in ``errors`` of a fine answer concerns what was asked; see ``graphql.data_of``.
    """
    if status >= 400:
        return classify(status, headers, body, now)
    for kind, message in _errors_of(body):
        said = message.lower()
        if any(words in said for words in _SECONDARY_WORDS):
            wait = _retry_after(headers, now)
            return Limited(SECONDARY_SECONDS if wait is None else wait, False, message)
        if kind in _LIMITED_KINDS:
            return Limited(_until_reset(headers, now), True, message)
        if kind in _BROKEN_KINDS or any(words in said for words in _BROKEN_WORDS):
            return Broken(_retry_after(headers, now) or BROKEN_SECONDS, message)
    return Fine()


def _errors_of(body: bytes) -> Iterator[tuple[str, str]]:
    """Type and sentence of each of GraphQL's errors."""
    try:
        told = json.loads(body)
    except ValueError:
        return
    errors = told.get("errors") if isinstance(told, dict) else None
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            yield str(error.get("type") or ""), str(error.get("message") or "")


def message_of(body: bytes) -> str:
    """GitHub's own sentence, with the faults of fields behind it; empty where there is none."""
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    message = str(told.get("message") or "")
    errors = told.get("errors")
    if isinstance(errors, list) and errors:
        message += f" {json.dumps(errors)[:500]}"
    return message[:1000]


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    text = headers.get("retry-after")
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at.astimezone(UTC) - now).total_seconds())


def _until_reset(headers: Mapping[str, str], now: datetime) -> float:
    try:
        at = float(headers.get("x-ratelimit-reset", ""))
    except ValueError:
        return SECONDARY_SECONDS
    return max(1.0, at - now.timestamp() + 1.0)
