"""``paths_ignore``: patterns as GitHub's workflows have them."""

from __future__ import annotations

import pytest

from bot.policy.paths import all_match


@pytest.mark.parametrize(
    ("paths", "patterns", "wanted"),
    [
        (["docs/a.md"], ["docs/**"], True),
        (["docs/deep/er/a.md"], ["docs/**"], True),
        (["docs/.hidden"], ["docs/**"], True),
        (["src/docs/a.md"], ["docs/**"], False),
        (["src/docs/a.md"], ["**/docs/**"], True),
        (["README.md"], ["*.md"], True),
        (["docs/README.md"], ["*.md"], False),
        (["docs/README.md"], ["**.md", "**/*.md"], True),
        (["docs/a.md", "src/a.py"], ["docs/**"], False),
        (["docs/a.md", "LICENSE"], ["docs/**", "LICENSE"], True),
        (["docs/api/a.md"], ["docs/**", "!docs/api/**"], False),
        ([], ["docs/**"], False),
        (["docs/a.md"], [], False),
        (["docs/a.md"] * 3000, ["docs/**"], False),
    ],
)
def test_all_match(paths: list[str], patterns: list[str], wanted: bool) -> None:
    assert all_match(paths, patterns) is wanted
