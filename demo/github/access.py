"""Who calls: the App by its JWT, an installation or an account by its token; nobody else."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from datetime import timedelta

import jwt
from aiohttp import web

from demo.github.state import RepositoryState, State, User, iso, now

TOKEN_HOUR = timedelta(hours=1)
LONGEST_JWT_SECONDS = 600


class Denied(Exception):
    """401: with GitHub's sentence."""


class Forbidden(Exception):
    """403: with GitHub's sentence."""


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
    token = _bearer(request)
    if token not in state.tokens:
        raise Denied("Bad credentials")
    installation_id, _, ends = state.tokens[token]
    if ends < now():
        raise Denied("Bad credentials")
    return installation_id


def account_of(state: State, request: web.Request) -> User:
    """By whom a REST call is: an account with its token, or the App. Raises Denied."""
    account = state.push_tokens.get(_bearer(request))
    if account is None:
        installation_of(state, request)
        return state.app_account
    return account


def only_an_app(state: State, request: web.Request) -> None:
    """Check that no account calls, but the App. Raises Denied, Forbidden."""
    if account_of(state, request) is not state.app_account:
        raise Forbidden("You must authenticate via a GitHub App.")


def sees(state: State, request: web.Request, repository: RepositoryState) -> bool:
    """Whether a REST call may know of a repository. Raises Denied."""
    account = state.push_tokens.get(_bearer(request))
    if account is None:
        return installation_of(state, request) == repository.installation_id
    return repository.role_of(account) != "none"


def may_clone(state: State, request: web.Request, repository: RepositoryState) -> bool:
    """Whether git's call carries a token that reads this repository; public ones need none."""
    if not request.headers.get("Authorization"):
        return not repository.private
    token = _basic(request)
    if token in state.push_tokens:
        return repository.role_of(state.push_tokens[token]) != "none"
    if token not in state.tokens:
        return False
    installation_id, only, ends = state.tokens[token]
    mine = installation_id == repository.installation_id
    return mine and ends > now() and (only is None or repository.id in only)


def pusher_of(state: State, request: web.Request, repository: RepositoryState) -> User:
    """Whose token git's call carries, who may push there. Raises Denied, Forbidden."""
    token = _basic(request)
    if token in state.tokens:
        raise Forbidden("Write access to repository not granted.")
    if token not in state.push_tokens:
        raise Denied("Authentication failed")
    account = state.push_tokens[token]
    if not state.may_write(repository, account):
        raise Forbidden(f"Permission to {repository.full_name}.git denied to {account.login}.")
    return account


def _bearer(request: web.Request) -> str:
    """The token of a REST call, empty where there is none."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind.lower() in {"bearer", "token"} else ""


def _basic(request: web.Request) -> str:
    """The token of git's call, empty where there is none."""
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        user, _, token = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        return ""
    return token if (kind.lower(), user) == ("basic", "x-access-token") else ""
