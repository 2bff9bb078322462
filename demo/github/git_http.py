"""Git over HTTP: fetching and pushing, by git's own ``upload-pack`` and ``receive-pack``."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

from aiohttp import web

from demo.github.access import Denied, Forbidden, may_clone, pusher_of
from demo.github.pushes import Push, moved, refs_of
from demo.github.state import RepositoryState, State, User

SECONDS = 120.0
_SETTINGS = (
    "uploadpack.allowAnySHA1InWant=true",
    "safe.directory=*",
    # As on GitHub: pull requests' own refs are not for pushing. And nothing else runs: no hook
    # of the repository, no housekeeping in the background.
    "receive.hideRefs=refs/pull",
    "receive.autogc=false",
    f"core.hooksPath={os.devnull}",
)

Pushed = Callable[[RepositoryState, Push, User], Awaitable[None]]


class Service(StrEnum):
    """What git asks for."""

    FETCH = "git-upload-pack"
    PUSH = "git-receive-pack"


class GitOverHttp:
    """``/OWNER/NAME.git``: ``info/refs``, ``git-upload-pack`` and ``git-receive-pack``.

    ``pushed`` is told of each branch or tag that a push moved, before git hears that it did.
    """

    def __init__(self, state: State, pushed: Pushed) -> None:
        self._state = state
        self._pushed = pushed
        self.fetched: list[str] = []
        """The repositories that something was fetched from, by their names."""

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        at = "/{owner}/{name}.git"
        application.router.add_get(f"{at}/info/refs", self._refs)
        application.router.add_post(f"{at}/{Service.FETCH}", self._fetch)
        application.router.add_post(f"{at}/{Service.PUSH}", self._push)

    async def _refs(self, request: web.Request) -> web.Response:
        try:
            service = Service(request.query.get("service", ""))
        except ValueError:
            raise web.HTTPForbidden from None
        if service is Service.FETCH:
            repository = self._readable(request)
        else:
            repository, _ = self._writable(request)
        listed = await _run(service, repository.folder, request, b"", "--http-backend-info-refs")
        line = f"# service={service}\n"
        head = f"{len(line) + 4:04x}{line}0000".encode()
        if service is Service.FETCH and "version=2" in request.headers.get("Git-Protocol", ""):
            head = b""
        return _answer(head + listed, service, "advertisement")

    async def _fetch(self, request: web.Request) -> web.Response:
        repository = self._readable(request)
        self.fetched.append(f"{request.match_info['owner']}/{request.match_info['name']}")
        asked = await _sent(request)
        said = await _run(Service.FETCH, repository.folder, request, asked)
        return _answer(said, Service.FETCH, "result")

    async def _push(self, request: web.Request) -> web.Response:
        repository, account = self._writable(request)
        asked = await _sent(request)
        async with repository.pushing:
            before = await refs_of(repository)
            said = await _run(Service.PUSH, repository.folder, request, asked)
            for push in moved(before, await refs_of(repository)):
                await self._pushed(repository, push, account)
        return _answer(said, Service.PUSH, "result")

    def _readable(self, request: web.Request) -> RepositoryState:
        repository = self._named(request)
        if repository is None or not may_clone(self._state, request, repository):
            raise _unknown()
        return repository

    def _writable(self, request: web.Request) -> tuple[RepositoryState, User]:
        repository = self._named(request)
        if repository is None:
            raise _unknown()
        try:
            return repository, pusher_of(self._state, request, repository)
        except Denied:
            raise _unknown() from None
        except Forbidden as told:
            raise web.HTTPForbidden(text=str(told)) from None

    def _named(self, request: web.Request) -> RepositoryState | None:
        return self._state.named(request.match_info["owner"], request.match_info["name"])


def _unknown() -> web.HTTPUnauthorized:
    """401: git then asks for a user and password, or gives up."""
    return web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="GitHub"'})


def _answer(body: bytes, service: Service, kind: str) -> web.Response:
    return web.Response(
        body=body,
        content_type=f"application/x-{service}-{kind}",
        headers={"Cache-Control": "no-cache"},
    )


async def _sent(request: web.Request) -> bytes:
    sent = await request.read()
    if request.headers.get("Content-Encoding") == "gzip" and sent[:2] == b"\x1f\x8b":
        return gzip.decompress(sent)
    return sent


async def _run(
    service: Service, folder: Path, request: web.Request, asked: bytes, *options: str
) -> bytes:
    settings = [word for it in _SETTINGS for word in ("-c", it)]
    process = await asyncio.create_subprocess_exec(
        *("git", *settings, service.removeprefix("git-"), "--stateless-rpc", *options, str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
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
