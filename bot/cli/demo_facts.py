"""What the demo looks for in what people and the agent are shown."""

from __future__ import annotations

import base64
import re

from bot.cli.demo_news import SHA, status_comment, tries
from bot.cli.demo_stage import DemoCheck, DemoStage

PNG = b"\x89PNG\r\n\x1a\n"


def all_passed(summary: str, *stages: str) -> bool:
    """Whether a report's table has these stages as passed."""
    return all(re.search(rf"(?m)^\| {it} \| ✅ passed \|", summary) for it in stages)


def places(check: DemoCheck) -> list[str]:
    """Where its annotations stand: ``src/list.ts:35``."""
    return [f"{it['path']}:{it['start_line']}" for it in check.annotations]


def is_picture(uri: str) -> bool:
    """Whether a data URI is a screenshot."""
    kind, _, content = uri.partition(";base64,")
    return kind == "data:image/png" and base64.b64decode(content).startswith(PNG)


def has_tried(on: DemoStage, number: int, path: str, sha: str) -> bool:
    """Whether the status comment tells of one try: the path it changed, the commit it pushed."""
    comment = status_comment(on, number)
    return comment is not None and tries(comment.body) == [(path, f"pushed {sha[:SHA]}")]


def says_merged(on: DemoStage, number: int) -> bool:
    """Whether the status comment of an issue or pull request tells of the merge."""
    comment = status_comment(on, number)
    return comment is not None and "🎉 Merged into main" in comment.body


def explored(check: DemoCheck) -> bool:
    """Whether the check run has what the exploring agent found, with the step that shows it."""
    _, _, told = (check.text or "").partition("### What the exploring agent found")
    return (
        re.search(r"🔎 .*“Milk” is on the page.* \(step \d+: clicked button “Add”\)", told)
        is not None
    )
