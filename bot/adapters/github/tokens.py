"""The App's credentials: a JWT for itself, an hour's token for each installation."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cachetools import TLRUCache

from bot.adapters.github.client import Client, NotAuthorized
from bot.domain.problems import TryAgain, UserProblem
from bot.ports.clock import Clock
from bot.ports.github import Forbidden, InstallationGone, NotFound

JWT_BACK_SECONDS = 60
JWT_SECONDS = 9 * 60
BEFORE_ITS_END = timedelta(minutes=5)
"""A token is not used in its last minutes: what begins with it must also end with it."""
MOST_TOKENS = 10_000
WRONG_CREDENTIALS_SECONDS = 60.0


@dataclass(frozen=True)
class AppCredentials:
    """The App's id and its private key (PEM)."""

    app_id: int
    private_key: str


@dataclass(frozen=True)
class Token:
    """An installation's token."""

    text: str
    expires_at: datetime


class Tokens:
    """Mints and keeps tokens, one for each (installation, scope) at a time."""

    def __init__(self, credentials: AppCredentials, app: Client, clock: Clock) -> None:
        self._credentials = credentials
        self._app = app
        self._clock = clock
        self._kept: TLRUCache[tuple[int, int], Token] = TLRUCache(
            MOST_TOKENS,
            ttu=lambda _key, token, _now: (token.expires_at - BEFORE_ITS_END).timestamp(),
            timer=lambda: clock.now().timestamp(),
        )
        self._minting: defaultdict[tuple[int, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    def jwt(self) -> str:
        """A JWT of the App, good for minutes. Raises UserProblem where the key is none."""
        now = int(self._clock.now().timestamp())
        claims = {
            "iat": now - JWT_BACK_SECONDS,
            "exp": now + JWT_SECONDS,
            "iss": str(self._credentials.app_id),
        }
        try:
            return jwt.encode(claims, self._credentials.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as fault:
            raise UserProblem(
                f"GITHUB_PRIVATE_KEY is no private key: {type(fault).__name__}.",
                "Give the PEM file that GitHub made for the App, or its path.",
            ) from None

    async def of(self, installation_id: int) -> str:
        """A token for all that the installation may. Raises InstallationGone."""
        return await self._token((installation_id, 0), {})

    async def of_contents(self, installation_id: int, repository_id: int) -> str:
        """A token that reads one repository's contents and nothing else."""
        wanted = {"repository_ids": [repository_id], "permissions": {"contents": "read"}}
        return await self._token((installation_id, repository_id), wanted)

    def forget(self, installation_id: int) -> None:
        """Drop an installation's token: it was not taken."""
        self._kept.pop((installation_id, 0), None)

    async def _token(self, key: tuple[int, int], wanted: dict[str, Any]) -> str:
        async with self._minting[key]:
            token = self._kept.get(key)
            if token is None:
                token = await self._mint(key[0], wanted)
                self._kept[key] = token
        return token.text

    async def _mint(self, installation_id: int, wanted: dict[str, Any]) -> Token:
        url = f"/app/installations/{installation_id}/access_tokens"
        try:
            minted = await self._app.post(url, data=wanted or b"", jwt=self.jwt())
        except (Forbidden, NotFound) as refusal:
            raise await self._why_not(installation_id, refusal) from refusal
        except NotAuthorized as refusal:
            raise not_authorized(refusal) from refusal
        return Token(minted["token"], datetime.fromisoformat(minted["expires_at"]))

    async def _why_not(self, installation_id: int, refusal: Forbidden | NotFound) -> Exception:
        """A refusal may be a slip of GitHub's: the installation itself tells."""
        url = f"/app/installations/{installation_id}"
        try:
            found = await self._app.getitem(url, jwt=self.jwt())
        except NotFound:
            return InstallationGone("the App is no longer installed there", refusal.status)
        except NotAuthorized as slip:
            return not_authorized(slip)
        if found.get("suspended_at"):
            return InstallationGone("the installation is suspended", refusal.status)
        return TryAgain(f"GitHub mints no token at the moment: {refusal.message}", after=5.0)


def not_authorized(refusal: NotAuthorized) -> TryAgain:
    """A JWT that is not taken: for the operator to mend, and everything waits for that."""
    return TryAgain(
        f"GitHub does not take the App's key ({refusal.message}): see `python app.py doctor`",
        after=WRONG_CREDENTIALS_SECONDS,
    )
