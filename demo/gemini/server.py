"""``StandInGemini``: ``generateContent`` over a model that a script plays.

Shapes are those of the REST API as google-generativeai 0.8.6 sends and reads them: enums are
integers where the query asks for it, schemas are refused with what the API does not know.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from demo.github.faults import Fault, Faults

KEY = "AIza-a-gemini-key"
MODEL = "gemini-flash-latest"
RETRY_SECONDS = 7
FINISHES = {"STOP": 1, "MAX_TOKENS": 2, "SAFETY": 3, "RECITATION": 4, "OTHER": 5}
BLOCKS = {"SAFETY": 1, "OTHER": 2, "PROHIBITED_CONTENT": 4}
UNKNOWN_IN_SCHEMAS = frozenset({"additionalProperties", "$ref", "$schema", "$defs", "definitions"})
_ANSWERS = {
    Fault.UNAUTHORIZED: (401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    Fault.NOT_FOUND: (404, "NOT_FOUND", "models/x is not found for API version v1beta."),
    Fault.UNPROCESSABLE: (400, "INVALID_ARGUMENT", "Invalid JSON payload received."),
    Fault.TOO_MANY: (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    Fault.BROKEN: (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
}
Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request: what the system says, each turn's text, and the pictures, decoded."""

    model: str
    system: str
    turns: Sequence[str]
    pictures: Sequence[tuple[str, bytes]]
    schema: Mapping[str, Any]
    body: Mapping[str, Any]

    @property
    def text(self) -> str:
        """All that was said by the user, and by the model before."""
        return "\n".join(self.turns)

    @property
    def is_repair(self) -> bool:
        """Whether it is asked once more."""
        return len(self.turns) > 1


@dataclass(frozen=True)
class Said:
    """What the model answers; ``block`` is why it did not look at the prompt at all.

    ``raw`` is a body in place of the API's JSON.
    """

    text: str = ""
    finish: str = "STOP"
    block: str = ""
    raw: bytes | None = None


Script = Callable[[Asked], Said]


@dataclass
class StandInGemini:
    """Serves on 127.0.0.1 while its block lasts; ``script`` is what the model answers.

    ``faults`` choose at which call the API itself fails; ``asked`` are all requests.
    """

    script: Script = lambda _asked: Said("{}")
    url: str = ""
    models: frozenset[str] = frozenset({MODEL})
    asked: list[Asked] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    _broken: list[Exception] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=32 * 1024**2)
        application.router.add_post("/v1beta/models/{model}:generateContent", self._generate)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
        if error is None and self._broken:
            raise self._broken[0]

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.next(request.method, request.path)
        if fault in _ANSWERS:
            return _problem(*_ANSWERS[fault])
        if fault is not None and not fault.lands:
            return await self.faults.answer(fault, request)
        if request.headers.get("x-goog-api-key") != KEY:
            return _bad_key()
        model = request.match_info["model"]
        if model not in self.models:
            return _problem(404, "NOT_FOUND", f"models/{model} is not found for API version v1beta")
        try:
            asked = _asked(model, await request.json())
        except (KeyError, TypeError, ValueError) as wrong:
            return _problem(400, "INVALID_ARGUMENT", f"Invalid JSON payload received. {wrong}")
        self.asked.append(asked)
        try:
            said = self.script(asked)
        except Exception as broken:  # noqa: BLE001  told at the end of the block
            self._broken.append(broken)
            return _problem(500, "INTERNAL", "the script broke")
        if fault is not None:
            return await self.faults.answer(fault, request)
        if said.raw is not None:
            return web.Response(body=said.raw, content_type="application/json")
        as_numbers = "enum-encoding=int" in request.query.get("$alt", "")
        return web.json_response(_answer(asked, said, as_numbers=as_numbers))


def _asked(model: str, body: Json) -> Asked:
    """A request by its body. Raises KeyError, TypeError or ValueError for what the API refuses."""
    schema = body["generationConfig"]["responseSchema"]
    if body["generationConfig"]["responseMimeType"] != "application/json":
        raise ValueError("a schema needs the JSON media type")
    if unknown := sorted(UNKNOWN_IN_SCHEMAS & set(_keys(schema))):
        raise ValueError(f'Unknown name "{unknown[0]}" at generation_config.response_schema')
    turns: list[str] = []
    pictures: list[tuple[str, bytes]] = []
    for content in body["contents"]:
        if content.get("role") not in ("user", "model"):
            raise ValueError("Please use a valid role: user, model.")
        turns.append("\n".join(part["text"] for part in content["parts"] if "text" in part))
        for part in content["parts"]:
            if "inlineData" in part:
                data = part["inlineData"]
                pictures.append((data["mimeType"], base64.b64decode(data["data"], validate=True)))
    if not any(turns):
        raise ValueError("contents are not specified")
    system = "\n".join(part["text"] for part in body["systemInstruction"]["parts"])
    return Asked(model, system, turns, pictures, schema, body)


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)


def _answer(asked: Asked, said: Said, *, as_numbers: bool) -> Json:
    prompt = len(json.dumps(asked.body)) // 4
    written = len(said.text) // 4
    answer: Json = {
        "usageMetadata": {
            "promptTokenCount": prompt,
            "candidatesTokenCount": written,
            "totalTokenCount": prompt + written,
        },
        "modelVersion": asked.model,
    }
    if said.block:
        reason = BLOCKS[said.block] if as_numbers else said.block
        return answer | {"promptFeedback": {"blockReason": reason}}
    candidate: Json = {
        "finishReason": FINISHES[said.finish] if as_numbers else said.finish,
        "index": 0,
    }
    if said.text:
        candidate["content"] = {"role": "model", "parts": [{"text": said.text}]}
    return answer | {"candidates": [candidate]}


def _problem(status: int, name: str, message: str) -> web.Response:
    error: Json = {"code": status, "message": message, "status": name}
    if status == 429:
        retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo"}
        error["details"] = [retry | {"retryDelay": f"{RETRY_SECONDS}s"}]
    return web.json_response({"error": error}, status=status)


def _bad_key() -> web.Response:
    """As the API answers; it is a 400 and no 401."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    message = "API key not valid. Please pass a valid API key."
    error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": [info]}
    return web.json_response({"error": error}, status=400)
