"""Writes ``docs/commands.md`` from the table: ``python docs/generate_commands.py``.

The sentences are those of ``bot/domain/commands.py``; a test holds that the page is current.
"""

from __future__ import annotations

from pathlib import Path

from bot.domain.commands import COMMANDS, MOST_COMMANDS, CommandSpec

PAGE = Path(__file__).with_name("commands.md")

HEAD = f"""# Slash commands

<!-- Made by docs/generate_commands.py from the table. Change the sentences in
bot/domain/commands.py. -->

Write a command in a comment on an issue or pull request, in a review or in an inline review
comment: at the start of a line, one a line, up to {MOST_COMMANDS} in a comment. `/codegen` and a
mention of the App (`@app-slug`) are the same.

- A goal, message, hint or reason goes on over the following lines, to the next command.
- `/codegen GOAL…` without a verb starts a run where the goal has two words or more; one unknown
  word is taken for a slip, and answered with the nearest command.
- Code, quotes, lists, tables, headings, links, emphasis and HTML comments carry no commands, nor
  does an edit of a comment, nor any bot.
- An authorised command gets 👀, then 🚀 or 😕. What needs words gets one reply.
- `commands:` in the [configuration](configuration.md) changes who may give a command.

| command | who | does |
|---|---|---|
"""


def render() -> str:
    """The page, as Markdown."""
    return HEAD + "".join(f"{_row(spec)}\n" for spec in COMMANDS.values())


def _row(spec: CommandSpec) -> str:
    later = "" if spec.is_there else " *Not there yet.*"
    return f"| `{spec.written}` | {spec.least} | {spec.does}{later} |"


if __name__ == "__main__":
    PAGE.write_text(render())
