"""``GitHubApp``: fulfils ``bot.ports.github`` over GitHub's REST API."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from cachetools import LRUCache, TTLCache

from bot.adapters.github.attachments import Attachments
from bot.adapters.github.client import Client, NotAuthorized
from bot.adapters.github.reading import (
    change_of,
    check_run_of,
    comment_of,
    issue_of,
    payloads,
    pull_request_of,
    repository_of,
)
from bot.adapters.github.tokens import AppCredentials, Tokens, not_authorized
from bot.adapters.pacing import Pace
from bot.domain.changes import ChangeContext
from bot.domain.check_runs import CHECK_NAME, CheckRun, CheckView
from bot.domain.comments import Comment, CommentKind, CommentReference, Reaction
from bot.domain.conversations import Issue
from bot.domain.repositories import Permission, PullRequest, Repository
from bot.domain.validations import iso8601
from bot.ports.clock import Clock
from bot.ports.github import File, GitHub, Image, Installation, Missed, NotFound

T = TypeVar("T")

MOST_INSTALLATIONS = 1_000
CACHED_ANSWERS = 500
PERMISSION_SECONDS = 60
MOST_PERMISSIONS = 10_000
MOST_CHANGED_PATHS = 3_000
MOST_OPEN = 300
"""Open pull requests that are looked through for a commit, the newest first."""
MOST_LISTED = 100_000
MOST_DELIVERIES = 2_000


class GitHubApp(GitHub):
    """See ``bot.ports.github``. One HTTP session, one cache of answers for each installation."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        credentials: AppCredentials,
        pace: Pace,
        clock: Clock,
        api_url: str,
        url: str = "https://github.com",
    ) -> None:
        self._session = session
        self._attachments = Attachments(session, url)
        self._app_id = credentials.app_id
        self._pace = pace
        self._clock = clock
        self._api_url = api_url.rstrip("/")
        self._app = Client(session, clock, self._api_url)
        self._tokens = Tokens(credentials, self._app, clock)
        self._clients: LRUCache[int, Client] = LRUCache(MOST_INSTALLATIONS)
        self._permissions: TTLCache[tuple[int, str], Permission] = TTLCache(
            MOST_PERMISSIONS, PERMISSION_SECONDS, timer=lambda: clock.now().timestamp()
        )
        self._login = ""

    # ── the App itself ───────────────────────────────────────────────────────────────────────

    async def own_login(self) -> str:
        if not self._login:
            self._login = f"{(await self._as_app('/app'))['slug']}[bot]"
        return self._login

    async def installations(self) -> AsyncIterator[Installation]:
        async for told in self._app_pages("/app/installations?per_page=100"):
            account = (told.get("account") or {}).get("login") or ""
            yield Installation(told["id"], account, bool(told.get("suspended_at")))

    async def deliveries(self, since: datetime) -> AsyncIterator[Missed]:
        count = 0
        async for told in self._app_pages("/app/hook/deliveries?per_page=100"):
            delivered_at = datetime.fromisoformat(told["delivered_at"])
            count += 1
            if delivered_at < since or count > MOST_DELIVERIES:
                return
            delivered = 200 <= told["status_code"] < 300
            yield Missed(told["id"], told["guid"], told["event"], delivered_at, delivered)

    async def redeliver(self, attempt_id: int) -> None:
        url = f"/app/hook/deliveries/{attempt_id}/attempts"
        await self._app.post(url, data=b"", jwt=self._tokens.jwt())

    # ── reads ────────────────────────────────────────────────────────────────────────────────

    async def installation_repositories(self, installation_id: int) -> AsyncIterator[Repository]:
        url = "/installation/repositories?per_page=100"
        async for told in self._pages(installation_id, url, "repositories"):
            yield repository_of(told, installation_id)

    async def repository(self, repository: Repository) -> Repository:
        told = await self._get(repository, f"/repositories/{repository.id}")
        return repository_of(told, repository.installation_id)

    async def issue(self, repository: Repository, number: int) -> Issue:
        return issue_of(await self._get(repository, f"{_at(repository)}/issues/{number}"))

    async def image(self, url: str) -> Image | None:
        return await self._attachments.image(url)

    async def pull_request(self, repository: Repository, number: int) -> PullRequest:
        return pull_request_of(await self._get(repository, f"{_at(repository)}/pulls/{number}"))

    async def open_pull_requests(
        self, repository: Repository, *, head_branch: str = ""
    ) -> AsyncIterator[PullRequest]:
        url = f"{_at(repository)}/pulls?state=open&sort=created&direction=desc&per_page=100"
        if head_branch:
            url += f"&head={quote(repository.owner)}:{quote(head_branch, safe='')}"
        count = 0
        async for told in self._pages(repository.installation_id, url):
            yield pull_request_of(told)
            count += 1
            if count >= MOST_OPEN:
                return

    async def pull_requests_of(self, repository: Repository, head_sha: str) -> Sequence[int]:
        told = await self._get(repository, f"{_at(repository)}/commits/{head_sha}/pulls")
        found = [pull_request_of(it) for it in told]
        numbers = [it.number for it in found if it.is_open and it.head_sha == head_sha]
        if not numbers:  # GitHub does not list those of forks there
            numbers = [
                it.number
                async for it in self.open_pull_requests(repository)
                if it.head_sha == head_sha
            ]
        return sorted(numbers)

    async def changed_paths(self, repository: Repository, number: int) -> Sequence[str]:
        url = f"{_at(repository)}/pulls/{number}/files?per_page=100"
        paths: list[str] = []
        async for told in self._pages(repository.installation_id, url):
            paths.append(told["filename"])
            if told.get("previous_filename"):
                paths.append(told["previous_filename"])
            if len(paths) >= MOST_CHANGED_PATHS:
                break
        return paths

    async def comparison(
        self, repository: Repository, base_sha: str, head_sha: str
    ) -> ChangeContext:
        url = f"{_at(repository)}/compare/{base_sha}...{head_sha}?per_page=100"
        return change_of(await self._get(repository, url))

    async def read_file(self, repository: Repository, path: str, ref: str) -> File | None:
        url = f"{_at(repository)}/contents/{quote(path)}"
        if ref:
            url += f"?ref={quote(ref, safe='')}"
        try:
            told = await self._get(repository, url)
        except NotFound:
            return None
        if not isinstance(told, dict) or told.get("encoding") != "base64":
            return None  # a folder, a submodule, or more than a megabyte
        return File(path, told["sha"], base64.b64decode(told["content"]))

    async def permission(self, repository: Repository, login: str) -> Permission:
        known = self._permissions.get((repository.id, login.casefold()))
        if known is not None:
            return known
        url = f"{_at(repository)}/collaborators/{quote(login, safe='')}/permission"
        try:
            told = await self._get(repository, url)
        except NotFound:
            told = {"permission": "none"}
        role = told.get("role_name") or told["permission"]
        # A role of the organisation's own making tells by ``permission`` what it is based on.
        found = Permission(role if role in set(Permission) else told["permission"])
        self._permissions[repository.id, login.casefold()] = found
        return found

    async def find_check_runs(self, repository: Repository, head_sha: str) -> Sequence[CheckRun]:
        name = quote(CHECK_NAME, safe="")
        url = (
            f"{_at(repository)}/commits/{head_sha}/check-runs"
            f"?check_name={name}&app_id={self._app_id}&filter=all&per_page=100"
        )
        found = self._pages(repository.installation_id, url, "check_runs")
        return sorted([check_run_of(it) async for it in found], key=lambda it: -it.id)

    # ── writes ───────────────────────────────────────────────────────────────────────────────

    async def create_check_run(self, repository: Repository, view: CheckView) -> CheckRun:
        first, *rest = payloads(view, fresh=True)
        url = f"{_at(repository)}/check-runs"
        made = check_run_of(await self._post(repository, url, first))
        for payload in rest:
            await self._patch(repository, f"{url}/{made.id}", payload)
        return made

    async def update_check_run(
        self, repository: Repository, check_run_id: int, view: CheckView
    ) -> None:
        for payload in payloads(view, fresh=False):
            await self._patch(repository, f"{_at(repository)}/check-runs/{check_run_id}", payload)

    # ── comments ─────────────────────────────────────────────────────────────────────────────

    async def comments(
        self, repository: Repository, number: int, since: datetime | None = None
    ) -> AsyncIterator[Comment]:
        url = f"{_at(repository)}/issues/{number}/comments?per_page=100"
        if since is not None:
            url += f"&since={quote(iso8601(since), safe='')}"
        async for told in self._pages(repository.installation_id, url):
            yield comment_of(told)

    async def create_comment(self, repository: Repository, number: int, body: str) -> int:
        url = f"{_at(repository)}/issues/{number}/comments"
        return comment_of(await self._post(repository, url, {"body": body})).id

    async def update_comment(self, repository: Repository, comment_id: int, body: str) -> None:
        url = f"{_at(repository)}/issues/comments/{comment_id}"
        await self._pace(f"edits:{repository.installation_id}")
        await self._patch(repository, url, {"body": body})

    async def react(
        self, repository: Repository, comment: CommentReference, reaction: Reaction
    ) -> None:
        if comment.kind is CommentKind.REVIEW:
            return  # GitHub's REST API has no reactions for those
        at = {
            CommentKind.CONVERSATION: f"issues/comments/{comment.id}",
            CommentKind.INLINE: f"pulls/comments/{comment.id}",
            CommentKind.ISSUE: f"issues/{comment.number}",
        }[comment.kind]
        url = f"{_at(repository)}/{at}/reactions"
        await self._post(repository, url, {"content": reaction.value})

    async def clone_token(self, repository: Repository) -> str:
        return await self._tokens.of_contents(repository.installation_id, repository.id)

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    async def _post(self, repository: Repository, url: str, payload: dict[str, Any]) -> Any:
        """Create something, in its turn."""
        await self._pace(f"installation:{repository.installation_id}")
        return await self._with_token(
            repository.installation_id,
            lambda client, token: client.post(url, data=payload, oauth_token=token),
        )

    async def _patch(self, repository: Repository, url: str, payload: dict[str, Any]) -> None:
        await self._with_token(
            repository.installation_id,
            lambda client, token: client.patch(url, data=payload, oauth_token=token),
        )

    async def _get(self, repository: Repository, url: str) -> Any:
        return await self._with_token(
            repository.installation_id,
            lambda client, token: client.getitem(url, oauth_token=token),
        )

    async def _as_app(self, url: str) -> Any:
        try:
            return await self._app.getitem(url, jwt=self._tokens.jwt())
        except NotAuthorized as refusal:
            raise not_authorized(refusal) from refusal

    async def _app_pages(self, url: str) -> AsyncIterator[Any]:
        try:
            async for told in self._app.getiter(url, jwt=self._tokens.jwt()):
                yield told
        except NotAuthorized as refusal:
            raise not_authorized(refusal) from refusal

    async def _pages(
        self, installation_id: int, url: str, key: str | None = None
    ) -> AsyncIterator[Any]:
        """Items of all pages, with the token that is good when each begins."""
        count = 0
        token = await self._tokens.of(installation_id)
        client = self._client(installation_id)
        try:
            async for told in client.getiter(url, oauth_token=token, iterable_key=key):
                yield told
                count += 1
                if count >= MOST_LISTED:
                    return
        except NotAuthorized as refusal:
            self._tokens.forget(installation_id)
            raise not_authorized(refusal) from refusal

    async def _with_token(
        self, installation_id: int, call: Callable[[Client, str], Awaitable[T]]
    ) -> T:
        client = self._client(installation_id)
        try:
            return await call(client, await self._tokens.of(installation_id))
        except NotAuthorized:
            # Revoked, or its hour is over by GitHub's clock: once more with a new one.
            self._tokens.forget(installation_id)
        try:
            return await call(client, await self._tokens.of(installation_id))
        except NotAuthorized as refusal:
            self._tokens.forget(installation_id)
            raise not_authorized(refusal) from refusal

    def _client(self, installation_id: int) -> Client:
        if installation_id not in self._clients:
            self._clients[installation_id] = Client(
                self._session, self._clock, self._api_url, cache=LRUCache(CACHED_ANSWERS)
            )
        return self._clients[installation_id]


def _at(repository: Repository) -> str:
    return f"/repos/{quote(repository.owner)}/{quote(repository.name)}"
