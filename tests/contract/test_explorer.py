"""The explorer over the stand-in: what is sent, what comes back, and every way to get nothing.

What the calls themselves can come to is in ``test_reviewer``: both ask by the same.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from bot.adapters.gemini import Gemini, GeminiExplorer
from bot.domain.exploring import Action, ActionKind, ExplorerRequest, Remark
from bot.domain.problems import Limited, TryAgain
from bot.ports.explorer import Explorer
from bot.ports.reviewer import ReviewerProblem
from demo.gemini import explorers, scripts
from demo.gemini.server import KEY, MODEL, Asked, Said, Script, StandInGemini
from demo.github.faults import Fault
from tests.stand_in import at_once

JPEG = b"\xff\xd8\xff"
REQUEST = ExplorerRequest("Be sensible.", "<<<f00d page\n...\nf00d>>>", ("image/jpeg", JPEG))


def click(asked: Asked) -> Said:
    return explorers.said("Next.", "click", ref="e5", findings=[(1, "It is there.")])


@pytest.fixture
async def server() -> AsyncIterator[StandInGemini]:
    async with StandInGemini(click) as it:
        yield it


@pytest.fixture
def explorer(server: StandInGemini) -> Explorer:
    return GeminiExplorer(Gemini(at_once, KEY, MODEL, server.url, call_seconds=0.5))


async def test_a_step(server: StandInGemini, explorer: Explorer) -> None:
    answer = await explorer.next(REQUEST)
    assert answer.proposal.action == Action(ActionKind.CLICK, "e5")
    assert answer.proposal.findings == (Remark(1, "It is there."),)
    assert answer.tokens > 0
    assert answer.model == MODEL
    (asked,) = server.asked
    assert (asked.system, asked.turns) == ("Be sensible.", [f"{REQUEST.text}\nThe window:"])
    assert asked.pictures == [("image/jpeg", JPEG)]
    assert asked.schema["required"] == ["note", "findings", "action"]
    assert explorers.explores(asked)


async def test_no_picture_goes_where_there_is_none(
    server: StandInGemini, explorer: Explorer
) -> None:
    await explorer.next(ExplorerRequest("x", "y"))
    (asked,) = server.asked
    assert (asked.turns, asked.pictures) == (["y"], [])


async def test_one_repair(server: StandInGemini, explorer: Explorer) -> None:
    server.script = lambda asked: click(asked) if asked.is_repair else scripts.garbage(asked)
    answer = await explorer.next(REQUEST)
    assert answer.proposal.note == "Next."
    first, second = server.asked
    assert "the answer is not JSON" in second.turns[2]
    assert second.pictures == first.pictures
    server.script = click
    assert answer.tokens > (await explorer.next(REQUEST)).tokens, "both answers are counted"


@pytest.mark.parametrize(
    ("script", "fault", "calls"),
    [
        pytest.param(scripts.garbage, "bad_answer", 2, id="garbage"),
        pytest.param(lambda _: Said("{}"), "bad_answer", 2, id="nothing in it"),
        pytest.param(
            lambda _: Said(json.dumps({"note": "", "findings": [], "action": {"kind": "merge"}})),
            "bad_answer",
            2,
            id="an action that there is not",
        ),
        pytest.param(lambda _: Said("{", finish="MAX_TOKENS"), "truncated", 2, id="cut short"),
        pytest.param(scripts.refusing, "refused", 1, id="safety"),
        pytest.param(scripts.blocking, "blocked", 1, id="blocked page"),
    ],
)
async def test_answers_that_are_none(
    server: StandInGemini, explorer: Explorer, script: Script, fault: str, calls: int
) -> None:
    server.script = script
    with pytest.raises(ReviewerProblem) as told:
        await explorer.next(REQUEST)
    assert told.value.fault == fault
    assert told.value.tokens > 0
    assert len(server.asked) == calls


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fault.BROKEN, TryAgain), (Fault.HANG, TryAgain), (Fault.TOO_MANY, Limited)],
)
async def test_passing_faults(
    server: StandInGemini, explorer: Explorer, fault: Fault, kind: type[TryAgain]
) -> None:
    server.faults.hang_seconds = 1.0
    server.faults.choose = lambda _number, _method, _path: fault
    with pytest.raises(TryAgain) as told:
        await explorer.next(REQUEST)
    assert type(told.value) is kind
