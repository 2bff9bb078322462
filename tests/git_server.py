"""Git over HTTP for tests: real ``git http-backend`` behind a real server on 127.0.0.1.

``GitServer`` serves the bare repositories of a folder as ``/NAME.git``. ``authorization`` closes
``/private/NAME.git`` (the same repositories) to who does not send that header; ``/moved/URL``
redirects to URL, ``/silent/…`` never answers. ``seen`` records every request.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web


class GitServer:
    """Serves while its block lasts. ``old_protocol`` makes it speak version 0 only."""

    def __init__(
        self, folder: Path, *, authorization: str = "", old_protocol: bool = False
    ) -> None:
        self.seen: list[tuple[str, str]] = []
        self.url = ""
        self.asked = asyncio.Event()
        self._folder = folder
        self._authorization = authorization
        self._old_protocol = old_protocol
        self._released = asyncio.Event()
        self._runner = web.AppRunner(self._application())

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._released.set()
        await self._runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=64 * 1024**2)
        application.router.add_route("*", "/moved/{there:.*}", self._moved)
        application.router.add_route("*", "/silent/{path:.*}", self._silent)
        application.router.add_route("*", "/private/{path:.*}", self._private)
        application.router.add_route("*", "/{path:.*}", self._public)
        return application

    def _record(self, request: web.Request) -> None:
        self.seen.append((request.path_qs, request.headers.get("Authorization", "")))
        self.asked.set()

    async def _moved(self, request: web.Request) -> web.StreamResponse:
        self._record(request)
        query = f"?{request.query_string}" if request.query_string else ""
        raise web.HTTPMovedPermanently(request.match_info["there"] + query)

    async def _silent(self, request: web.Request) -> web.StreamResponse:
        self._record(request)
        await self._released.wait()
        raise web.HTTPServiceUnavailable

    async def _private(self, request: web.Request) -> web.StreamResponse:
        self._record(request)
        if request.headers.get("Authorization", "") != self._authorization:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="git"'})
        return await self._backend(request)

    async def _public(self, request: web.Request) -> web.StreamResponse:
        self._record(request)
        return await self._backend(request)

    async def _backend(self, request: web.Request) -> web.StreamResponse:
        git = shutil.which("git")
        assert git is not None
        process = await asyncio.create_subprocess_exec(
            git,
            "http-backend",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment(request),
        )
        try:
            output, _ = await process.communicate(await request.read())
        except BaseException:
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise
        head, _, body = output.partition(b"\r\n\r\n")
        headers = dict(
            line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line
        )
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=body)

    def _environment(self, request: web.Request) -> Mapping[str, str]:
        protocol = "" if self._old_protocol else request.headers.get("Git-Protocol", "")
        return {
            "PATH": os.defpath,
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROTOCOL": protocol,
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "QUERY_STRING": request.query_string,
            "PATH_INFO": f"/{request.match_info['path']}",
        }
