"""One event through its handlers: facts and decision, then effect after effect.

Handlers run in the order of ``ROUTES``, and one that fails never keeps the next from its turn.
A decision is stored before its first effect; a second run goes on at the first unsettled effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.effects import Decision, Effect
from bot.domain.events import Event
from bot.domain.problems import AssumptionFailed, TryAgain, UserProblem
from bot.log import get_logger
from bot.policy.backoff import delay
from bot.ports.github import GitHubProblem, InstallationGone
from bot.ports.handlers import Context, HandlerSpec, Needs, Routes
from bot.ports.inbox import Claim, Inbox, LeaseLost, Progress
from bot.ports.records import AuditEvent, AuditLog

MOST_REDECISIONS = 3
"""How often the facts may move under one claim before it is put off."""
MOST_PASSING_FAULTS = 20
"""Attempts at an item that meets nothing but passing faults: with the backoff, some nine hours."""
MOST_REFUSALS = 5
"""Attempts at what GitHub refuses: a copy of its database may be behind for some seconds."""
MOST_BUGS = 3
"""Attempts at an item that meets a fault of ours."""

Apply = Callable[[Effect, Context, int], Awaitable[str]]
"""Carries out one effect of a handler's decision, by its index; gives the outcome in words."""

log = get_logger()


@dataclass(frozen=True)
class Settled:
    """Every handler is through."""

    reason: str


@dataclass(frozen=True)
class Later:
    """Something passing was in the way: again at a time."""

    at: datetime
    reason: str


@dataclass(frozen=True)
class Broken:
    """A fault that waiting does not mend: a dead letter."""

    reason: str


Outcome = Settled | Later | Broken


@dataclass(frozen=True)
class _Failure:
    """Why a handler is not through: a passing fault with its delay, or one of ours."""

    reason: str
    after: float | None


class Dispatcher:
    """Takes claimed items through their handlers."""

    def __init__(
        self, routes: Routes, needs: Needs, inbox: Inbox, apply: Apply, audit: AuditLog
    ) -> None:
        self._routes = routes
        self._needs = needs
        self._inbox = inbox
        self._apply = apply
        self._audit = audit

    async def dispatch(self, claim: Claim, event: Event) -> Outcome:
        """Take an event through all of its handlers that are not through yet."""
        told: list[str] = []
        failures: list[_Failure] = []
        for spec in self._routes.get(type(event), ()):
            if claim.progress.get(spec.name, Progress()).settled:
                continue
            try:
                told.append(await self._handle(spec, claim, event))
            except LeaseLost:
                raise
            except TryAgain as fault:
                log.info("a passing fault", handler=spec.name, reason=fault.message)
                failures.append(_Failure(fault.message, fault.after))
            except (UserProblem, InstallationGone) as problem:
                told.append(await self._give_up(spec, claim, str(problem)))
            except GitHubProblem as refusal:
                said = f"GitHub refused: {refusal.message}"
                log.warning("GitHub refused", handler=spec.name, reason=refusal.message)
                if claim.attempts + 1 >= MOST_REFUSALS:
                    told.append(await self._give_up(spec, claim, said))
                else:
                    failures.append(_Failure(said, 0.0))
            except Exception as bug:
                log.exception("a handler failed", handler=spec.name)
                failures.append(_Failure(f"{spec.name}: {type(bug).__name__}: {bug}", None))
        return self._outcome(claim, told, failures)

    async def decide(self, claim: Claim, event: Event) -> list[tuple[str, Decision]]:
        """What the handlers would decide now; nothing is stored and nothing happens."""
        return [
            (spec.name, await spec.handle(event, self._needs, Context(claim.item.id, spec.name)))
            for spec in self._routes.get(type(event), ())
        ]

    async def _handle(self, spec: HandlerSpec, claim: Claim, event: Event) -> str:
        progress = claim.progress.get(spec.name, Progress())
        decision, settled = progress.decision, len(progress.outcomes)
        if decision is None:
            decision = await self._decide(spec, claim, event, ())
        for _ in range(MOST_REDECISIONS):
            try:
                await self._carry_out(spec, claim, decision, settled)
            except AssumptionFailed as moved:
                log.info("the facts moved on", handler=spec.name, reason=str(moved))
                settled = len((await self._progress(claim, spec)).outcomes)
                decision = await self._decide(spec, claim, event, decision.effects[:settled])
            else:
                await self._inbox.settle_handler(claim, spec.name)
                return decision.reason
        raise TryAgain(f"{spec.name}: the facts keep moving")

    async def _give_up(self, spec: HandlerSpec, claim: Claim, reason: str) -> str:
        """Settle a handler that can't do its work, and tell why in the audit log."""
        await self._inbox.settle_handler(claim, spec.name)
        await self._audit.write([self._entry(spec, claim, Decision(reason))])
        return reason

    async def _progress(self, claim: Claim, spec: HandlerSpec) -> Progress:
        kept = await self._inbox.get(claim.item.id)
        return kept.progress.get(spec.name, Progress()) if kept else Progress()

    async def _decide(
        self, spec: HandlerSpec, claim: Claim, event: Event, done: tuple[Effect, ...]
    ) -> Decision:
        context = Context(claim.item.id, spec.name, claim.item.key, len(done))
        fresh = await spec.handle(event, self._needs, context)
        decision = Decision(fresh.reason, (*done, *fresh.effects))
        await self._inbox.decide(claim, spec.name, decision)
        await self._audit.write([self._entry(spec, claim, fresh)])
        return decision

    def _entry(self, spec: HandlerSpec, claim: Claim, decision: Decision) -> AuditEvent:
        return AuditEvent(
            type="decision.made",
            at=self._needs.clock.now(),
            project_id=None,
            subject=claim.item.key,
            data={
                "delivery": claim.item.id,
                "event": claim.item.name,
                "handler": spec.name,
                "reason": decision.reason,
                "effects": [effect.kind for effect in decision.effects],
            },
        )

    async def _carry_out(
        self, spec: HandlerSpec, claim: Claim, decision: Decision, settled: int
    ) -> None:
        context = Context(claim.item.id, spec.name, claim.item.key)
        for index, effect in enumerate(decision.effects[settled:], settled):
            outcome = await self._apply(effect, context, index)
            log.info("done", handler=spec.name, effect=effect.kind, outcome=outcome)
            await self._inbox.settle_effect(claim, spec.name, index, outcome)

    def _outcome(self, claim: Claim, told: list[str], failures: list[_Failure]) -> Outcome:
        if not failures:
            return Settled("; ".join(told) or "nobody listens")
        attempt = claim.attempts + 1
        reason = "; ".join(failure.reason for failure in failures)
        bugs = [failure for failure in failures if failure.after is None]
        if attempt >= (MOST_BUGS if bugs else MOST_PASSING_FAULTS):
            return Broken(reason)
        wanted = max((failure.after or 0.0 for failure in failures), default=0.0)
        seconds = max(wanted, delay(attempt, claim.item.id))
        return Later(self._needs.clock.now() + timedelta(seconds=seconds), reason)
