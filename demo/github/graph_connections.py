"""GraphQL's pages: connections with cursors, within GitHub's bounds."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST = 100


class Wrong(Exception):
    """An error of GraphQL, with the word that GitHub gives it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class PageInfo:
    """Where a page begins and ends, and what is beside it."""

    start_cursor: str | None
    end_cursor: str | None
    has_previous_page: bool
    has_next_page: bool


@dataclass(frozen=True)
class Connection:
    """A page of a list, and how long the whole list is."""

    nodes: Sequence[Any]
    page_info: PageInfo
    total_count: int


def connection(
    name: str,
    items: Sequence[Any],
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
) -> Connection:
    """The part of a list that is asked for. Raises Wrong where none is, or too much."""
    if first is None and last is None:
        message = f"You must provide a `first` or `last` value to properly paginate the `{name}`"
        raise Wrong("MISSING_PAGINATION_BOUNDARIES", f"{message} connection.")
    for bound, size in (("first", first), ("last", last)):
        if size is not None and size > MOST:
            message = f"Requesting {size} records on the `{name}` connection exceeds the `{bound}`"
            raise Wrong("EXCESSIVE_PAGINATION", f"{message} limit of {MOST} records.")
    start = _place(after) + 1 if after else 0
    end = min(_place(before), len(items)) if before else len(items)
    if first is not None:
        end = min(end, start + first)
    if last is not None:
        start = max(start, end - last)
    nodes = items[start:end]
    info = PageInfo(
        _cursor(start) if nodes else None,
        _cursor(end - 1) if nodes else None,
        has_previous_page=start > 0,
        has_next_page=end < len(items),
    )
    return Connection(nodes, info, len(items))


def _cursor(place: int) -> str:
    return base64.b64encode(f"cursor:v2:{place}".encode()).decode()


def _place(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("cursor:v2:"))
    except (ValueError, binascii.Error):
        told = f"`{cursor}` does not appear to be a valid cursor."
        raise Wrong("INVALID_CURSOR_ARGUMENTS", told) from None
