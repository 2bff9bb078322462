"""The command line: one typer application of all commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import typer

from bot.cli import demo, doctor, explain, replay, serve, validate
from bot.cli.schema import schema
from bot.cli.wiring import Wiring

Command = Callable[..., None]


def make_application(wiring: Wiring) -> typer.Typer:
    """The commands, with what they need."""
    application = typer.Typer(
        name="codegenapp",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Validates changes in an isolated sandbox, and tells what it saw.",
    )
    for name, command in (
        ("serve", serve.command(wiring)),
        ("validate", validate.command(wiring)),
        ("explain", explain.command(wiring)),
        ("doctor", doctor.command(wiring)),
        ("replay", replay.command(wiring)),
        ("demo", demo.command(wiring)),
        ("schema", schema),
    ):
        application.command(name)(cast(Command, command))
    return application
