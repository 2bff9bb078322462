"""Writes ``docs/configuration.md`` from the schema: ``python docs/generate_configuration.py``.

The descriptions are those of ``bot/domain/repo_config.py``; a test holds that the page is current.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.domain.repo_config import CONFIG_PATHS, json_schema

PAGE = Path(__file__).with_name("configuration.md")

HEAD = f"""# Configuration of a repository

<!-- Made by docs/generate_configuration.py from the schema. Change the descriptions there. -->

`{CONFIG_PATHS[0]}` (or `{CONFIG_PATHS[1]}`, `{CONFIG_PATHS[2]}`) says how a repository is built,
validated, merged and deployed. Every key is optional. Without the file the stack is detected, and
the report says what was assumed, and from which file.

- A wrong value is reported with its line, and its key's default stands; all other keys keep theirs.
- An unknown key is reported with the nearest known one.
- A key with nothing after it counts as not there. An empty text (`test_command: ""`) switches a
  detected command off.
- Values are read as their key wants them: `PORT: 3000` in `environment_variables` is the text
  `3000`, `no` is the text `no`. Write numbers without a leading zero.
- Aliases, tags and several documents in one file are not read. A file may have 128 KiB.
- The same in JSON is fine. `python app.py schema` prints the JSON Schema for editors.

```yaml
deployment:
  test_command: npm test -- --coverage
  environment_variables: {{NODE_ENV: production}}
validation:
  timeout_minutes: 15
  required_checks: [build_success, tests_pass, deployment_success]
```

## Keys
"""


def render(schema: dict[str, Any]) -> str:
    """The page, as Markdown."""
    sections = []
    for name, prop in schema["properties"].items():
        rows = "\n".join(_rows(prop, name, schema["$defs"]))
        section = _definition(prop, schema["$defs"]) or {}
        description = prop.get("description") or section.get("description", "")
        sections.append(
            f"### `{name}`\n\n{description}\n\n| key | value | default | meaning |\n"
            f"|---|---|---|---|\n{rows}\n"
        )
    return HEAD + "\n" + "\n".join(sections)


def _rows(prop: dict[str, Any], key: str, defs: dict[str, Any]) -> Iterator[str]:
    """A row for a key, or for each key of a section or of a list's items."""
    inner = _definition(prop, defs)
    if inner is not None:
        for name, below in inner["properties"].items():
            yield from _rows(below, f"{key}.{name}", defs)
        return
    item = _definition(prop.get("items", {}), defs)
    default = "" if "default" not in prop or prop["default"] is None else _code(prop["default"])
    yield f"| `{key}` | {_cell(_form(prop))} | {default} | {_cell(prop.get('description', ''))} |"
    if item is not None:
        for name, below in item["properties"].items():
            yield from _rows(below, f"{key}[].{name}", defs)


def _definition(prop: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any] | None:
    for choice in (prop, *prop.get("anyOf", ()), *prop.get("allOf", ())):
        if "$ref" in choice:
            found: dict[str, Any] = defs[choice["$ref"].rpartition("/")[2]]
            return found
    return None


def _form(prop: dict[str, Any]) -> str:
    """What a value looks like, in a few words."""
    choices = [choice for choice in prop.get("anyOf", ()) if choice.get("type") != "null"]
    if choices:
        return " or ".join(_form(choice) for choice in choices)
    if "enum" in prop:
        return " · ".join(f"`{value}`" for value in prop["enum"])
    if "items" in prop:
        return "list" if "$ref" in prop["items"] else f"list of {_form(prop['items'])}"
    if prop.get("type") == "object":
        names = prop.get("propertyNames", {})
        values: dict[str, Any] = prop.get("additionalProperties") or next(
            iter(prop.get("patternProperties", {}).values()), {}
        )
        left = _form(names) if "enum" in names else "name"
        return f"mapping of {left} to {_form(values)}"
    low = prop.get("minimum", prop.get("exclusiveMinimum"))
    high = prop.get("maximum")
    words = {"string": "text", "integer": "whole number", "boolean": "`true` · `false`"}
    kind = words.get(prop.get("type", ""), prop.get("type", "value"))
    return f"{kind}, {low} to {high}" if low is not None and high is not None else kind


def _code(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(render(json_schema()), encoding="utf-8")
