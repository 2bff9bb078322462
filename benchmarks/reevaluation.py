"""2,000 open pull requests, all green and wanted, when their base moves: what GitHub is asked.

Reach: a tenth of the calls of a look at each, no limit passed, and all merged that may be.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from assembly.doors import doors
from assembly.hands import needs_of, worker_of
from assembly.house import House, house
from benchmarks.reevaluation_stand_in import Call, Pull, StandIn, Told
from benchmarks.tables import Machine, Table, arguments, publish
from bot.adapters.clock import SystemClock
from bot.adapters.mongo.embedded import EmbeddedMongo
from bot.adapters.render import TemplateRenderer
from bot.domain.effects import ValidationOrder
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import ValidationStatus, Verdict
from bot.log import configure
from bot.policy.merge import explain
from bot.services.projects import ProjectService
from bot.settings import Settings
from bot.work.worker import PLACES
from handlers.merging import gather
from sandbox.docker import DockerEngine

PULLS, APPROVED = 2_000, 3
REACH = 0.1
PATIENCE = 1_800.0
SOON = timedelta(seconds=60)
AT_A_TIME = 50
CLOCK = SystemClock()
REMARK = """\
{pulls:,} open pull requests of one repository, all validated green and to be merged by themselves;
{approved} are approved, the others wait for that. Somebody pushes to their base, and each merge
moves it once more. Doors, worker, handlers and adapter are the product's, over a real `mongod`;
GitHub is the stand-in, in a process of its own with real git, and nearly all of the time is its.
One by one: each one's situation is asked for, {places} at a time; nothing is judged or written.
Allowed are {hourly:,} calls and {hourly:,} points an hour, and in a minute {minute} points of REST
(5 for a write), {graphql:,} of GraphQL, and {content} writes. Reach: for a push at most {reach} of
the calls, no limit passed, and all merged that may be.{missed}"""
HOURLY, A_MINUTE, GRAPHQL_A_MINUTE, CONTENT_A_MINUTE = 5_000, 900, 2_000, 80
"""GitHub's: of an installation's REST calls and GraphQL points; and its secondary limits."""
WRITE_POINTS, MINUTE = 5, 60.0


@dataclass
class Outcome:
    """What a side came to."""

    calls: Sequence[Call]
    merged: int
    pushes: int
    seconds: float
    processor: float
    """Seconds of this process."""

    @property
    def kinds(self) -> Counter[str]:
        """How many calls of each kind."""
        return Counter(it.kind for it in self.calls)

    @property
    def rest(self) -> list[Call]:
        """Those that are not GraphQL's."""
        return [it for it in self.calls if not it.is_query]

    @property
    def queries(self) -> list[Call]:
        """GraphQL's."""
        return [it for it in self.calls if it.is_query]

    @property
    def writes(self) -> list[Call]:
        """Those that change something; tokens are none of them."""
        return [it for it in self.calls if not it.is_read and "access_tokens" not in it.kind]

    @property
    def points(self) -> int:
        """GraphQL's."""
        return sum(it.points for it in self.queries)


def fullest(calls: Iterable[Call], weight: Callable[[Call], int]) -> int:
    """The most within any minute."""
    ordered = sorted(calls)
    most = held = first = 0
    for it in ordered:
        held += weight(it)
        while ordered[first].at <= it.at - MINUTE:
            held -= weight(ordered[first])
            first += 1
        most = max(most, held)
    return most


def used(it: Outcome) -> list[tuple[str, int, int]]:
    """What was used of each limit: its name, how much at most, and how much is allowed."""
    return [
        ("REST calls, of an hour's", len(it.rest), HOURLY),
        ("GraphQL points, of an hour's", it.points, HOURLY),
        (
            "REST points, of a minute's",
            fullest(it.rest, lambda call: 1 if call.is_read else WRITE_POINTS),
            A_MINUTE,
        ),
        (
            "GraphQL points, of a minute's",
            fullest(it.queries, lambda call: call.points),
            GRAPHQL_A_MINUTE,
        ),
        ("writing calls, of a minute's", fullest(it.writes, lambda _call: 1), CONTENT_A_MINUTE),
    ]


# ── the two sides ────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def at_work(told: Told, mongodb: str) -> AsyncIterator[House]:
    """The product's house at the stand-in, with a database of its own."""
    settings = Settings.from_env(
        {
            "MONGODB_URI": mongodb,
            "MONGODB_DATABASE": f"reevaluation_{uuid.uuid4().hex}",
            "SECRET_KEY": "a key for the benchmark",
            "GITHUB_APP_ID": str(told.app_id),
            "GITHUB_PRIVATE_KEY": told.private_key,
            "GITHUB_WEBHOOK_SECRET": told.secret,
            "GITHUB_API_URL": told.url,
            "GITHUB_URL": told.url,
            "PORT": "0",
        }
    )
    async with house(settings, TemplateRenderer()) as it:
        yield it


async def reevaluated(it: House, hub: StandIn) -> Outcome:
    """The product: from the push until nothing is due. Each merge is another push."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(doors(it))
        worker, _ = worker_of(it)
        running = asyncio.ensure_future(worker.run())
        stack.callback(running.cancel)
        began, processor = time.perf_counter(), time.process_time()
        await hub.push(f"{url}/webhooks/github")
        async with asyncio.timeout(PATIENCE):
            while await due(it):
                await CLOCK.sleep(0.2)
        seconds = time.perf_counter() - began
        spent = time.process_time() - processor
    dead = await it.database.collection("inbox").count_documents({"state": "dead"})
    assert not dead, f"{dead} dead letters"
    calls, merged = hub.calls()
    return Outcome(calls, merged, 1 + merged, seconds, spent)


async def due(it: House) -> int:
    """How much is under way, or will be soon."""
    soon = {"state": "ready", "due_at": {"$lte": CLOCK.now() + SOON}}
    return await it.database.collection("inbox").count_documents(
        {"$or": [soon, {"state": "leased"}]}
    )


async def one_by_one(it: House, hub: StandIn) -> Outcome:
    """The floor of a look at each: one call, whose answer is not even judged."""
    repository, room = hub.told.repository, asyncio.Semaphore(PLACES)

    async def ask(number: int) -> None:
        async with room:
            await it.github.merge_situation(repository, number)

    began, processor = time.perf_counter(), time.process_time()
    await asyncio.gather(*(ask(pull.number) for pull in hub.told.pulls))
    seconds, spent = time.perf_counter() - began, time.process_time() - processor
    calls, merged = hub.calls()
    return Outcome(calls, merged, 1, seconds, spent)


async def keep_records(it: House, told: Told) -> None:
    """What the product has of them: projects, green validations, and what it said of each last."""
    await ProjectService(it.projects, it.audit, it.clock).create_project(told.repository)
    waiting = told.pulls[-1]
    await it.validations.add(validated(told, waiting))
    facts = await gather(told.repository, waiting.number, needs_of(it))
    room, said = asyncio.Semaphore(AT_A_TIME), explain(facts)

    async def keep(pull: Pull) -> None:
        async with room:
            await it.validations.add(validated(told, pull))
            changes = {
                "base_branch": facts.pull.base_branch,
                "head_sha": pull.head_sha,
                "explanation": replace(said, head_sha=pull.head_sha),
                "looked_at": facts.now,
            }
            await it.pull_requests.change(told.repository, pull.number, changes)

    await asyncio.gather(*map(keep, told.pulls))


def validated(told: Told, pull: Pull) -> ValidationRecord:
    """A green validation, which GitHub knows of."""
    now = CLOCK.now()
    url = f"{told.url}/{told.repository.full_name}/pull/{pull.number}"
    order = ValidationOrder(
        told.repository,
        pull.head_sha,
        f"refs/pull/{pull.number}/head",
        "main",
        None,
        pull.number,
        url,
        trusted=True,
    )
    return ValidationRecord(
        f"validation-{pull.number}",
        order,
        now,
        status=ValidationStatus.COMPLETED,
        pull_requests=frozenset({pull.number}),
        started_at=now,
        completed_at=now,
        verdict=Verdict.PASSED,
        title="Passed",
        summary="Everything passed.",
        check_run_id=pull.check_run_id,
        check_concluded=True,
    )


# ── the table ────────────────────────────────────────────────────────────────────────────────


async def main() -> int:
    """Measure, and write the table."""
    given = arguments(__doc__, pulls=PULLS, approved=APPROVED)
    configure("warning", "console")
    engine = DockerEngine(None)
    machine = await Machine.look(engine)
    await engine.close()
    with tempfile.TemporaryDirectory() as home:
        async with EmbeddedMongo(Path(home), CLOCK) as mongo:
            hub = StandIn(Path(home) / "shop", given.pulls, given.approved)
            async with at_work(hub.told, mongo.uri) as it:
                await keep_records(it, hub.told)
                hub.calls()
                floor = await one_by_one(it, hub)
                ours = await reevaluated(it, hub)
            hub.end()
    faults = faults_of(ours, floor, given.approved)
    remark = REMARK.format(
        pulls=given.pulls,
        approved=given.approved,
        places=PLACES,
        hourly=HOURLY,
        minute=A_MINUTE,
        graphql=GRAPHQL_A_MINUTE,
        content=CONTENT_A_MINUTE,
        reach=REACH,
        missed=f" **Missed**: {', '.join(faults)}." if faults else "",
    )
    table = Table(
        ("", f"product, {ours.pushes} pushes", "one by one, 1 push", "ratio of one push"),
        rows_of(ours, floor),
        (remark,),
    )
    command = "python -m benchmarks.reevaluation"
    publish("reevaluation", command, machine, table, page=not given.no_page)
    return 1 if faults else 0


def faults_of(ours: Outcome, floor: Outcome, approved: int) -> list[str]:
    """What was to be reached and was not."""
    faults = [f"{name}: {count} of {most}" for name, count, most in used(ours) if count > most]
    if len(ours.calls) / ours.pushes > REACH * len(floor.calls):
        faults.append("too many calls")
    if ours.merged != approved:
        faults.append(f"{ours.merged} were merged")
    return faults


def rows_of(ours: Outcome, floor: Outcome) -> list[Sequence[str]]:
    """What stands in the table."""
    rows: list[Sequence[str]] = []
    for name, mine, theirs in (
        ("calls", len(ours.calls), len(floor.calls)),
        ("GraphQL: queries", len(ours.queries), len(floor.queries)),
        ("points", ours.points, floor.points),
        ("REST: reads", len(ours.rest) - len(ours.writes), len(floor.rest) - len(floor.writes)),
        ("writes", len(ours.writes), len(floor.writes)),
    ):
        each = f"**{mine / ours.pushes / theirs:.3f}**" if theirs else ""
        rows.append((name, f"{mine:,}", f"{theirs:,}", each))
    for (name, mine, most), (_, theirs, _) in zip(used(ours), used(floor), strict=True):
        rows.append((f"{name} {most:,}", f"{mine:,}", f"{theirs:,}", ""))
    for name, took, floors in (
        ("time, s", ours.seconds, floor.seconds),
        ("processor of the bot, s", ours.processor, floor.processor),
    ):
        each = f"**{took / ours.pushes / floors:.2f}**"
        rows.append((name, f"{took:.1f}", f"{floors:.1f}", each))
    rows.append(("merged", str(ours.merged), "", ""))
    return rows


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
