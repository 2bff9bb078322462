"""``GeminiReviewer`` and ``GeminiExplorer``: ``bot.ports.reviewer`` and ``bot.ports.explorer``.

Both through google-generativeai.

The library has ended (decision 0006), and what is odd here is measured: it warns while it is
imported, which is slow; its own retry outlasts its timeout; its asynchronous call does not work
over REST; it refuses parts of JSON Schema and checks no reply. Its configuration belongs to the
process: there is one key and one endpoint.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from limits import RateLimitItemPerMinute

from bot.adapters.pacing import Pace
from bot.domain import exploring
from bot.domain.analysis import Malformed, Review, ReviewRequest, parse, schema
from bot.domain.exploring import ExplorerAnswer, ExplorerRequest
from bot.domain.masking import MASK, forms
from bot.domain.problems import Limited, TryAgain
from bot.ports.explorer import Explorer
from bot.ports.reviewer import Reviewer, ReviewerFault, ReviewerProblem

DEFAULT_MODEL: Final = "gemini-flash-latest"
"""An alias that Google keeps up to date: models are shut down a year after they came."""
DEFAULT_ENDPOINT: Final = "https://generativelanguage.googleapis.com"
CALLS = (RateLimitItemPerMinute(9),)
"""The least that a key without payment may ask is 10 in a minute."""
EXPLORING_CALLS = (RateLimitItemPerMinute(7),)
"""An exploration asks many times: some are left for those who want a failure explained."""
CALL_SECONDS = 45.0
"""Between two bytes, for the library knows no other limit; ``GRACE`` more for the whole answer."""
GRACE_SECONDS = 5.0
MOST_TOKENS = 8_192
"""Of an answer, its thoughts included."""
LIMITED_SECONDS = 30.0
BROKEN_SECONDS = 5.0
LONGEST_MESSAGE = 300
MOST_REPEATED = 4_000

_WARNINGS: Final = (
    r"\s*All support for the `google\.generativeai` package has ended",
    r"You are using a (non-supported )?Python version",
)
_STATUSES: Final[Mapping[int, ReviewerFault]] = {
    401: ReviewerFault.UNAUTHORIZED,
    403: ReviewerFault.UNAUTHORIZED,
    404: ReviewerFault.UNKNOWN_MODEL,
}
_REFUSALS: Final = frozenset(
    {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"}
)
_loading = threading.Lock()

Turn = Mapping[str, Any]
Formed = TypeVar("Formed")
Problem = TryAgain | ReviewerProblem


@dataclass(frozen=True)
class Answer:
    """What the model wrote, and whether it could write to the end."""

    text: str
    whole: bool
    tokens: int
    model: str


class Gemini:
    """One model; a question is text and pictures, an answer the text of a JSON document."""

    def __init__(
        self,
        pace: Pace,
        key: str,
        model: str = DEFAULT_MODEL,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        call_seconds: float = CALL_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._pace = pace
        self._key = key
        self._model = model
        self._endpoint = endpoint.rstrip("/")
        self._seconds = call_seconds
        self._longest = call_seconds + grace_seconds

    async def ask(self, rules: str, turns: Sequence[Turn], form: Mapping[str, Any]) -> Answer:
        """One call. Raises TryAgain, Limited, or ReviewerProblem for a refusal.

        ``turns`` are ``{"role", "parts"}``, a part being text or ``{"mime_type", "data"}``.
        """
        if not self._key:
            # The library would look for one in the environment.
            raise ReviewerProblem(ReviewerFault.NO_KEY, "no Gemini key")
        await self._pace("gemini")
        call = asyncio.to_thread(self._call, rules, turns, form)
        try:
            async with asyncio.timeout(self._longest):
                told = await call
        except TimeoutError:
            # The thread ends by the library's own timeout; nobody waits for it.
            told = TryAgain("Gemini does not answer in time", after=BROKEN_SECONDS)
        if isinstance(told, Exception):
            raise told
        return told

    def _call(self, rules: str, turns: Sequence[Turn], form: Mapping[str, Any]) -> Answer | Problem:
        """In a thread. Faults are values: an exception's context would hold request and key."""
        library = _library()
        from google.api_core.exceptions import GoogleAPIError
        from google.protobuf.json_format import ParseError
        from requests.exceptions import RequestException, Timeout

        try:
            response = self._client(library, rules, form).generate_content(
                list(turns), request_options={"timeout": self._seconds, "retry": None}
            )
        except Timeout:
            return TryAgain("Gemini does not answer in time", after=BROKEN_SECONDS)
        except RequestException as fault:
            said = f"Gemini does not answer: {type(fault).__name__}"
            return TryAgain(said, after=BROKEN_SECONDS)
        except ParseError:
            return TryAgain("Gemini answers with no JSON", after=BROKEN_SECONDS)
        except GoogleAPIError as fault:
            return self._problem(fault)
        except ValueError as fault:
            said = f"the library refuses the question: {type(fault).__name__}"
            return ReviewerProblem(ReviewerFault.INVALID, said)
        return _answer(response)

    def _client(self, library: Any, rules: str, form: Mapping[str, Any]) -> Any:
        with _loading:
            library.configure(
                api_key=self._key,
                transport="rest",
                client_options={"api_endpoint": self._endpoint},
            )
            return library.GenerativeModel(
                self._model,
                system_instruction=rules,
                generation_config={
                    "response_mime_type": "application/json",
                    "response_schema": dict(form),
                    "max_output_tokens": MOST_TOKENS,
                    "candidate_count": 1,
                },
            )

    def _problem(self, fault: Any) -> Problem:
        """What an error of the API comes to; its text names the address, and must not the key."""
        status, told = _error(fault)
        said = self._told(told.get("message")) or f"HTTP {status}"
        if status == 429:
            return Limited(f"Gemini's limit: {said}", after=_retry_delay(told))
        if status >= 500 or status == 0:
            return TryAgain(f"Gemini is at fault: {said}", after=BROKEN_SECONDS)
        is_key = "API_KEY_INVALID" in str(told.get("details")) or "API key" in said
        known = _STATUSES.get(status, ReviewerFault.INVALID)
        return ReviewerProblem(ReviewerFault.UNAUTHORIZED if is_key else known, said)

    def _told(self, message: object) -> str:
        text = message if isinstance(message, str) else ""
        for form in sorted(forms(self._key), key=len, reverse=True):
            text = text.replace(form, MASK)
        return text[:LONGEST_MESSAGE]


class GeminiReviewer(Reviewer):
    """See ``bot.ports.reviewer``."""

    def __init__(self, gemini: Gemini) -> None:
        self._gemini = gemini

    async def review(self, request: ReviewRequest) -> Review:
        form = schema(request.categories)
        review, answer = await _formed(self._gemini, request.rules, _parts(request), form, parse)
        return replace(review, tokens=answer.tokens, model=answer.model)


class GeminiExplorer(Explorer):
    """See ``bot.ports.explorer``."""

    def __init__(self, gemini: Gemini) -> None:
        self._gemini = gemini

    async def next(self, request: ExplorerRequest) -> ExplorerAnswer:
        parts: list[Any] = [request.text]
        if request.picture is not None:
            media_type, content = request.picture
            parts += ["The window:", {"mime_type": media_type, "data": content}]
        proposal, answer = await _formed(
            self._gemini, request.rules, parts, exploring.schema(), exploring.parse
        )
        return ExplorerAnswer(proposal, answer.tokens, answer.model)


async def _formed(
    gemini: Gemini,
    rules: str,
    parts: Sequence[Any],
    form: Mapping[str, Any],
    read: Callable[[str], Formed],
) -> tuple[Formed, Answer]:
    """An answer that has its form, asked for once more where it has not; with all its tokens."""
    turns: list[Turn] = [{"role": "user", "parts": list(parts)}]
    answer = await gemini.ask(rules, turns, form)
    tokens = answer.tokens
    told = _read(answer, read)
    if isinstance(told, _Unformed):
        turns += _repair(answer, told.problems)
        answer = await gemini.ask(rules, turns, form)
        tokens += answer.tokens
        told = _read(answer, read)
        if isinstance(told, _Unformed):
            fault = ReviewerFault.BAD_ANSWER if answer.whole else ReviewerFault.TRUNCATED
            raise ReviewerProblem(fault, "; ".join(told.problems)[:LONGEST_MESSAGE], tokens)
    return told, replace(answer, tokens=tokens)


def _parts(request: ReviewRequest) -> list[Any]:
    parts: list[Any] = [request.text]
    for it in request.pictures:
        parts += [f"Picture {it.id}:", {"mime_type": it.media_type, "data": it.content}]
    return parts


@dataclass(frozen=True)
class _Unformed:
    """What is wrong with an answer's form."""

    problems: tuple[str, ...]


def _read(answer: Answer, read: Callable[[str], Formed]) -> Formed | _Unformed:
    if not answer.whole:
        return _Unformed(("the answer is cut off: it is too long",))
    try:
        return read(answer.text)
    except Malformed as wrong:
        return _Unformed(wrong.problems)


def _repair(answer: Answer, problems: tuple[str, ...]) -> list[Turn]:
    """The turns that ask once more."""
    said = (
        f"That has not the form that was asked for: {'; '.join(problems)}. Answer again, shorter, "
    )
    again = {"role": "user", "parts": [f"{said}with nothing but JSON of the given form."]}
    if not answer.text.strip():
        return [again]
    return [{"role": "model", "parts": [answer.text[:MOST_REPEATED]]}, again]


def _answer(response: Any) -> Answer | Problem:
    """The first candidate of a response; what is not written to the end is told apart."""
    usage = response.usage_metadata
    tokens = int(usage.total_token_count or usage.prompt_token_count)
    reason = response.prompt_feedback.block_reason
    if reason:
        return ReviewerProblem(ReviewerFault.BLOCKED, f"the prompt: {_name(reason)}", tokens)
    candidates = list(response.candidates)
    if not candidates:
        return Answer("", True, tokens, response.model_version)
    finish = _name(candidates[0].finish_reason)
    if finish in _REFUSALS:
        return ReviewerProblem(ReviewerFault.REFUSED, f"the answer: {finish}", tokens)
    text = "".join(part.text for part in candidates[0].content.parts)
    return Answer(text, finish != "MAX_TOKENS", tokens, response.model_version)


def _name(value: Any) -> str:
    """An enum's name; a number where the library is older than the value."""
    return str(getattr(value, "name", value))


def _error(fault: Any) -> tuple[int, Mapping[str, Any]]:
    """Status (0: none) and ``error`` object of an API error."""
    response: Any = getattr(fault, "response", None)
    status = getattr(response, "status_code", None) or getattr(fault, "code", None) or 0
    try:
        told = response.json()["error"]
    except (AttributeError, KeyError, TypeError, ValueError):
        told = None
    return int(status), told if isinstance(told, dict) else {}


def _retry_delay(told: Mapping[str, Any]) -> float:
    """Seconds, from ``google.rpc.RetryInfo``."""
    details = told.get("details")
    for it in details if isinstance(details, list) else ():
        delay = it.get("retryDelay") if isinstance(it, dict) else None
        if isinstance(delay, str) and delay.endswith("s"):
            try:
                return min(3600.0, max(1.0, float(delay[:-1])))
            except ValueError:
                break
    return LIMITED_SECONDS


def _library() -> Any:
    """The library, imported on first use."""
    with _loading:
        for message in _WARNINGS:
            warnings.filterwarnings("ignore", message=message, category=FutureWarning)
        import google.generativeai

        return google.generativeai
