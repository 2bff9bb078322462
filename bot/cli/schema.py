"""``schema``: the JSON Schema of the configuration file, for editors."""

from __future__ import annotations

import json

import typer

from bot.domain.repo_config import json_schema


def schema() -> None:
    """Print the JSON Schema of .github/codegenapp.yml."""
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
