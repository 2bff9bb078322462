"""``StandInGitHub``: the server, and what people do on it (push, open, close, ask again)."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from demo.github.access import Denied
from demo.github.answers import not_found, problem
from demo.github.checks import Invalid
from demo.github.conversations import add_comment
from demo.github.faults import Fault, Faults, drop
from demo.github.git_http import GitOverHttp
from demo.github.objects import Objects
from demo.github.rest import Rest
from demo.github.state import (
    CheckRunState,
    CommentState,
    DeliveryState,
    InstallationState,
    IssueState,
    PullRequestState,
    RepositoryState,
    State,
    User,
    now,
)

HOOK_SECONDS = 10.0
LARGEST_BODY = 8 * 1024 * 1024
ZEROS = "0" * 40


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


class StandInGitHub:
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
        self.secret = secrets.token_hex(20)
        self.url = ""
        self.faults = Faults()
        self.look_on: Callable[[Exchange], None] = lambda _exchange: None
        self.state = State(app_id, "codegenapp", public.decode())
        self.git = GitOverHttp(self.state)
        self._port = port
        self._objects = Objects(self.state, "")
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def hook_url(self) -> str:
        """Where webhooks go, empty for nowhere."""
        return self.state.hook_url

    @hook_url.setter
    def hook_url(self, url: str) -> None:
        self.state.hook_url = url

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._around], client_max_size=LARGEST_BODY)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        self.git.add_to(application)
        rest = Rest(self.state, self._objects, self.redeliver)
        rest.add_to(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._objects.url = self.url
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
        if fault is not None and fault is not Fault.LOST_ANSWER:
            return await self.faults.answer(fault, request)
        sent = await request.read()
        response = await self._answered(request, handler)
        if fault is Fault.LOST_ANSWER:
            return drop(request)
        if not is_git and isinstance(response, web.Response):
            resource = request.match_info.route.resource
            self.look_on(
                Exchange(
                    request.method,
                    request.path,
                    resource.canonical if resource else "",
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

    # ── what people do ───────────────────────────────────────────────────────────────────────

    async def open_pull_request(
        self,
        repository: RepositoryState,
        branch: str,
        *,
        author: User,
        title: str = "",
        draft: bool = False,
        fork: RepositoryState | None = None,
        silent: bool = False,
    ) -> PullRequestState:
        """Open a pull request of a branch, and tell of it."""
        head_sha = await repository.commit(branch)
        pull = PullRequestState(
            id=next(self.state.ids),
            number=repository.next_number,
            title=title or branch,
            author=author,
            head_branch=branch,
            base_branch=repository.default_branch,
            head_sha=head_sha,
            head_repository_id=(fork or repository).id,
            created_at=now(),
            updated_at=now(),
            draft=draft,
        )
        repository.pull_requests[pull.number] = pull
        await repository.git("update-ref", f"refs/pull/{pull.number}/head", pull.head_sha)
        if not silent:
            await self.tell_of(repository, pull, "opened", author)
        return pull

    async def push(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        commit: str,
        *,
        sender: User,
        silent: bool = False,
    ) -> None:
        """Move a pull request's head to a commit, and tell of it."""
        before, pull.head_sha = pull.head_sha, await repository.commit(commit)
        pull.updated_at = now()
        await repository.git("update-ref", f"refs/pull/{pull.number}/head", pull.head_sha)
        if pull.head_repository_id == repository.id:
            await repository.git("update-ref", f"refs/heads/{pull.head_branch}", pull.head_sha)
        if not silent:
            more = {"before": before, "after": pull.head_sha}
            await self.tell_of(repository, pull, "synchronize", sender, more)

    async def close(
        self, repository: RepositoryState, pull: PullRequestState, *, sender: User
    ) -> None:
        """Close a pull request."""
        pull.state = "closed"
        await self.tell_of(repository, pull, "closed", sender)

    def open_issue(self, repository: RepositoryState, *, author: User, title: str) -> IssueState:
        """Open an issue."""
        issue = IssueState(
            next(self.state.ids), repository.next_number, title, "", author, now(), now()
        )
        repository.issues[issue.number] = issue
        return issue

    async def comment(
        self,
        repository: RepositoryState,
        number: int,
        body: str,
        *,
        author: User,
        kind: str = "issue",
    ) -> CommentState:
        """Write a comment, a ``review`` or an ``inline`` comment, and tell of it."""
        made = add_comment(self.state, repository, number, author, body, kind)
        await self.tell_of_comment(repository, made)
        return made

    async def tell_of_comment(
        self, repository: RepositoryState, it: CommentState, action: str = "", guid: str = ""
    ) -> DeliveryState:
        """Send the event of a comment, by its kind."""
        told = self._objects.comment(repository, it)
        pull = repository.pull_requests.get(it.number)
        payload: dict[str, Any] = {"action": action or "created", "comment": told}
        event = "issue_comment"
        if it.kind == "issue":
            issue = repository.issues.get(it.number)
            payload["issue"] = self._objects.issue(repository, pull or issue)
        else:
            assert pull is not None
            base_sha = await repository.commit(pull.base_branch)
            payload["pull_request"] = self._objects.pull_request(repository, pull, base_sha)
            event = "pull_request_review_comment"
            if it.kind == "review":
                event = "pull_request_review"
                payload |= {"action": action or "submitted", "review": payload.pop("comment")}
        return await self.send(event, payload, repository, it.author, guid=guid)

    async def tell_of(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        action: str,
        sender: User,
        more: Mapping[str, Any] | None = None,
    ) -> DeliveryState:
        """Send ``pull_request`` with an action."""
        base_sha = await repository.commit(pull.base_branch)
        payload = {
            "action": action,
            "number": pull.number,
            "pull_request": self._objects.pull_request(repository, pull, base_sha),
            **(more or {}),
        }
        return await self.send("pull_request", payload, repository, sender)

    async def ask_again(
        self, repository: RepositoryState, run: CheckRunState, *, sender: User
    ) -> DeliveryState:
        """Press "Re-run" at a check run."""
        payload = {"action": "rerequested", "check_run": self._objects.check_run(run)}
        return await self.send("check_run", payload, repository, sender)

    async def press(
        self, repository: RepositoryState, run: CheckRunState, identifier: str, *, sender: User
    ) -> DeliveryState:
        """Press a button of a check run."""
        payload = {
            "action": "requested_action",
            "check_run": self._objects.check_run(run),
            "requested_action": {"identifier": identifier},
        }
        return await self.send("check_run", payload, repository, sender)

    async def send(
        self,
        event: str,
        payload: Mapping[str, Any],
        repository: RepositoryState | None,
        sender: User,
        *,
        guid: str = "",
    ) -> DeliveryState:
        """Deliver a webhook; ``repository``, ``installation`` and ``sender`` are added."""
        told: dict[str, Any] = dict(payload) | {"sender": self._objects.user(sender)}
        if repository is not None:
            told["repository"] = self._objects.repository(repository)
            told["installation"] = {
                "id": repository.installation_id,
                "node_id": f"I_{repository.installation_id}",
            }
        delivery = DeliveryState(
            id=next(self.state.ids),
            guid=guid or str(uuid.uuid4()),
            event=event,
            action=told.get("action"),
            body=json.dumps(told).encode(),
            delivered_at=now(),
            status_code=0,
            installation_id=repository.installation_id if repository else None,
            repository_id=repository.id if repository else None,
        )
        self.state.deliveries.append(delivery)
        delivery.status_code = await self._post(delivery)
        return delivery

    async def redeliver(self, attempt_id: int) -> None:
        """Send a known delivery once more, under its GUID. Raises LookupError."""
        known = next((it for it in self.state.deliveries if it.id == attempt_id), None)
        if known is None:
            raise LookupError(attempt_id)
        again = DeliveryState(
            **{
                **vars(known),
                "id": next(self.state.ids),
                "delivered_at": now(),
                "redelivery": True,
                "status_code": 0,
            }
        )
        self.state.deliveries.append(again)
        again.status_code = await self._post(again)

    async def _post(self, delivery: DeliveryState) -> int:
        if not self.hook_url or self._session is None:
            return 0
        signature = hmac.new(self.secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/stand-in",
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Hook-ID": "1",
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        try:
            async with self._session.post(
                self.hook_url, data=delivery.body, headers=headers
            ) as response:
                return response.status
        except (TimeoutError, aiohttp.ClientError):
            return 0
