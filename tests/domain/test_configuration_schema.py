"""The JSON Schema that editors use, and the page made from it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot.domain.repo_config import RepoConfig, json_schema

DOCS = Path(__file__).parents[2] / "docs"


def test_the_schema_is_one() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"]
    for definition in (schema, *schema["$defs"].values()):
        assert definition["additionalProperties"] is False
        for prop in definition["properties"].values():
            section = prop.get("$ref", "#/$defs/").rpartition("/")[2]
            assert prop.get("description") or schema["$defs"][section]["description"]


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        pytest.param("{}", True, id="empty"),
        pytest.param("deployment: {port: 3000}", True, id="port"),
        pytest.param("deployment: {port: 70000}", False, id="port too high"),
        pytest.param("deployment: {prot: 3000}", False, id="unknown key"),
        pytest.param("deployment: {environment_variables: {1A: x}}", False, id="variable's name"),
        pytest.param("validation: {merge_method: fast}", False, id="choice"),
        pytest.param("commands: {merge: maintain}", True, id="command"),
        pytest.param("commands: {mrge: maintain}", False, id="unknown command"),
        pytest.param("web_evaluation: {flows: [{name: a, steps: [{goto: /}]}]}", True, id="flow"),
        pytest.param(
            "web_evaluation: {flows: [{name: a, steps: [{goto: /, click: b}]}]}",
            False,
            id="step with two verbs",
        ),
    ],
)
def test_an_editor_sees_what_the_parser_sees(text: str, valid: bool) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(yaml.safe_load(text)) is valid


def test_the_defaults_fulfil_the_schema() -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(RepoConfig().model_dump(mode="json"))


def test_the_page_is_current() -> None:
    """Else: ``python docs/generate_configuration.py``."""
    page = _generator("generate_configuration").render(json_schema())
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == page


def test_the_page_of_commands_is_current() -> None:
    """Else: ``python docs/generate_commands.py``."""
    page = _generator("generate_commands").render()
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == page


def _generator(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
