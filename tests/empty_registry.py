"""A container registry on this machine that has no image at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

HEADERS = {"Docker-Distribution-Api-Version": "registry/2.0"}
NOTHING = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}


@asynccontextmanager
async def empty_registry() -> AsyncIterator[int]:
    """Answer on a port of 127.0.0.1, where engines want no TLS; gives the port."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/v2/":
            return web.json_response({}, headers=HEADERS)
        return web.json_response(NOTHING, status=404, headers=HEADERS)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        _, port = runner.addresses[0]
        yield port
    finally:
        await runner.cleanup()
