"""An exploration as templates see it: plain texts in reading order, nothing of them defused yet.

Its words come from a model and from pages, and are handled as a stranger's are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.adapters.duration import duration
from bot.domain.exploring import Exploration, ExploredStep
from bot.domain.log_text import one_line
from bot.domain.validations import AttachmentReference
from bot.policy.exploring import outcome_words


@dataclass(frozen=True)
class ShownStep:
    """A step in words. ``url`` is empty where it is that of the step before.

    ``picture`` is the screenshot's, None where none was kept.
    """

    number: int
    did: str
    came: str
    note: str
    url: str
    complaints: Sequence[str]
    picture: AttachmentReference | None


@dataclass(frozen=True)
class ShownExploration:
    """An exploration in words; ``findings`` have a text and the step that shows it, in words."""

    task: str
    outcome: str
    ended: str
    findings: Sequence[tuple[str, str]]
    not_verified: Sequence[str]
    steps: Sequence[ShownStep]
    dropped: Sequence[str]
    cost: str


def shown_exploration(
    exploration: Exploration | None, attachments: Sequence[AttachmentReference] = ()
) -> ShownExploration | None:
    """The view of an exploration; None where there was none. Every text is one plain line."""
    if exploration is None or not exploration.steps:
        return None
    kept = {it.name: it for it in attachments}
    did = {it.number: f"step {it.number}: {one_line(it.did)}" for it in exploration.steps}
    return ShownExploration(
        task=one_line(exploration.task),
        outcome=outcome_words(exploration.outcome) if exploration.outcome else "",
        ended=one_line(exploration.ended),
        findings=tuple(
            (one_line(it.text), did[it.step]) for it in exploration.findings if it.step in did
        ),
        not_verified=tuple(map(one_line, exploration.not_verified)),
        steps=tuple(
            _step(it, kept, moved=before is None or it.url != before.url)
            for before, it in pairwise((None, *exploration.steps))
            if it is not None
        ),
        dropped=tuple(map(one_line, exploration.dropped)),
        cost=_cost(exploration),
    )


def _step(it: ExploredStep, kept: Mapping[str, AttachmentReference], *, moved: bool) -> ShownStep:
    return ShownStep(
        it.number,
        one_line(it.did),
        one_line(it.came),
        one_line(it.note),
        one_line(it.url) if moved else "",
        tuple(map(one_line, it.complaints)),
        kept.get(it.picture),
    )


def _cost(exploration: Exploration) -> str:
    model = one_line(exploration.model) or "Gemini"
    tokens = f", {exploration.tokens:,} tokens" if exploration.tokens else ""
    return f"{model}, {duration(exploration.seconds)}{tokens}"
