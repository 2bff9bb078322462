"""Calls as the App and as its installations: the right token, once more where it was not taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from cachetools import LRUCache

from bot.adapters.github.client import Client, NotAuthorized
from bot.adapters.github.graphql import data_of, endpoint_of
from bot.adapters.github.tokens import AppCredentials, Tokens, not_authorized
from bot.adapters.pacing import Pace
from bot.domain.repositories import Repository
from bot.ports.clock import Clock

T = TypeVar("T")

MOST_INSTALLATIONS = 1_000
CACHED_ANSWERS = 500
MOST_LISTED = 100_000


class Calls:
    """One HTTP session, one cache of answers for each installation.

    ``post`` and ``put`` wait for the installation's turn to create content.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        credentials: AppCredentials,
        pace: Pace,
        clock: Clock,
        api_url: str,
    ) -> None:
        self._session = session
        self._pace = pace
        self._clock = clock
        self._api_url = api_url.rstrip("/")
        self._graphql_url = endpoint_of(self._api_url)
        self._app = Client(session, clock, self._api_url)
        self.tokens = Tokens(credentials, self._app, clock)
        self._clients: LRUCache[int, Client] = LRUCache(MOST_INSTALLATIONS)

    # ── as the App ───────────────────────────────────────────────────────────────────────────

    async def get_as_app(self, url: str) -> Any:
        """An answer to the App itself."""
        try:
            return await self._app.getitem(url, jwt=self.tokens.jwt())
        except NotAuthorized as refusal:
            raise not_authorized(refusal) from refusal

    async def post_as_app(self, url: str) -> None:
        """Have the App itself ask for something."""
        await self._app.post(url, data=b"", jwt=self.tokens.jwt())

    async def pages_as_app(self, url: str) -> AsyncIterator[Any]:
        """Items of all pages."""
        try:
            async for told in self._app.getiter(url, jwt=self.tokens.jwt()):
                yield told
        except NotAuthorized as refusal:
            raise not_authorized(refusal) from refusal

    # ── as an installation ───────────────────────────────────────────────────────────────────

    async def get(self, repository: Repository, url: str) -> Any:
        """One answer."""
        return await self._with_token(
            repository.installation_id,
            lambda client, token: client.getitem(url, oauth_token=token),
        )

    async def pages(
        self, installation_id: int, url: str, key: str | None = None
    ) -> AsyncIterator[Any]:
        """Items of all pages, with the token that is good when each begins."""
        count = 0
        token = await self.tokens.of(installation_id)
        client = self._client(installation_id)
        try:
            async for told in client.getiter(url, oauth_token=token, iterable_key=key):
                yield told
                count += 1
                if count >= MOST_LISTED:
                    return
        except NotAuthorized as refusal:
            self.tokens.forget(installation_id)
            raise not_authorized(refusal) from refusal

    async def post(self, repository: Repository, url: str, payload: dict[str, Any]) -> Any:
        """Create something, in its turn."""
        await self.turn(repository)
        return await self._with_token(
            repository.installation_id,
            lambda client, token: client.post(url, data=payload, oauth_token=token),
        )

    async def put(self, repository: Repository, url: str, payload: dict[str, Any]) -> Any:
        """Have something done, in its turn."""
        await self.turn(repository)
        return await self._with_token(
            repository.installation_id,
            lambda client, token: client.put(url, data=payload, oauth_token=token),
        )

    async def patch(self, repository: Repository, url: str, payload: dict[str, Any]) -> None:
        """Change something."""
        await self._with_token(
            repository.installation_id,
            lambda client, token: client.patch(url, data=payload, oauth_token=token),
        )

    async def delete(self, repository: Repository, url: str) -> None:
        """Have something gone."""
        await self._with_token(
            repository.installation_id,
            lambda client, token: client.delete(url, oauth_token=token),
        )

    async def query(self, repository: Repository, text: str, variables: Mapping[str, Any]) -> Any:
        """What a GraphQL query, or a mutation, answers; see ``graphql.data_of`` for what raises."""
        asked = {"query": text, "variables": dict(variables)}
        told = await self._with_token(
            repository.installation_id,
            lambda client, token: client.post(self._graphql_url, data=asked, oauth_token=token),
        )
        return data_of(told)

    async def turn(self, repository: Repository, what: str = "installation") -> None:
        """Wait for the installation's turn. Raises Limited where that is long."""
        await self._pace(f"{what}:{repository.installation_id}")

    async def _with_token(
        self, installation_id: int, call: Callable[[Client, str], Awaitable[T]]
    ) -> T:
        client = self._client(installation_id)
        try:
            return await call(client, await self.tokens.of(installation_id))
        except NotAuthorized:
            # Revoked, or its hour is over by GitHub's clock: once more with a new one.
            self.tokens.forget(installation_id)
        try:
            return await call(client, await self.tokens.of(installation_id))
        except NotAuthorized as refusal:
            self.tokens.forget(installation_id)
            raise not_authorized(refusal) from refusal

    def _client(self, installation_id: int) -> Client:
        if installation_id not in self._clients:
            self._clients[installation_id] = Client(
                self._session, self._clock, self._api_url, cache=LRUCache(CACHED_ANSWERS)
            )
        return self._clients[installation_id]


def path_of(repository: Repository) -> str:
    """Where a repository is."""
    return f"/repos/{quote(repository.owner)}/{quote(repository.name)}"
