"""Who calls: the App by its JWT, an installation by its token; nobody else is let in."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from datetime import timedelta

import jwt
from aiohttp import web

from demo.github.state import RepositoryState, State, iso, now

TOKEN_HOUR = timedelta(hours=1)
LONGEST_JWT_SECONDS = 600


class Denied(Exception):
    """401: with GitHub's sentence."""


def as_app(state: State, request: web.Request) -> None:
    """Check the App's JWT. Raises Denied."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise Denied("A JSON web token could not be decoded")
    try:
        claims = jwt.decode(
            token,
            state.public_key,
            algorithms=["RS256"],
            options={"require": ["iat", "exp", "iss"]},
        )
    except jwt.PyJWTError as fault:
        raise Denied(f"A JSON web token could not be decoded: {fault}") from None
    if claims["exp"] - now().timestamp() > LONGEST_JWT_SECONDS:
        raise Denied("'Expiration time' claim ('exp') is too far in the future")
    if str(claims["iss"]) != str(state.app_id):
        raise Denied("Integration must generate a public key")


def mint(
    state: State, installation_id: int, repository_ids: Iterable[int] | None
) -> dict[str, str]:
    """A new token of an installation, for all of its repositories or some."""
    token = f"ghs_{secrets.token_urlsafe(27)}"
    ends = now() + TOKEN_HOUR
    only = None if repository_ids is None else frozenset(repository_ids)
    state.tokens[token] = (installation_id, only, ends)
    return {"token": token, "expires_at": iso(ends) or ""}


def installation_of(state: State, request: web.Request) -> int:
    """The installation whose token a REST call carries. Raises Denied."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() not in {"bearer", "token"} or token not in state.tokens:
        raise Denied("Bad credentials")
    installation_id, _, ends = state.tokens[token]
    if ends < now():
        raise Denied("Bad credentials")
    return installation_id


def may_clone(state: State, request: web.Request, repository: RepositoryState) -> bool:
    """Whether git's call carries a token that reads this repository; public ones need none."""
    header = request.headers.get("Authorization", "")
    if not header:
        return not repository.private
    kind, _, encoded = header.partition(" ")
    try:
        user, _, token = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        return False
    if kind.lower() != "basic" or user != "x-access-token" or token not in state.tokens:
        return False
    installation_id, only, ends = state.tokens[token]
    mine = installation_id == repository.installation_id
    return mine and ends > now() and (only is None or repository.id in only)
