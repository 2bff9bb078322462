"""What a pull request's own configuration file would change, and whether it is valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.config_parser import ParsedConfig

MOST_CHANGES = 20
LONGEST_VALUE = 80


def changes(in_force: ParsedConfig, proposed: ParsedConfig) -> tuple[str, ...]:
    """Sentences for the report; none where both say the same.

    ``in_force`` is the default branch's, which decides; ``proposed`` the validated tree's.
    """
    before, after = _flat(in_force), _flat(proposed)
    differing = [name for name in sorted(before | after) if before.get(name) != after.get(name)]
    problems = [it.sentence for it in proposed.problems]
    if not differing and (not problems or proposed == in_force):
        return ()
    where = proposed.path or in_force.path
    said = [
        f"This change of `{where}` counts once it is on the default branch. "
        + _validity(len(problems))
    ]
    said += [f"`{where}` {problem}" for problem in problems[:MOST_CHANGES]]
    said += [
        f"it would change `{name}` from {_shown(before.get(name))} to {_shown(after.get(name))}"
        for name in differing[:MOST_CHANGES]
    ]
    if len(differing) > MOST_CHANGES:
        said.append(f"it would change {len(differing) - MOST_CHANGES} more keys")
    return tuple(said)


def _flat(parsed: ParsedConfig) -> dict[str, Any]:
    return dict(_leaves(parsed.config.model_dump(mode="json"), ""))


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        return [(path, value)]
    return [
        leaf
        for key, item in value.items()
        for leaf in _leaves(item, f"{path}.{key}" if path else str(key))
    ]


def _shown(value: Any) -> str:
    if value in (None, "", [], {}):
        return "nothing"
    text = str(value).replace("`", "'")
    return f"`{text[:LONGEST_VALUE]}{'…' if len(text) > LONGEST_VALUE else ''}`"


def _validity(faults: int) -> str:
    if not faults:
        return "It is valid."
    return "It has 1 fault." if faults == 1 else f"It has {faults} faults."
