"""Reads YAML or JSON into a tree that remembers its lines and leaves every scalar as written.

Scalars stay text, so that ``port: 3000``, ``PORT: "3000"`` and ``country: no`` mean what their
key says, not what YAML 1.1 takes them for. Aliases, tags, merge keys, several documents, repeated
keys and texts that are too large or too deep are faults: each is one the author can mend, and
none costs more than the text's own length.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import yaml

MAXIMUM_CHARACTERS = 128 * 1024
MAXIMUM_DEPTH = 32


@dataclass(frozen=True)
class Scalar:
    """One value as written; ``empty`` where the file has nothing, ``~`` or ``null`` there."""

    text: str
    line: int
    empty: bool = False


@dataclass
class Items:
    """A list."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass
class Entries:
    """A mapping; ``key_lines`` are those of its keys."""

    line: int
    values: dict[str, Node] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)


Node = Scalar | Items | Entries


@dataclass(frozen=True)
class Fault:
    """Something that cannot be read as meant; ``line`` counts from 1, None is the whole file."""

    line: int | None
    message: str


@dataclass(frozen=True)
class Reading:
    """The tree, None where there is none (an empty file, or a fault that leaves nothing)."""

    root: Node | None
    faults: tuple[Fault, ...] = ()


class _Unreadable(Exception):
    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(line, message)


def read(text: str, *, is_json: bool = False) -> Reading:
    """The tree of a text. Never raises: what cannot be read is a fault with its line."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAXIMUM_CHARACTERS:
        size = f"{MAXIMUM_CHARACTERS // 1024} KiB"
        return Reading(
            None, (Fault(None, f"the file is larger than {size}; nothing of it counts"),)
        )
    builder = _Builder()
    try:
        if is_json:
            text = _as_yaml(text)
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            builder.take(event)
    except _Unreadable as unreadable:
        return Reading(None, (*builder.faults, unreadable.fault))
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else None
        message = f"not valid YAML: {fault.problem or fault.context}"
        return Reading(None, (*builder.faults, Fault(line, message)))
    except yaml.reader.ReaderError as fault:
        line = text.count("\n", 0, fault.position) + 1
        message = "not valid YAML: a control character or half of a character is not allowed"
        return Reading(None, (*builder.faults, Fault(line, message)))
    except (yaml.YAMLError, ValueError, ArithmeticError):
        # An escape or version number out of range makes PyYAML raise what is no YAMLError.
        return Reading(None, (*builder.faults, Fault(None, "not valid YAML")))
    return Reading(builder.root, tuple(builder.faults))


def _as_yaml(text: str) -> str:
    """JSON as YAML reads it: JSON's tabs between values become spaces. Raises _Unreadable."""
    if not text.strip():
        return ""
    try:
        json.loads(text)
    except json.JSONDecodeError as fault:
        raise _Unreadable(fault.lineno, f"not valid JSON: {fault.msg}") from None
    except (RecursionError, ValueError):
        raise _Unreadable(None, f"nested deeper than {MAXIMUM_DEPTH} levels") from None
    return text.replace("\t", " ")


@dataclass
class _Builder:
    """Takes PyYAML's events one by one; a stack instead of recursion bounds the depth."""

    root: Node | None = None
    faults: list[Fault] = field(default_factory=list)
    stack: list[Items | Entries] = field(default_factory=list)
    keys: list[Scalar | None] = field(default_factory=list)
    documents: int = 0
    unwanted: int = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise _Unreadable(line, "holds more than one document; one is read")
            case yaml.AliasEvent():
                raise _Unreadable(line, f"aliases (*{event.anchor}) are not read: write it out")
            case yaml.ScalarEvent():
                self._tagged(event.tag, line)
                self._add(_scalar(event, line))
            case yaml.SequenceStartEvent():
                self._open(Items(line), event.tag, line)
            case yaml.MappingStartEvent():
                self._open(Entries(line), event.tag, line)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self.stack.pop()
                self.keys.pop()

    def _tagged(self, tag: str | None, line: int) -> None:
        if tag not in {None, "!"}:
            self.faults.append(Fault(line, f"the tag `{tag}` is not read: the key says the type"))

    def _open(self, node: Items | Entries, tag: str | None, line: int) -> None:
        self._tagged(tag, line)
        if len(self.stack) >= MAXIMUM_DEPTH:
            raise _Unreadable(line, f"nested deeper than {MAXIMUM_DEPTH} levels")
        self._add(node)
        self.stack.append(node)
        self.keys.append(None)

    def _add(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent, key = self.stack[-1], self.keys[-1]
        if isinstance(parent, Items):
            parent.items.append(node)
        elif key is None:
            self.keys[-1] = self._key(node)
        else:
            self.keys[-1] = None
            if key.text in parent.values:
                first = parent.key_lines[key.text]
                message = f"`{key.text}` was set on line {first} already; the first counts"
                self.faults.append(Fault(key.line, message))
            else:
                parent.values[key.text] = node
                parent.key_lines[key.text] = key.line

    def _key(self, node: Node) -> Scalar:
        if isinstance(node, Scalar):
            return node
        raise _Unreadable(node.line, "a key must be plain text, not a list or a mapping")


def _scalar(event: yaml.ScalarEvent, line: int) -> Scalar:
    plain = event.style is None
    empty = plain and event.value in {"", "~", "null", "Null", "NULL"}
    return Scalar("" if empty else _whole_characters(event.value), line, empty)


def _whole_characters(text: str) -> str:
    """JSON writes some characters as two escapes, which YAML leaves apart as halves."""
    if re.search("[\ud800-\udfff]", text) is None:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
