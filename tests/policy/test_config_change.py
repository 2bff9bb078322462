"""What a pull request's own configuration file would change."""

from __future__ import annotations

import pytest

from bot.domain.config_parser import ParsedConfig, parse
from bot.policy.config_change import MOST_CHANGES, changes

PATH = ".github/codegenapp.yml"
UNKNOWN = f"`{PATH}` line 1: unknown key `deployment.bild_command`; did you mean `build_command`?"
IN_FORCE = parse("deployment: {build_command: make}\n", PATH)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("deployment: {build_command: make}\n", ()),
        ("# a comment\ndeployment: {build_command: make}\n", ()),
        (
            "deployment: {build_command: make all}\n",
            (
                f"This change of `{PATH}` counts once it is on the default branch. It is valid.",
                "it would change `deployment.build_command` from `make` to `make all`",
            ),
        ),
        (
            "deployment: {bild_command: make}\n",
            (
                f"This change of `{PATH}` counts once it is on the default branch. It has 1 fault.",
                UNKNOWN,
                "it would change `deployment.build_command` from `make` to nothing",
            ),
        ),
    ],
    ids=["the same", "a comment", "a value", "a fault"],
)
def test_sentences(text: str, wanted: tuple[str, ...]) -> None:
    assert changes(IN_FORCE, parse(text, PATH)) == wanted


def test_a_file_that_is_removed() -> None:
    said = changes(IN_FORCE, ParsedConfig())
    assert said[1] == "it would change `deployment.build_command` from `make` to nothing"


def test_many_changes_are_counted() -> None:
    variables = "".join(f"    V{n}: x\n" for n in range(60))
    text = f"deployment:\n  build_command: make\n  environment_variables:\n{variables}"
    said = changes(IN_FORCE, parse(text, PATH))
    assert len(said) == MOST_CHANGES + 2
    assert said[-1].startswith("it would change ")
