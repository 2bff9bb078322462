"""Takes items out of the inbox: claim, parse, dispatch, settle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from bot.domain.effects import Decision
from bot.domain.events import Event, Ignored
from bot.domain.problems import TryAgain
from bot.domain.webhooks import MalformedPayload, Own, loads, parse
from bot.log import get_logger
from bot.ports.clock import Clock
from bot.ports.inbox import Claim, Inbox, Item, ItemState, Kept
from bot.work.dispatch import Broken, Dispatcher, Later, Settled
from bot.work.pool import Desk, Pool

PLACES = 16
"""Items at a time. They wait for GitHub and the database, hardly ever for this process."""

MOST_CLAIMS = 30
"""Of one item: beyond the attempts that the dispatcher counts, it takes its workers down."""

log = get_logger()


class Worker:
    """The hands at the inbox; any number of processes may have one."""

    def __init__(
        self,
        inbox: Inbox,
        dispatcher: Dispatcher,
        own: Callable[[], Awaitable[Own]],
        owner: str,
        clock: Clock,
    ) -> None:
        self._inbox = inbox
        self._dispatcher = dispatcher
        self._own = own
        self._clock = clock
        desk = Desk(
            "inbox",
            claim=lambda: inbox.claim(owner),
            carry_out=self._carry_out,
            beat=inbox.beat,
            hand_back=inbox.hand_back,
            wakes=inbox.wakes,
        )
        self.pool: Pool[Claim] = Pool(desk, PLACES, clock)

    async def run(self) -> None:
        """Work until cancelled."""
        await self.pool.run()

    async def drain(self, most: int = 10_000) -> int:
        """Carry out what is due, one after the other, until nothing is; says how much it was."""
        for count in range(most):
            if not await self.pool.step():
                return count
        return most

    async def rehearse(self, kept: Kept) -> list[tuple[str, Decision]] | Ignored:
        """What would be decided for an item now; nothing happens."""
        event = await self._event(kept.item)
        if isinstance(event, Ignored):
            return event
        claim = Claim(kept.item, token=0, attempts=0, progress={})
        return await self._dispatcher.decide(claim, event)

    async def _event(self, item: Item) -> Event | Ignored:
        try:
            return parse(item.name, loads(item.body), await self._own())
        except MalformedPayload as fault:
            return Ignored(f"malformed: {fault}")

    async def _carry_out(self, claim: Claim) -> None:
        item = claim.item
        with structlog.contextvars.bound_contextvars(
            delivery=item.id, event_name=item.name, key=item.key, attempt=claim.attempts + 1
        ):
            if claim.attempts >= MOST_CLAIMS:
                await self._inbox.finish(claim, ItemState.DEAD, "its workers were lost, each time")
                return
            try:
                event = await self._event(item)
            except TryAgain as fault:
                due_at = self._clock.now() + timedelta(seconds=fault.after)
                await self._inbox.again(claim, due_at, fault.message)
                return
            if isinstance(event, Ignored):
                await self._inbox.finish(claim, ItemState.DONE, event.reason)
                return
            match await self._dispatcher.dispatch(claim, event):
                case Settled(reason):
                    log.info("settled", reason=reason)
                    await self._inbox.finish(claim, ItemState.DONE, reason)
                case Later(at, reason):
                    log.info("again later", reason=reason, at=at.isoformat())
                    await self._inbox.again(claim, at, reason)
                case Broken(reason):
                    log.error("dead letter", reason=reason)
                    await self._inbox.finish(claim, ItemState.DEAD, reason)
