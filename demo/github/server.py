"""``StandInGitHub``: the server, and what is there before anybody does something."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from demo.github.access import Denied, Forbidden
from demo.github.acts import Acts
from demo.github.answers import GRAPHQL, Refused, not_found, problem
from demo.github.checks import Invalid
from demo.github.faults import Faults
from demo.github.git_http import GitOverHttp
from demo.github.graph import Graph, kind_of
from demo.github.rest import Rest
from demo.github.state import (
    InstallationState,
    RepositoryState,
    State,
    User,
    now,
)
from demo.github.webhooks import HOOK_SECONDS

LARGEST_BODY = 8 * 1024 * 1024


@dataclass(frozen=True)
class Exchange:
    """A call and its answer, for whoever looks on."""

    method: str
    path: str
    route: str
    sent: bytes
    status: int
    answered: bytes


@cache
def key_of(app_id: int) -> rsa.RSAPrivateKey:
    """An App's key, made once in a process: that takes a while."""
    del app_id  # it is what the key is kept by
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class StandInGitHub(Acts):
    """Serves on 127.0.0.1 while its block lasts.

    ``hook_url`` is where webhooks go, once it is set. ``look_on`` sees every exchange.
    """

    def __init__(self, *, app_id: int = 4242, port: int = 0) -> None:
        key = key_of(app_id)
        self.private_key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        super().__init__(State(app_id, "codegenapp", public.decode()))
        self.faults = Faults()
        self.kinds: Counter[str] = Counter()
        """How many calls of each kind came: a method and route, ``graphql query`` or ``graphql
        mutation``; git's are none."""
        self.look_on: Callable[[Exchange], None] = lambda _exchange: None
        self.git = GitOverHttp(self.state, self.pushed)
        self._port = port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._around], client_max_size=LARGEST_BODY)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        self.git.add_to(application)
        rest = Rest(self.state, self._objects, self)
        rest.add_to(application)
        Graph(self.state, self._objects, self).add_to(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        host, port = self._runner.addresses[0][:2]
        self._objects.url = f"http://{host}:{port}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HOOK_SECONDS))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        assert self._session is not None
        await self._session.close()
        await self._runner.cleanup()

    @web.middleware
    async def _around(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        is_git = ".git/" in request.path
        fault = None if is_git else self.faults.next(request.method, request.path)
        sent = await request.read()
        if not is_git:
            self.kinds[_kind_of(request, sent)] += 1
        if fault is not None and not fault.lands:
            return await self.faults.answer(fault, request)
        response = await self._answered(request, handler)
        if fault is not None:
            return await self.faults.answer(fault, request)
        if not is_git and isinstance(response, web.Response):
            self.look_on(
                Exchange(
                    request.method,
                    request.rel_url.raw_path,
                    _route_of(request),
                    sent,
                    response.status,
                    bytes(response.body) if isinstance(response.body, bytes) else b"",
                )
            )
        return response

    async def _answered(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except Denied as denied:
            return problem(401, str(denied))
        except Forbidden as forbidden:
            return problem(403, str(forbidden))
        except Refused as refused:
            return problem(refused.status, str(refused))
        except LookupError:
            return not_found()
        except Invalid as invalid:
            return web.json_response(
                {"message": f"Validation Failed: {invalid}", "documentation_url": "https://x"},
                status=422,
            )
        return response

    def routes(self) -> list[web.AbstractRoute]:
        """All that is answered."""
        assert self._runner is not None
        return list(self._runner.app.router.routes())

    # ── what is there ────────────────────────────────────────────────────────────────────────

    def install(self, login: str) -> InstallationState:
        """Install the App on an account."""
        account = self.state.user(login, "Organization")
        installation = InstallationState(next(self.state.ids), account, now())
        self.state.installations[installation.id] = installation
        return installation

    def add_repository(
        self, installation: InstallationState, name: str, folder: Path, *, private: bool = False
    ) -> RepositoryState:
        """Put a bare git repository under an installation's account."""
        repository = RepositoryState(
            next(self.state.ids),
            installation.account,
            name,
            folder,
            installation.id,
            now(),
            private=private,
        )
        self.state.repositories[repository.id] = repository
        return repository

    def token_for(self, account: User) -> str:
        """A new token of an account, for git and REST: it may what the account may."""
        token = f"gho_{secrets.token_urlsafe(27)}"
        self.state.push_tokens[token] = account
        return token


def _route_of(request: web.Request) -> str:
    """The route's pattern, empty where there is none."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""


def _kind_of(request: web.Request, sent: bytes) -> str:
    route = _route_of(request)
    return f"graphql {kind_of(sent)}" if route == GRAPHQL else f"{request.method} {route}"
