"""``/validations/{id}``: the plain, permanent page of a validation, and its whole log."""

from __future__ import annotations

from aiohttp import web

from bot.domain.problems import TryAgain
from bot.domain.validation_records import ValidationRecord
from bot.ports.artifacts import Artifacts
from bot.ports.records import LogChunks, Validations
from bot.ports.renderer import Renderer
from bot.services.links import ReportLinks

CLOSED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}
"""What is shown was written by strangers: it runs no script, and loads pictures of ours alone."""
SHOWN = frozenset({"image/png", "image/jpeg", "image/webp", "text/plain"})
"""Artifacts of a stage that a browser may be given: it runs nothing of theirs."""
SAVED = frozenset({"application/zip"})
"""Those that it may only save."""
LONGEST_LIVE_LOG = 256 * 1024


class ValidationPages:
    """See the module."""

    def __init__(
        self,
        validations: Validations,
        artifacts: Artifacts,
        chunks: LogChunks,
        links: ReportLinks,
        renderer: Renderer,
    ) -> None:
        self._validations = validations
        self._artifacts = artifacts
        self._chunks = chunks
        self._links = links
        self._renderer = renderer

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The report, or how far it is."""
        record = await self._record(request)
        if record is None:
            return self._absent()
        if record.report_id is not None and await self._artifacts.get(record.report_id):
            response = await self._stream(request, record.report_id, "text/html", record)
        else:
            text = self._renderer.validation_page(record, await self._live_log(record))
            response = web.Response(text=text, content_type="text/html", headers=CLOSED)
            self._remember(request, record, response)
        return response

    async def log(self, request: web.Request) -> web.StreamResponse:
        """The whole log as plain text."""
        record = await self._record(request)
        if record is None:
            return self._absent()
        if record.log_id is not None and await self._artifacts.get(record.log_id):
            return await self._stream(request, record.log_id, "text/plain", record)
        text = await self._live_log(record)
        return web.Response(text=text or "Nothing was printed yet.\n", headers=CLOSED)

    async def artifact(self, request: web.Request) -> web.StreamResponse:
        """A screenshot, trace or test report of this validation, and no other artifact."""
        record = await self._record(request)
        told = (record.result or {}).get("artifacts") or () if record else ()
        wanted = request.match_info["artifact"]
        media_type = next((it["media_type"] for it in told if it["id"] == wanted), "")
        if record is None or media_type not in SHOWN | SAVED:
            return self._absent()
        if await self._artifacts.get(wanted) is None:
            return self._absent()
        return await self._stream(request, wanted, media_type, record)

    async def _record(self, request: web.Request) -> ValidationRecord | None:
        """The validation, if there is one and it may be seen: who may not learns nothing."""
        try:
            record = await self._validations.get(request.match_info["id"])
        except TryAgain:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from None
        if record is None:
            return None
        expires, _, signature = request.cookies.get(_cookie(record), "").partition("-")
        expires = request.query.get("expires", expires)
        signature = request.query.get("signature", signature)
        return record if self._links.allows(record, expires, signature) else None

    async def _stream(
        self, request: web.Request, artifact_id: str, media_type: str, record: ValidationRecord
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=CLOSED)
        response.content_type = media_type
        if media_type in SAVED:
            response.headers["Content-Disposition"] = "attachment"
        if media_type.startswith("text/"):
            response.charset = "utf-8"
        self._remember(request, record, response)
        await response.prepare(request)
        async for piece in self._artifacts.read(artifact_id):
            await response.write(piece)
        await response.write_eof()
        return response

    def _remember(
        self, request: web.Request, record: ValidationRecord, response: web.StreamResponse
    ) -> None:
        """A signed link opens the page's own links too."""
        expires, signature = request.query.get("expires"), request.query.get("signature")
        if expires and signature:
            response.set_cookie(
                _cookie(record),
                f"{expires}-{signature}",
                path=f"/validations/{record.id}",
                httponly=True,
                samesite="Lax",
                secure=request.secure,
            )

    async def _live_log(self, record: ValidationRecord) -> str:
        if record.job_id is None:
            return ""
        text = ""
        async for chunk in self._chunks.of_job(record.job_id):
            text = (text + chunk.text)[-LONGEST_LIVE_LOG:]
        return text

    def _absent(self) -> web.Response:
        text = self._renderer.absent_page()
        return web.Response(status=404, text=text, content_type="text/html", headers=CLOSED)


def _cookie(record: ValidationRecord) -> str:
    return f"validation-{record.id}"
