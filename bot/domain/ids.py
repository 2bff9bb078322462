"""Ids that are made from what they are for, never drawn: done twice, they are the same."""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/codegenapp")


def derived(*parts: str | int) -> str:
    """The UUID (version 5) of these parts, in its usual text form.

    An effect's parts are its delivery, handler and index.
    """
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(map(str, parts))))
