"""The webhook's door, by HTTP: what it takes, what it refuses, and that it loses nothing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.database import Database, connect
from bot.adapters.mongo.inbox import MongoInbox
from bot.ports.inbox import ItemState
from bot.web.metrics import Metrics
from bot.web.webhook import LARGEST_BODY, WebhookDoor
from tests.flow.rig import bot
from tests.octokit import examples, packages
from tests.stand_in import stage

pytestmark = pytest.mark.database
SECRET = "a secret of GitHub's and ours"
CLOCK = SystemClock()
PUSH = {
    "ref": "refs/heads/main",
    "after": "a" * 40,
    "repository": {"id": 7, "name": "shop", "owner": {"login": "octo"}, "private": False},
    "installation": {"id": 1},
}


class Door:
    """The door on its own, over a real inbox."""

    def __init__(self, session: aiohttp.ClientSession, url: str, inbox: MongoInbox) -> None:
        self.session = session
        self.url = url
        self.inbox = inbox

    async def post(
        self, body: bytes, *, signature: str | None = None, **headers: str
    ) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        """Post a body; correctly signed unless said otherwise."""
        if signature is None:
            signature = sign(body)
        sent = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": hashlib.sha256(body).hexdigest()[:36],
            "X-Hub-Signature-256": signature,
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in sent.items() if value}
        async with self.session.post(self.url, data=io.BytesIO(body), headers=kept) as response:
            return response.status, await response.json(), response.headers


def sign(body: bytes) -> str:
    return f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    inbox = MongoInbox(database, timedelta(days=1))
    webhook = WebhookDoor(["an older secret", SECRET], 1, inbox, CLOCK, Metrics())
    application = web.Application(client_max_size=LARGEST_BODY)
    application.router.add_post("/webhooks/github", webhook.post)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        yield Door(session, f"http://127.0.0.1:{port}/webhooks/github", inbox)
    await runner.cleanup()


def body(**more: object) -> bytes:
    return json.dumps(PUSH | more).encode()


async def test_durable_before_its_answer(door: Door) -> None:
    status, told, _ = await door.post(body(), X_GitHub_Delivery="one")
    assert (status, told) == (202, {"delivery": "one", "status": "new"})
    kept = await door.inbox.get("one")
    assert kept is not None
    assert (kept.state, kept.item.key, kept.item.body) == (ItemState.READY, "7:0", body())


async def test_a_duplicate_is_no_work(door: Door) -> None:
    await door.post(body(), X_GitHub_Delivery="one")
    status, told, _ = await door.post(body(), X_GitHub_Delivery="one")
    assert (status, told["status"]) == (202, "duplicate")


async def test_a_duplicate_of_a_failed_one_reopens_it(door: Door) -> None:
    await door.post(body(), X_GitHub_Delivery="one")
    claim = await door.inbox.claim("me")
    assert claim is not None
    await door.inbox.finish(claim, ItemState.DEAD, "a bug")
    status, told, _ = await door.post(body(), X_GitHub_Delivery="one")
    assert (status, told["status"]) == (202, "reopened")


async def test_many_at_once_are_each_told_right(door: Door) -> None:
    """Groups of one write, with duplicates among them."""
    answers = await asyncio.gather(
        *(door.post(body(n=n), X_GitHub_Delivery=f"{n % 150}") for n in range(300))
    )
    assert {status for status, _, _ in answers} == {202}
    said = [told["status"] for _, told, _ in answers]
    assert (said.count("new"), said.count("duplicate")) == (150, 150)
    assert (await door.inbox.waiting())[ItemState.READY] == 150


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        sign(body(other=True)),
        sign(body()).upper(),
        "sha1=" + hmac.new(SECRET.encode(), body(), hashlib.sha1).hexdigest(),
        sign(body()).removeprefix("sha256="),
        "sha256=é",
    ],
)
async def test_unsigned(door: Door, signature: str) -> None:
    status, told, _ = await door.post(body(), signature=signature)
    assert (status, told["error"]) == (401, "X-Hub-Signature-256 is missing or wrong")
    assert (await door.inbox.waiting())[ItemState.READY] == 0


async def test_an_older_secret_still_opens(door: Door) -> None:
    older = hmac.new(b"an older secret", body(), hashlib.sha256).hexdigest()
    assert (await door.post(body(), signature=f"sha256={older}"))[0] == 202


@pytest.mark.parametrize(
    ("sent", "headers", "error"),
    [
        (b"", {}, "no JSON"),
        (b"{", {}, "no JSON"),
        (b"[]", {}, "no JSON object"),
        (b"\xff\xfe", {}, "no JSON"),
        (b"[" * 100_000, {}, "no JSON"),
        (body(), {"X_GitHub_Event": ""}, "X-GitHub-Event is missing"),
        (body(), {"X_GitHub_Delivery": ""}, "X-GitHub-Delivery is missing"),
        (body(), {"X_GitHub_Delivery": "x" * 101}, "X-GitHub-Delivery is missing or no name"),
        (body(), {"X_GitHub_Event": "codegenapp.validation_ended"}, "no event of GitHub's"),
        (b"payload=%7B", {"Content_Type": "application/x-www-form-urlencoded"}, "no JSON"),
        (b"other=1", {"Content_Type": "application/x-www-form-urlencoded"}, "no field `payload`"),
    ],
)
async def test_malformed(door: Door, sent: bytes, headers: dict[str, str], error: str) -> None:
    status, told, _ = await door.post(sent, **headers)
    assert status == 400
    assert error in told["error"]


async def test_a_form_is_taken_too(door: Door) -> None:
    form = urlencode({"payload": body().decode()}).encode()
    headers = {"Content_Type": "application/x-www-form-urlencoded", "X_GitHub_Delivery": "one"}
    assert (await door.post(form, **headers))[0] == 202
    kept = await door.inbox.get("one")
    assert kept is not None
    assert kept.item.body == body()


async def test_a_payload_that_lacks_what_is_needed_is_kept_with_the_reason(door: Door) -> None:
    assert (await door.post(b"{}", X_GitHub_Delivery="one"))[0] == 202
    kept = await door.inbox.get("one")
    assert kept is not None
    assert (kept.state, kept.reason) == (ItemState.DONE, "malformed: ref: wants a text")


async def test_the_largest_body(door: Door) -> None:
    padding = "x" * (LARGEST_BODY - len(body(padding="")))
    large = body(padding=padding)
    assert len(large) == LARGEST_BODY
    assert (await door.post(large, X_GitHub_Delivery="large"))[0] == 202
    kept = await door.inbox.get("large")
    assert kept is not None
    assert kept.item.body == large
    assert (await door.post(large + b" "))[0] == 413


async def test_an_endless_body_is_not_read_to_its_end(door: Door) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 1024 * 1024

    async with door.session.post(door.url, data=pieces()) as response:
        assert response.status == 413


async def test_what_can_not_be_recorded_is_asked_for_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is away: its address leads nowhere."""
    monkeypatch.setattr("bot.adapters.mongo.database.SELECTION_MILLISECONDS", 300)
    async with connect("mongodb://127.0.0.1:1/?replicaSet=rs0", "nowhere", CLOCK) as nowhere:
        door.inbox._items = nowhere.collection("inbox")
        status, told, headers = await door.post(body())
    assert (status, headers["Retry-After"]) == (503, "5")
    assert told["error"] == "it could not be recorded; try again"


FOREIGN_SIGNER = """
import {sign} from '%s/@octokit/webhooks-methods/dist-node/index.js';
import {readFileSync} from 'node:fs';
const {secret, bodies} = JSON.parse(readFileSync(0));
console.log(JSON.stringify(await Promise.all(bodies.map((body) => sign(secret, body)))));
"""


async def test_all_real_payloads_by_a_foreign_signer(mongodb: str, tmp_path: Path) -> None:
    """Each of them goes through the door and, if anybody listens, through its handlers."""
    real = examples()
    assert len(real) == 329
    bodies = [json.dumps(it.payload) for it in real]
    async with (
        stage(tmp_path / "repository") as on,
        bot(on, mongodb, tmp_path, speed=200.0) as it,
        aiohttp.ClientSession() as session,
    ):
        signed = await asyncio.to_thread(
            subprocess.run,
            ["node", "--input-type=module", "-e", FOREIGN_SIGNER % packages()],
            input=json.dumps({"secret": on.github.secret, "bodies": bodies}),
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        statuses = []
        for n, signature in enumerate(json.loads(signed.stdout)):
            headers = {
                "Content-Type": "application/json",
                "X-GitHub-Event": real[n].name,
                "X-GitHub-Delivery": f"example-{n}",
                "X-Hub-Signature-256": signature,
            }
            async with session.post(
                on.github.hook_url, data=bodies[n].encode(), headers=headers
            ) as response:
                statuses.append(response.status)
        assert statuses == [202] * len(real)
        await it.idle_inbox()
        async with asyncio.timeout(60):
            while (await it.it.inbox.waiting())[ItemState.READY]:
                await CLOCK.sleep(0.05)
        crashed = [reason for reason in await it.dead() if "Error" in reason or "bug" in reason]
        assert crashed == []
        for n in range(len(real)):
            kept = await it.it.inbox.get(f"example-{n}")
            assert kept is not None
            assert kept.state is ItemState.DONE, (real[n].name, kept.reason)
            assert kept.reason, real[n].name
