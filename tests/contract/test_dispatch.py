"""The promises of the inbox's hands, one by one, over a real inbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.inbox import MongoInbox
from bot.adapters.mongo.records import MongoAuditLog
from bot.domain.effects import Decision, Effect, PublishCheck
from bot.domain.events import Pinged
from bot.domain.problems import AssumptionFailed, TryAgain, UserProblem
from bot.domain.webhooks import Own
from bot.ports.github import Forbidden, InstallationGone
from bot.ports.handlers import Context, Handle, HandlerSpec, Needs, Routes
from bot.ports.inbox import Item, ItemState, Kept
from bot.work.dispatch import MOST_BUGS, MOST_REFUSALS, Dispatcher
from bot.work.worker import Worker

pytestmark = pytest.mark.database
NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEPT = timedelta(days=1)


class Hasty(SystemClock):
    """A clock for which every delay is over at once."""

    def now(self) -> datetime:
        return super().now() + self.ahead

    def __init__(self) -> None:
        self.ahead = timedelta(0)


@dataclass
class Hands:
    """A worker with these handlers; ``done`` are the effects that were carried out, in order."""

    database: Database
    handlers: Sequence[tuple[str, Handle]]
    done: list[str] = field(default_factory=list)
    fault: Callable[[str], None] = lambda _effect: None
    clock: Hasty = field(default_factory=Hasty)

    def __post_init__(self) -> None:
        database = Database(self.database.client, self.database.database, self.clock)
        self.inbox = MongoInbox(database, KEPT)
        audit = MongoAuditLog(database, KEPT)
        nothing: dict[str, Any] = dict.fromkeys(Needs.__dataclass_fields__)  # they read nothing
        needs = Needs(**nothing | {"clock": self.clock})
        routes: Routes = {
            Pinged: tuple(HandlerSpec(name, handle) for name, handle in self.handlers)
        }
        dispatcher = Dispatcher(routes, needs, self.inbox, self._apply, audit)

        async def own() -> Own:
            return Own(1, "bot")

        self.audit = audit
        self.worker = Worker(self.inbox, dispatcher, own, "test", self.clock)

    async def _apply(self, effect: Effect, context: Context, index: int) -> str:
        assert isinstance(effect, PublishCheck)
        kept = await self.inbox.get("one")
        assert kept is not None
        stored = kept.progress[context.handler]
        assert stored.decision is not None, "the decision is stored before its first effect"
        assert effect in stored.decision.effects
        assert len(stored.outcomes) == index
        self.fault(effect.validation_id)
        self.done.append(effect.validation_id)
        return "done"

    async def play(self, body: bytes = b'{"hook_id": 1}') -> Kept:
        """Take one delivery through, as often as is due; gives how it ended."""
        await self.inbox.add([Item("one", "ping", body, "app", 0, NOW)])
        for _ in range(40):
            await self.worker.drain()
            kept = await self.inbox.get("one")
            assert kept is not None
            if kept.state in (ItemState.DONE, ItemState.DEAD):
                return kept
            self.clock.ahead += timedelta(hours=2)
        raise AssertionError("it never ended")


def deciding(*effects: str, reason: str = "because") -> Handle:
    async def handle(event: Any, needs: Needs, context: Context) -> Decision:
        return Decision(reason, tuple(PublishCheck(it) for it in effects))

    return handle


def failing(fault: BaseException, times: int = 1000) -> Handle:
    """Fails so often, and then decides for the effect ``late``."""
    left = iter(range(times))

    async def handle(event: Any, needs: Needs, context: Context) -> Decision:
        if next(left, None) is not None:
            raise fault
        return Decision("at last", (PublishCheck("late"),))

    return handle


async def test_handlers_in_order_effects_in_order(database: Database) -> None:
    hands = Hands(database, [("first", deciding("a", "b")), ("second", deciding("c"))])
    kept = await hands.play()
    assert hands.done == ["a", "b", "c"]
    assert (kept.state, kept.reason) == (ItemState.DONE, "because; because")
    assert [it.settled for it in kept.progress.values()] == [True, True]


async def test_one_that_fails_never_skips_another(database: Database) -> None:
    handlers = [("first", failing(TryAgain("away"), times=2)), ("second", deciding("c"))]
    hands = Hands(database, handlers)
    kept = await hands.play()
    assert hands.done == ["c", "late"], "and the one that was through is not called again"
    assert (kept.state, kept.attempts) == (ItemState.DONE, 2)


async def test_a_retry_goes_on_at_the_first_unsettled_effect(database: Database) -> None:
    asked = 0

    async def handle(event: Any, needs: Needs, context: Context) -> Decision:
        nonlocal asked
        asked += 1
        return Decision("once", tuple(PublishCheck(it) for it in "abc"))

    broken = iter([True, False])
    hands = Hands(database, [("only", handle)])

    def fault(effect: str) -> None:
        if effect == "b" and next(broken, False):
            raise TryAgain("away")

    hands.fault = fault
    await hands.play()
    assert hands.done == ["a", "b", "c"]
    assert asked == 1, "the stored decision stands"


async def test_facts_that_moved_on_change_only_what_remains(database: Database) -> None:
    decisions = iter(["ab", "x"])
    settled: list[int] = []

    async def handle(event: Any, needs: Needs, context: Context) -> Decision:
        settled.append(context.settled)
        return Decision("now", tuple(PublishCheck(it) for it in next(decisions)))

    moved = iter([True])
    hands = Hands(database, [("only", handle)])

    def fault(effect: str) -> None:
        if effect == "b" and next(moved, False):
            raise AssumptionFailed("the head moved")

    hands.fault = fault
    kept = await hands.play()
    assert hands.done == ["a", "x"]
    assert settled == [0, 1]
    decision = kept.progress["only"].decision
    assert decision is not None
    assert decision.effects == (PublishCheck("a"), PublishCheck("x"))


async def test_facts_that_never_stand_still_are_put_off(database: Database) -> None:
    hands = Hands(database, [("only", deciding("a"))])
    moves = iter(range(5))

    def fault(effect: str) -> None:
        if next(moves, None) is not None:
            raise AssumptionFailed("again")

    hands.fault = fault
    kept = await hands.play()
    assert (hands.done, kept.state) == (["a"], ItemState.DONE)
    assert kept.attempts > 0


async def test_a_bug_becomes_a_dead_letter(database: Database) -> None:
    hands = Hands(database, [("first", failing(ValueError("oh"))), ("second", deciding("c"))])
    kept = await hands.play()
    assert (kept.state, kept.reason) == (ItemState.DEAD, "first: ValueError: oh")
    assert kept.attempts == MOST_BUGS - 1
    assert hands.done == ["c"]
    # A duplicate of it is tried again.
    assert await hands.inbox.add([kept.item])
    again = await hands.inbox.get("one")
    assert again is not None
    assert again.state is ItemState.READY


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (UserProblem("Mend it."), 0),
        (InstallationGone("the App is no longer installed there", 404), 0),
        (Forbidden("Resource not accessible by integration", 403), MOST_REFUSALS - 1),
    ],
    ids=["the user's", "uninstalled", "refused"],
)
async def test_what_nobody_here_can_mend_is_told(
    database: Database, fault: Exception, attempts: int
) -> None:
    hands = Hands(database, [("only", failing(fault))])
    kept = await hands.play()
    assert (kept.state, kept.attempts) == (ItemState.DONE, attempts)
    (told,) = await hands.audit.of_subject("app", 10)
    assert str(getattr(fault, "message", fault)) in told.data["reason"]


async def test_ids_are_the_same_each_time(database: Database) -> None:
    made: list[str] = []
    broken = iter([True])

    async def handle(event: Any, needs: Needs, context: Context) -> Decision:
        made.append(context.id(0))
        if next(broken, False):
            raise TryAgain("before it was stored")
        return Decision("now", (PublishCheck(context.id(0)),))

    hands = Hands(database, [("only", handle)])
    await hands.play()
    assert made[0] == made[1] == hands.done[0]


async def test_a_rehearsal_changes_nothing(database: Database) -> None:
    hands = Hands(database, [("only", deciding("a"))])
    kept = await hands.play()
    hands.done.clear()
    assert await hands.worker.rehearse(kept) == [
        ("only", Decision("because", (PublishCheck("a"),)))
    ]
    assert hands.done == []


async def test_decisions_are_in_the_audit_log(database: Database) -> None:
    hands = Hands(database, [("only", deciding("a", reason="it was asked for"))])
    await hands.play()
    (told,) = await hands.audit.of_subject("app", 10)
    assert told.type == "decision.made"
    assert told.data == {
        "delivery": "one",
        "event": "ping",
        "handler": "only",
        "reason": "it was asked for",
        "effects": ["publish_check"],
    }
