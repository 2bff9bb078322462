"""Frozen dataclasses to documents and back, by their types alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

from pydantic import TypeAdapter

from bot.domain.bounded_json import encodable

T = TypeVar("T")

Document = dict[str, Any]


def to_document(value: Any) -> Any:
    """A value as the database takes it: enums by their values, sets and tuples as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {it.name: to_document(getattr(value, it.name)) for it in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_document(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(to_document, value))
    if isinstance(value, (list, tuple)):
        return [to_document(item) for item in value]
    return encodable(value) if isinstance(value, str) and not value.isascii() else value


def from_document(kind: type[T], document: Mapping[str, Any]) -> T:
    """The value again; fields that its type does not know are left out."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    value: T = _ADAPTERS[kind].validate_python(document)
    return value


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
