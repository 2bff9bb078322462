"""Git over HTTP: fetching only, by git's own ``upload-pack``."""

from __future__ import annotations

import asyncio
import gzip
import os
from pathlib import Path

from aiohttp import web

from demo.github.access import may_clone
from demo.github.state import State

SERVICE = "git-upload-pack"
SECONDS = 120.0


class GitOverHttp:
    """``/OWNER/NAME.git/info/refs`` and ``/OWNER/NAME.git/git-upload-pack``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.fetched: list[str] = []
        """The repositories that something was fetched from, by their names."""

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        at = "/{owner}/{name}.git"
        application.router.add_get(f"{at}/info/refs", self._refs)
        application.router.add_post(f"{at}/{SERVICE}", self._pack)

    async def _refs(self, request: web.Request) -> web.Response:
        if request.query.get("service") != SERVICE:
            raise web.HTTPForbidden
        listed = await self._run(request, b"", "--http-backend-info-refs")
        line = f"# service={SERVICE}\n"
        head = f"{len(line) + 4:04x}{line}0000".encode()
        if "version=2" in request.headers.get("Git-Protocol", ""):
            head = b""
        return self._answer(head + listed, "advertisement")

    async def _pack(self, request: web.Request) -> web.Response:
        asked = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and asked[:2] == b"\x1f\x8b":
            asked = gzip.decompress(asked)
        self.fetched.append(f"{request.match_info['owner']}/{request.match_info['name']}")
        return self._answer(await self._run(request, asked), "result")

    def _answer(self, body: bytes, kind: str) -> web.Response:
        return web.Response(
            body=body,
            content_type=f"application/x-{SERVICE}-{kind}",
            headers={"Cache-Control": "no-cache"},
        )

    async def _run(self, request: web.Request, asked: bytes, *options: str) -> bytes:
        folder = self._folder(request)
        process = await asyncio.create_subprocess_exec(
            *("git", "-c", "uploadpack.allowAnySHA1InWant=true", "-c", "safe.directory=*"),
            *("upload-pack", "--stateless-rpc", *options, str(folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                "PATH": os.defpath,
                "HOME": "/",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            },
        )
        try:
            async with asyncio.timeout(SECONDS):
                said, _ = await process.communicate(asked)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return said

    def _folder(self, request: web.Request) -> Path:
        repository = self._state.named(request.match_info["owner"], request.match_info["name"])
        if repository is None or not may_clone(self._state, request, repository):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
        return repository.folder
