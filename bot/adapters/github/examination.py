"""What ``doctor`` asks GitHub: the App's key, the clock, permissions, events and the webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp

from bot.adapters.github.client import Client, NotAuthorized
from bot.adapters.github.tokens import AppCredentials, Tokens
from bot.domain.problems import TryAgain, UserProblem
from bot.ports.clock import Clock
from bot.ports.github import GitHubProblem
from bot.ports.sandbox import Examined

LOOK_SECONDS = 10.0
MOST_SKEW_SECONDS = 30.0
"""A JWT is dated a minute back and lives nine: a clock may be wrong by less than a minute."""
RECENT = 20
NEEDED: Final[Mapping[str, str]] = {
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "read",
}
EVENTS: Final = (
    "check_run",
    "check_suite",
    "issue_comment",
    "issues",
    "merge_group",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "repository",
    "status",
)
RANKS: Final = ("none", "read", "write", "admin")


@dataclass(frozen=True)
class Examination:
    """Looks at one App; ``door`` is where its deliveries should go, empty where nobody knows."""

    session: aiohttp.ClientSession
    credentials: AppCredentials
    clock: Clock
    api_url: str
    door: str = ""

    async def run(self) -> AsyncIterator[Examined]:
        """Each finding, with its mend."""
        yield await self._clock()
        client = Client(self.session, self.clock, self.api_url.rstrip("/"))
        try:
            token = Tokens(self.credentials, client, self.clock).jwt()
            app = await client.getitem("/app", jwt=token)
        except UserProblem as problem:
            yield Examined("GitHub App", ok=False, detail=problem.message, mend=problem.mend)
            return
        except NotAuthorized as refusal:
            mend = "GITHUB_APP_ID and GITHUB_PRIVATE_KEY must belong together; is the clock right?"
            yield Examined("GitHub App", False, f"the key is not taken: {refusal.message}", mend)
            return
        except (TryAgain, GitHubProblem) as fault:
            yield Examined("GitHub App", False, fault.message, "Is GITHUB_API_URL right?")
            return
        yield Examined("GitHub App", True, f"{app['slug']}, {app['html_url']}")
        yield _permissions(app)
        yield _events(app)
        yield await self._webhook(client, token, app)

    async def _clock(self) -> Examined:
        timeout = aiohttp.ClientTimeout(total=LOOK_SECONDS)
        try:
            async with self.session.get(f"{self.api_url}/zen", timeout=timeout) as response:
                theirs = parsedate_to_datetime(response.headers.get("Date", ""))
        except (aiohttp.ClientError, TimeoutError, ValueError) as fault:
            detail = f"GitHub does not answer: {type(fault).__name__}"
            return Examined("clock", False, detail, f"Can this machine reach {self.api_url}?")
        skew = (self.clock.now() - theirs).total_seconds()
        ok = abs(skew) <= MOST_SKEW_SECONDS
        mend = "" if ok else "Set this machine's clock (NTP); GitHub takes no key from the future."
        return Examined("clock", ok, f"{skew:+.0f} s beside GitHub's", mend)

    async def _webhook(self, client: Client, token: str, app: Mapping[str, Any]) -> Examined:
        settings = f"{app['html_url']} → App settings → Webhook"
        try:
            config = await client.getitem("/app/hook/config", jwt=token)
            url = f"/app/hook/deliveries?per_page={RECENT}"
            recent = await client.getitem(url, jwt=token)
        except (TryAgain, GitHubProblem) as fault:
            return Examined("webhook", False, fault.message, f"Set it up: {settings}.")
        if not config.get("secret"):
            mend = f"Set GITHUB_WEBHOOK_SECRET's value there: {settings}."
            return Examined("webhook", False, "it has no secret; unsigned is refused here", mend)
        if self.door and config.get("url") != self.door:
            detail = f"it goes to {config.get('url') or 'nowhere'}, not to {self.door}"
            return Examined("webhook", False, detail, f"Change its URL: {settings}, or PUBLIC_URL.")
        failed = [it for it in recent if not 200 <= it["status_code"] < 300]
        said = f"{config.get('url')}; {len(recent) - len(failed)} of the last {len(recent)} arrived"
        if recent and recent[0] in failed:
            at = datetime.fromisoformat(recent[0]["delivered_at"])
            said += f"; the last one, {at:%Y-%m-%d %H:%M} UTC, did not: {recent[0]['status']}"
            return Examined("webhook", False, said, "Is `serve` running, and its door reachable?")
        return Examined("webhook", True, said)


def _permissions(app: Mapping[str, Any]) -> Examined:
    has: Mapping[str, str] = app.get("permissions", {})
    lacks = [
        f"{name}: {least}"
        for name, least in NEEDED.items()
        if RANKS.index(has.get(name, "none")) < RANKS.index(least)
    ]
    if not lacks:
        return Examined("permissions", True, ", ".join(f"{k} {v}" for k, v in NEEDED.items()))
    mend = f"Grant them in the App's settings ({app['html_url']}); its owners then accept them."
    return Examined("permissions", False, f"lacks {', '.join(lacks)}", mend)


def _events(app: Mapping[str, Any]) -> Examined:
    lacks = [name for name in EVENTS if name not in app.get("events", [])]
    if not lacks:
        return Examined("events", True, ", ".join(EVENTS))
    mend = f"Subscribe to them in the App's settings ({app['html_url']})."
    return Examined("events", False, f"not subscribed to {', '.join(lacks)}", mend)
