"""``GitHubApp``: fulfils ``bot.ports.github`` over GitHub's REST API."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from urllib.parse import quote

import aiohttp
from cachetools import TTLCache

from bot.adapters.github.attachments import Attachments
from bot.adapters.github.calls import Calls, path_of
from bot.adapters.github.merging import Merging
from bot.adapters.github.reading import (
    Json,
    change_of,
    check_run_of,
    comment_of,
    issue_of,
    paths_of,
    payloads,
    pull_request_of,
    repository_of,
    tree_of,
)
from bot.adapters.github.tokens import AppCredentials
from bot.adapters.pacing import Pace
from bot.domain.changes import ChangeContext
from bot.domain.check_runs import CHECK_NAME, CheckRun, CheckView
from bot.domain.comments import Comment, CommentKind, CommentReference, Reaction
from bot.domain.conversations import Issue
from bot.domain.repositories import Permission, PullRequest, Repository
from bot.domain.validations import iso8601
from bot.ports.clock import Clock
from bot.ports.github import File, Image, Installation, Missed, NotFound

PERMISSION_SECONDS = 60
MOST_PERMISSIONS = 10_000
MOST_CHANGED_PATHS = 3_000
MOST_OPEN = 300
"""Open pull requests that are looked through for a commit, the newest first."""
MOST_DELIVERIES = 2_000


class GitHubApp(Merging):
    """See ``bot.ports.github``; what concerns merges is in ``Merging``."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        credentials: AppCredentials,
        pace: Pace,
        clock: Clock,
        api_url: str,
        url: str = "https://github.com",
    ) -> None:
        calls = Calls(session, credentials, pace, clock, api_url)
        super().__init__(calls, credentials.app_id, clock)
        self._attachments = Attachments(session, url)
        self._permissions: TTLCache[tuple[int, str], Permission] = TTLCache(
            MOST_PERMISSIONS, PERMISSION_SECONDS, timer=lambda: clock.now().timestamp()
        )
        self._login = ""

    # ── the App itself ───────────────────────────────────────────────────────────────────────

    async def own_login(self) -> str:
        if not self._login:
            self._login = f"{(await self._calls.get_as_app('/app'))['slug']}[bot]"
        return self._login

    async def installations(self) -> AsyncIterator[Installation]:
        async for told in self._calls.pages_as_app("/app/installations?per_page=100"):
            account = (told.get("account") or {}).get("login") or ""
            yield Installation(told["id"], account, bool(told.get("suspended_at")))

    async def deliveries(self, since: datetime) -> AsyncIterator[Missed]:
        count = 0
        async for told in self._calls.pages_as_app("/app/hook/deliveries?per_page=100"):
            delivered_at = datetime.fromisoformat(told["delivered_at"])
            count += 1
            if delivered_at < since or count > MOST_DELIVERIES:
                return
            delivered = 200 <= told["status_code"] < 300
            yield Missed(told["id"], told["guid"], told["event"], delivered_at, delivered)

    async def redeliver(self, attempt_id: int) -> None:
        url = f"/app/hook/deliveries/{attempt_id}/attempts"
        await self._calls.post_as_app(url)

    # ── reads ────────────────────────────────────────────────────────────────────────────────

    async def installation_repositories(self, installation_id: int) -> AsyncIterator[Repository]:
        url = "/installation/repositories?per_page=100"
        async for told in self._calls.pages(installation_id, url, "repositories"):
            yield repository_of(told, installation_id)

    async def repository(self, repository: Repository) -> Repository:
        told = await self._calls.get(repository, f"/repositories/{repository.id}")
        return repository_of(told, repository.installation_id)

    async def issue(self, repository: Repository, number: int) -> Issue:
        return issue_of(await self._calls.get(repository, f"{path_of(repository)}/issues/{number}"))

    async def image(self, url: str) -> Image | None:
        return await self._attachments.image(url)

    async def pull_request(self, repository: Repository, number: int) -> PullRequest:
        return pull_request_of(
            await self._calls.get(repository, f"{path_of(repository)}/pulls/{number}")
        )

    async def open_pull_requests(
        self, repository: Repository, *, head_branch: str = "", base_branch: str = ""
    ) -> AsyncIterator[PullRequest]:
        url = f"{path_of(repository)}/pulls?state=open&sort=created&direction=desc&per_page=100"
        if head_branch:
            url += f"&head={quote(repository.owner)}:{quote(head_branch, safe='')}"
        if base_branch:
            url += f"&base={quote(base_branch, safe='')}"
        count = 0
        async for told in self._calls.pages(repository.installation_id, url):
            yield pull_request_of(told)
            count += 1
            if count >= MOST_OPEN:
                return

    async def pull_requests_of(self, repository: Repository, head_sha: str) -> Sequence[int]:
        told = await self._calls.get(repository, f"{path_of(repository)}/commits/{head_sha}/pulls")
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
        url = f"{path_of(repository)}/pulls/{number}/files?per_page=100"
        paths: list[str] = []
        async for told in self._calls.pages(repository.installation_id, url):
            paths.extend(paths_of(told))
            if len(paths) >= MOST_CHANGED_PATHS:
                break
        return paths

    async def comparison(
        self, repository: Repository, base_sha: str, head_sha: str
    ) -> ChangeContext:
        return change_of(await self._compare(repository, base_sha, head_sha))

    async def paths_between(
        self, repository: Repository, base_sha: str, head_sha: str
    ) -> Sequence[str]:
        """See the port.

        GitHub compares with what both have in common. Where the head does not stand upon the base
        (a force push), the paths are those of either side since then: a file that both changed
        alike is among them, but none that differs is left out.
        """
        told = await self._compare(repository, base_sha, head_sha)
        paths = [path for file in told.get("files") or () for path in paths_of(file)]
        if told["status"] in ("diverged", "behind"):
            back = await self._compare(repository, head_sha, base_sha)
            if tree_of(told["base_commit"]) == tree_of(back["base_commit"]):
                return []
            paths += [path for file in back.get("files") or () for path in paths_of(file)]
        return list(dict.fromkeys(paths))

    async def _compare(self, repository: Repository, base: str, head: str) -> Json:
        url = f"{path_of(repository)}/compare/{base}...{head}?per_page=100"
        told: Json = await self._calls.get(repository, url)
        return told

    async def read_file(self, repository: Repository, path: str, ref: str) -> File | None:
        url = f"{path_of(repository)}/contents/{quote(path)}"
        if ref:
            url += f"?ref={quote(ref, safe='')}"
        try:
            told = await self._calls.get(repository, url)
        except NotFound:
            return None
        if not isinstance(told, dict) or told.get("encoding") != "base64":
            return None  # a folder, a submodule, or more than a megabyte
        return File(path, told["sha"], base64.b64decode(told["content"]))

    async def permission(self, repository: Repository, login: str) -> Permission:
        known = self._permissions.get((repository.id, login.casefold()))
        if known is not None:
            return known
        url = f"{path_of(repository)}/collaborators/{quote(login, safe='')}/permission"
        try:
            told = await self._calls.get(repository, url)
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
            f"{path_of(repository)}/commits/{head_sha}/check-runs"
            f"?check_name={name}&app_id={self._app_id}&filter=all&per_page=100"
        )
        found = self._calls.pages(repository.installation_id, url, "check_runs")
        return sorted([check_run_of(it) async for it in found], key=lambda it: -it.id)

    # ── writes ───────────────────────────────────────────────────────────────────────────────

    async def create_check_run(self, repository: Repository, view: CheckView) -> CheckRun:
        first, *rest = payloads(view, fresh=True)
        url = f"{path_of(repository)}/check-runs"
        made = check_run_of(await self._calls.post(repository, url, first))
        for payload in rest:
            await self._calls.patch(repository, f"{url}/{made.id}", payload)
        return made

    async def update_check_run(
        self, repository: Repository, check_run_id: int, view: CheckView
    ) -> None:
        for payload in payloads(view, fresh=False):
            await self._calls.patch(
                repository, f"{path_of(repository)}/check-runs/{check_run_id}", payload
            )

    async def add_label(self, repository: Repository, number: int, label: str) -> None:
        url = f"{path_of(repository)}/issues/{number}/labels"
        await self._calls.post(repository, url, {"labels": [label]})

    async def remove_label(self, repository: Repository, number: int, label: str) -> None:
        url = f"{path_of(repository)}/issues/{number}/labels/{quote(label, safe='')}"
        with suppress(NotFound):  # it has none of that name
            await self._calls.delete(repository, url)

    # ── comments ─────────────────────────────────────────────────────────────────────────────

    async def comments(
        self, repository: Repository, number: int, since: datetime | None = None
    ) -> AsyncIterator[Comment]:
        url = f"{path_of(repository)}/issues/{number}/comments?per_page=100"
        if since is not None:
            url += f"&since={quote(iso8601(since), safe='')}"
        async for told in self._calls.pages(repository.installation_id, url):
            yield comment_of(told)

    async def create_comment(self, repository: Repository, number: int, body: str) -> int:
        url = f"{path_of(repository)}/issues/{number}/comments"
        return comment_of(await self._calls.post(repository, url, {"body": body})).id

    async def update_comment(self, repository: Repository, comment_id: int, body: str) -> None:
        url = f"{path_of(repository)}/issues/comments/{comment_id}"
        await self._calls.turn(repository, "edits")
        await self._calls.patch(repository, url, {"body": body})

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
        url = f"{path_of(repository)}/{at}/reactions"
        await self._calls.post(repository, url, {"content": reaction.value})

    async def clone_token(self, repository: Repository) -> str:
        return await self._calls.tokens.of_contents(repository.installation_id, repository.id)
