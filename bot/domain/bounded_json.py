"""Frozen dataclasses to JSON and back, where the JSON may come from somebody who wishes us ill.

Reading refuses wrong types and cuts what is too long: a text after ``LONGEST_TEXT`` characters, a
list after ``LONGEST_LIST`` items. Half of a character becomes a replacement character. Unknown keys
are passed over, missing ones take their default.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Hashable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

LONGEST_TEXT = 2000
LONGEST_LIST = 500
LARGEST_NUMBER = 10**15

T = TypeVar("T")


class NotInShape(ValueError):
    """A value is not of the type that its field has."""


def read(cls: type[T], value: object) -> T:
    """An instance of a dataclass from its JSON. Raises NotInShape."""
    if not isinstance(value, Mapping):
        raise NotInShape(f"{cls.__name__} is no object")
    given: dict[str, Any] = {}
    hints = _hints(cast(Hashable, cls))
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # only dataclasses are read
        if field.name in value:
            where = f"{cls.__name__}.{field.name}"
            given[field.name] = _read(hints[field.name], value[field.name], where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise NotInShape(f"{cls.__name__}.{field.name} is missing")
    return cls(**given)


def plain(value: Any) -> Any:
    """The JSON of an instance."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value


def mapped(instance: T, change: Callable[[str], str]) -> T:
    """The same instance with every text of it changed; words of an enum stay."""
    return _mapped(instance, change)  # type: ignore[no-any-return]  # of the type that it was


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field.name for field in dataclasses.fields(value))
        return dataclasses.replace(
            value, **{name: _mapped(getattr(value, name), change) for name in fields}
        )
    if isinstance(value, tuple):
        return tuple(_mapped(item, change) for item in value)
    return change(value) if isinstance(value, str) and not isinstance(value, StrEnum) else value


@cache
def _hints(cls: Hashable) -> dict[str, Any]:
    return get_type_hints(cls)


def _read(kind: Any, value: object, where: str) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        if value is None:
            return None
        (kind,) = (it for it in get_args(kind) if it is not types.NoneType)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise NotInShape(f"{where} is no list")
        return tuple(_read(get_args(kind)[0], item, where) for item in value[:LONGEST_LIST])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return read(kind, value)
    return _scalar(kind, value, where)


def encodable(text: str) -> str:
    """A text without halves of characters, which JSON can carry and no encoding can write."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _scalar(kind: Any, value: object, where: str) -> Any:
    if kind is bool and isinstance(value, bool):
        return value
    if isinstance(value, str) and issubclass(kind, str):
        if not issubclass(kind, StrEnum):
            return encodable(value[:LONGEST_TEXT])
        if value in {item.value for item in kind}:
            return kind(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and kind in (int, float) and (kind is float or isinstance(value, int)):
        assert isinstance(value, int | float)
        if -LARGEST_NUMBER < value < LARGEST_NUMBER:  # neither infinite nor not a number
            return kind(value)
    raise NotInShape(f"{where} is not of its type")
