"""The Gemini adapter over the stand-in: every way in which a model answers, or does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest

from bot.adapters.gemini import Gemini, GeminiReviewer
from bot.adapters.pacing import Pace
from bot.domain.analysis import Evidence, EvidenceKind, Place, ReviewRequest, Statement
from bot.domain.problems import Limited, TryAgain
from bot.policy.analysis import CATEGORIES
from bot.ports.reviewer import Reviewer, ReviewerFault, ReviewerProblem
from demo.gemini import scripts
from demo.gemini.server import KEY, MODEL, RETRY_SECONDS, Asked, Said, Script, StandInGemini
from demo.github.faults import Fault
from tests.stand_in import at_once

PNG = b"\x89PNG\r\n\x1a\n"
PROMPT = """\
<<<f00d E1 stage of build
The validation failed: it did
f00d>>>

<<<f00d E2 finding of build at src/app.ts:3:7
failure: Type 'string' is not assignable (TS2322)
f00d>>>
"""
PICTURE = Evidence("E3", EvidenceKind.SCREENSHOT, media_type="image/png", content=PNG)
REQUEST = ReviewRequest("Be sensible.", PROMPT, (PICTURE,), CATEGORIES)
Make = Callable[..., Reviewer]


@pytest.fixture
async def server() -> AsyncIterator[StandInGemini]:
    async with StandInGemini(scripts.sensible) as it:
        yield it


@pytest.fixture
def make(server: StandInGemini) -> Make:
    def made(key: str = KEY, model: str = MODEL, pace: Pace = at_once) -> Reviewer:
        return GeminiReviewer(Gemini(pace, key, model, server.url, call_seconds=0.5))

    return made


async def test_a_review(server: StandInGemini, make: Make) -> None:
    review = await make().review(REQUEST)
    assert review.category == Statement("code", ("E2",))
    assert review.root_cause is not None
    assert "not assignable" in review.root_cause.text
    assert review.where == Place("src/app.ts", 3, ("E2",))
    assert (review.confidence, review.model) == (0.9, MODEL)
    assert review.tokens > 0


async def test_what_is_sent(server: StandInGemini, make: Make) -> None:
    await make().review(REQUEST)
    (asked,) = server.asked
    assert asked.system == "Be sensible."
    assert asked.turns == [f"{PROMPT}\nPicture E3:"]
    assert asked.pictures == [("image/png", PNG)]
    assert asked.schema["required"] == ["category", "root_cause", "recommended_fix", "confidence"]
    category = asked.schema["properties"]["category"]["properties"]["text"]
    assert category["enum"] == list(CATEGORIES)
    assert asked.body["generationConfig"]["maxOutputTokens"] > 1000


async def test_enums_as_words_are_understood_too(server: StandInGemini, make: Make) -> None:
    """As the API answers who does not ask for numbers."""
    body = b'{"candidates": [{"finishReason": "SAFETY"}], "modelVersion": "x", "new": [1]}'
    server.script = lambda _asked: Said(raw=body)
    with pytest.raises(ReviewerProblem) as told:
        await make().review(REQUEST)
    assert told.value.fault is ReviewerFault.REFUSED


async def test_one_repair(server: StandInGemini, make: Make) -> None:
    server.script = scripts.corrected
    review = await make().review(REQUEST)
    assert review.where == Place("src/app.ts", 3, ("E2",))
    first, second = server.asked
    assert first.turns[0] == second.turns[0]
    assert second.turns[1].startswith("Sure!")
    assert "the answer is not JSON" in second.turns[2]
    assert second.pictures == first.pictures
    server.script = scripts.sensible
    assert review.tokens > (await make().review(REQUEST)).tokens, "both answers are counted"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "not a JSON object"),
        ("{}", "`category` is not an object"),
        ('{"category": "code"}', "`category` is not an object"),
        ('{"root_cause": {"text": "x", "evidence": [1]}}', "`root_cause.evidence`"),
        ('{"where": 7}', "`where` is neither"),
        ('{"where": {"file": "a", "line": "3", "evidence": []}}', "`where.line`"),
        ('{"confidence": true}', "`confidence` is not a number"),
    ],
)
async def test_a_form_that_was_not_asked_for_is_told_to_the_model(
    server: StandInGemini, make: Make, text: str, problem: str
) -> None:
    server.script = lambda asked: scripts.sensible(asked) if asked.is_repair else Said(text)
    await make().review(REQUEST)
    assert problem in server.asked[1].turns[-1]


@pytest.mark.parametrize(
    ("script", "fault", "calls"),
    [
        pytest.param(scripts.garbage, "bad_answer", 2, id="garbage"),
        pytest.param(scripts.empty, "bad_answer", 2, id="empty"),
        pytest.param(lambda _: Said(raw=b"{}"), "bad_answer", 2, id="no candidate"),
        pytest.param(scripts.truncated, "truncated", 2, id="cut short"),
        pytest.param(lambda _: Said(finish="MAX_TOKENS"), "truncated", 2, id="thought too long"),
        pytest.param(scripts.refusing, "refused", 1, id="safety"),
        pytest.param(lambda _: Said(finish="RECITATION"), "refused", 1, id="recitation"),
        pytest.param(scripts.blocking, "blocked", 1, id="blocked prompt"),
    ],
)
async def test_answers_that_are_none(
    server: StandInGemini, make: Make, script: Script, fault: str, calls: int
) -> None:
    server.script = script
    with pytest.raises(ReviewerProblem) as told:
        await make().review(REQUEST)
    assert told.value.fault == fault
    assert len(server.asked) == calls


@pytest.mark.parametrize(
    ("fault", "kind", "calls"),
    [
        (Fault.BROKEN, TryAgain, 1),
        (Fault.HANG, TryAgain, 1),
        (Fault.DROPPED, TryAgain, 2),
        (Fault.LOST_ANSWER, TryAgain, 2),
        (Fault.TOO_MANY, Limited, 1),
    ],
)
async def test_passing_faults(
    server: StandInGemini, make: Make, fault: Fault, kind: type[TryAgain], calls: int
) -> None:
    server.faults.hang_seconds = 1.0
    server.faults.choose = lambda _number, _method, _path: fault
    with pytest.raises(TryAgain) as told:
        await make().review(REQUEST)
    assert type(told.value) is kind
    assert 1 <= len(server.faults.calls) <= calls, "the library's own retry is off"
    if kind is Limited:
        assert told.value.after == RETRY_SECONDS


async def test_no_json_at_all_may_pass(server: StandInGemini, make: Make) -> None:
    server.script = scripts.no_json_at_all
    with pytest.raises(TryAgain):
        await make().review(REQUEST)


async def test_an_answer_that_never_ends_is_not_waited_for() -> None:
    """The library's timeout is between two bytes: a byte now and then would hold it for ever."""
    done = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        try:
            while not done.is_set():
                writer.write(b" ")
                await writer.drain()
                try:
                    await asyncio.wait_for(done.wait(), 0.05)
                except TimeoutError:
                    continue
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    slow = GeminiReviewer(Gemini(at_once, KEY, MODEL, url, call_seconds=0.2, grace_seconds=0.2))
    try:
        with pytest.raises(TryAgain, match="in time"):
            await slow.review(REQUEST)
    finally:
        done.set()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (Fault.UNAUTHORIZED, "unauthorized"),
        (Fault.NOT_FOUND, "unknown_model"),
        (Fault.UNPROCESSABLE, "invalid"),
    ],
)
async def test_refusals_of_the_api(
    server: StandInGemini, make: Make, fault: Fault, wanted: str
) -> None:
    server.faults.choose = lambda _number, _method, _path: fault
    with pytest.raises(ReviewerProblem) as told:
        await make().review(REQUEST)
    assert told.value.fault == wanted


async def test_wrong_key_wrong_model_no_key(
    server: StandInGemini, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReviewerProblem, match="API key not valid") as told:
        await make(key="AIza-another").review(REQUEST)
    assert told.value.fault is ReviewerFault.UNAUTHORIZED
    with pytest.raises(ReviewerProblem, match="is not found") as told:
        await make(model="gemini-none").review(REQUEST)
    assert told.value.fault is ReviewerFault.UNKNOWN_MODEL
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    with pytest.raises(ReviewerProblem) as told:
        await make(key="").review(REQUEST)
    assert told.value.fault is ReviewerFault.NO_KEY
    assert not server.asked


async def test_a_pace_of_its_own(server: StandInGemini, make: Make) -> None:
    names: list[str] = []

    async def full(name: str) -> None:
        names.append(name)
        raise Limited("enough", after=20)

    with pytest.raises(Limited, match="enough"):
        await make(pace=full).review(REQUEST)
    assert names == ["gemini"]
    assert not server.faults.calls


def _said(error: BaseException | None) -> Iterator[str]:
    """All that can be read of an error, and of what it came from."""
    while error is not None:
        yield str(error)
        yield repr(vars(error))
        yield from map(str, error.args)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("fault", [None, *Fault])
async def test_no_error_carries_the_key(
    server: StandInGemini, make: Make, fault: Fault | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "AIza-secret/key"
    server.faults.hang_seconds = 1.0
    server.faults.choose = lambda _number, _method, _path: fault
    monkeypatch.setattr(
        "demo.gemini.server._ANSWERS",
        {it: (status, "X", f"no: {key}") for it, status in
         ((Fault.UNAUTHORIZED, 401), (Fault.TOO_MANY, 429), (Fault.BROKEN, 500))},
    )  # fmt: skip
    with pytest.raises((TryAgain, ReviewerProblem)) as told:
        await make(key=key).review(REQUEST)
    assert not [text for text in _said(told.value) if key in text]
    assert told.value.__context__ is None, "the library's errors hold the request"


async def _post(server: StandInGemini, body: dict[str, Any], query: str = "") -> tuple[int, Any]:
    url = f"{server.url}/v1beta/models/{MODEL}:generateContent{query}"
    async with (
        aiohttp.ClientSession(headers={"x-goog-api-key": KEY}) as session,
        session.post(url, json=body) as response,
    ):
        return response.status, await response.json()


BODY: dict[str, Any] = {
    "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
    "systemInstruction": {"parts": [{"text": "x"}]},
    "generationConfig": {
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT"},
    },
}


async def test_the_stand_in_holds_to_the_apis_form(server: StandInGemini) -> None:
    status, told = await _post(server, BODY)
    assert (status, told["candidates"][0]["finishReason"]) == (200, "STOP")
    _, told = await _post(server, BODY, "?$alt=json;enum-encoding%3Dint")
    assert told["candidates"][0]["finishReason"] == 1
    for key in ("additionalProperties", "$ref"):
        schema = {"type": "OBJECT", "properties": {"a": {key: "x"}}}
        config = BODY["generationConfig"] | {"responseSchema": schema}
        status, told = await _post(server, BODY | {"generationConfig": config})
        assert (status, told["error"]["status"]) == (400, "INVALID_ARGUMENT")
    status, _ = await _post(server, BODY | {"contents": []})
    assert status == 400


async def test_a_broken_script_is_told() -> None:
    def broken(asked: Asked) -> Said:
        raise LookupError(asked.model)

    with pytest.raises(LookupError):
        async with StandInGemini(broken) as server:
            assert (await _post(server, BODY))[0] == 500
