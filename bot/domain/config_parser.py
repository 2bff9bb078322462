"""Makes a ``RepoConfig`` of the configuration file's text; what is wrong becomes a problem.

A wrong value costs its own key only: the key's default stands and every other key keeps its
value. A wrong item costs the list that it stands in, and a wrong entry of a mapping of names
(variables, secrets, commands) costs that entry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.domain.config_text import Entries, Fault, Items, Node, Scalar, read
from bot.domain.config_words import explain
from bot.domain.repo_config import RepoConfig

MAXIMUM_PROBLEMS = 50

Location = tuple[str | int, ...]


class Source(StrEnum):
    """Where a value comes from; a later one wins."""

    DEFAULT = "default"
    DETECTED = "detected"
    FILE = "file"


@dataclass(frozen=True)
class ConfigProblem:
    """Something of the file that does not count, and why.

    ``line`` counts from 1, None is the whole file; ``key`` is dotted, empty where none is at
    fault; ``nearest`` is what was probably meant, empty where nothing is near.
    """

    path: str
    line: int | None
    key: str
    message: str
    nearest: str = ""

    @property
    def sentence(self) -> str:
        """``line 7: unknown key `deployment.bild_command`; did you mean `build_command`?``."""
        place = f"line {self.line}: " if self.line is not None else ""
        hint = f"; did you mean `{self.nearest}`?" if self.nearest else ""
        return f"{place}{self.message}{hint}"


@dataclass(frozen=True)
class ParsedConfig:
    """The configuration, what was wrong with its file, and where each key's value comes from.

    ``path`` is empty where there is no file. ``sources`` has every key of the schema, dotted.
    """

    config: RepoConfig = field(default_factory=RepoConfig)
    problems: tuple[ConfigProblem, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=lambda: _sources(set()))
    path: str = ""


def parse(text: str, path: str) -> ParsedConfig:
    """The configuration that a file's text means. Never raises."""
    reading = read(text, is_json=path.endswith(".json"))
    problems = [_problem_of(path, fault) for fault in reading.faults]
    root = reading.root
    if isinstance(root, Scalar) and root.empty:
        root = None
    if root is not None and not isinstance(root, Entries):
        message = "must be a mapping of keys such as `deployment:`"
        problems.append(ConfigProblem(path, root.line, "", message))
        root = None
    if root is None:
        return ParsedConfig(problems=tuple(problems), path=path)
    raw = _plain(root)
    assert isinstance(raw, dict)
    config = _bind(raw, root, path, problems)
    problems.sort(key=lambda problem: problem.line or 0)
    if len(problems) > MAXIMUM_PROBLEMS:
        more = f"{len(problems) - MAXIMUM_PROBLEMS} more problems are not listed"
        problems[MAXIMUM_PROBLEMS:] = [ConfigProblem(path, None, "", more)]
    return ParsedConfig(config, tuple(problems), _sources(set(_given(raw))), path)


def keys(model: type[BaseModel] = RepoConfig, prefix: str = "") -> Iterator[str]:
    """Every key of the schema that has a value of its own, dotted."""
    for name, info in model.model_fields.items():
        inner = _section(info.annotation)
        if inner is None:
            yield prefix + name
        else:
            yield from keys(inner, f"{prefix}{name}.")


def _section(annotation: Any) -> type[BaseModel] | None:
    """The model of a field that is a section, optional ones included."""
    choices = (annotation, *get_args(annotation)) if type(None) in get_args(annotation) else ()
    for choice in choices or (annotation,):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            return choice
    return None


def _sources(given: set[str]) -> Mapping[str, Source]:
    found = {key: Source.FILE if key in given else Source.DEFAULT for key in keys()}
    return MappingProxyType(found)


def _given(raw: Mapping[str, Any]) -> Iterator[str]:
    for key in keys():
        place: Any = raw
        for part in key.split("."):
            place = place.get(part, ...) if isinstance(place, dict) else ...
        if place is not ...:
            yield key


def _problem_of(path: str, fault: Fault) -> ConfigProblem:
    return ConfigProblem(path, fault.line, "", fault.message)


def _plain(node: Node, *, keep_empty: bool = False) -> Any:
    """Plain values for the models; an empty value is as good as a key that is not there."""
    match node:
        case Scalar():
            return node.text
        case Items():
            return [_plain(item, keep_empty=True) for item in node.items]
        case Entries():
            return {
                key: _plain(value, keep_empty=key == "environment_variables")
                for key, value in node.values.items()
                if keep_empty or not (isinstance(value, Scalar) and value.empty)
            }


def _bind(
    raw: dict[str, Any], root: Entries, path: str, problems: list[ConfigProblem]
) -> RepoConfig:
    """Validates, takes out what is wrong, and validates again, until nothing is."""
    while True:
        try:
            return RepoConfig.model_validate(raw)
        except ValidationError as wrong:
            errors = wrong.errors(include_url=False)
        deeper = {error["loc"][:end] for error in errors for end in range(len(error["loc"]))}
        removals = [(_culprit(error), error) for error in errors]
        for location, error in removals:
            if not _echo(error, deeper):
                problems.append(_problem(path, location, error, root))
        removed = [_remove(raw, _whole(location, error)) for location, error in removals]
        if not any(removed):
            return RepoConfig()


def _culprit(error: ErrorDetails) -> Location:
    """Where the fault lies, to the item; a conflict of two keys names the one that gives way."""
    location = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "conflict":
        return (*location, error["ctx"]["key"])
    return location


def _echo(error: ErrorDetails, deeper: Collection[Location]) -> bool:
    """The same fault again: a list too short, or a value wrong, only for what is in it or its key.

    ``deeper`` are the places that hold another fault within.
    """
    return error["type"] in {"too_short", "literal_error"} and error["loc"] in deeper


def _whole(location: Location, error: ErrorDetails) -> Location:
    """What gives way: an unknown key alone, else the list that the fault is in, else the key."""
    if error["type"] == "extra_forbidden":
        return location
    first = next((at for at, part in enumerate(location) if isinstance(part, int)), None)
    return location[:first]


def _remove(raw: Any, location: Location) -> bool:
    """Take a place out of the plain values; says whether it was there."""
    for part in location[:-1]:
        inside = isinstance(raw, dict) and part in raw
        if not inside and not (isinstance(raw, list) and part in range(len(raw))):
            return False
        raw = raw[part]
    return isinstance(raw, dict) and raw.pop(location[-1], ...) is not ...


def _problem(path: str, location: Location, error: ErrorDetails, root: Entries) -> ConfigProblem:
    key = _dotted(location)
    line = _line(root, location)
    if error["type"] == "extra_forbidden":
        nearest = _nearest_key(location)
        return ConfigProblem(path, line, key, f"unknown key `{key}`", nearest)
    reason, nearest = explain(error)
    if nearest and error["loc"][-1] == "[key]":
        return ConfigProblem(path, line, key, f"unknown key `{key}`", nearest)
    return ConfigProblem(path, line, key, f"`{key}` {reason}", nearest)


def _dotted(location: Location) -> str:
    """``sandbox.services[0].image``; what a file calls its keys may be long, so it is cut."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")[:120].replace("`", "'").replace("\n", " ")


def _line(root: Entries, location: Location) -> int:
    """The line of the deepest part of a location that the file has."""
    node: Node | None = root
    line = root.line
    for part in location:
        if isinstance(node, Entries) and str(part) in node.values:
            line = node.key_lines[str(part)]
            node = node.values[str(part)]
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            line = node.line
        else:
            break
    return line


def _nearest_key(location: Location) -> str:
    """The key that was probably meant: beside the unknown one, or of its name elsewhere."""
    model: type[BaseModel] | None = RepoConfig
    for part in location[:-1]:
        if model is None or isinstance(part, int):
            continue
        model = _inner(model, part)
    name = str(location[-1])
    beside = list(model.model_fields) if model is not None else []
    elsewhere = (key for key in _EVERY_KEY if key.rpartition(".")[2] == name.rpartition(".")[2])
    close = get_close_matches(name[:60], beside, n=1)
    return next(elsewhere, close[0] if close else "")


def _inner(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model of a field, or of the items of a list of models."""
    info = model.model_fields.get(name)
    if info is None:
        return None
    section = _section(info.annotation)
    if section is not None:
        return section
    return next((it for it in map(_section, get_args(info.annotation)) if it is not None), None)


_EVERY_KEY = tuple(keys())
NO_FILE = ParsedConfig()
