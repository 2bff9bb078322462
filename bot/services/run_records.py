"""How agent runs' records are changed, and told of: what both of their services have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bot.domain.agent_runs import ENDED, UNENDED, AgentRun, RunStatus
from bot.ports.clock import Clock
from bot.ports.records import AgentRuns, AuditEvent, AuditLog


class RunRecords:
    """Each change carries its time; a status is left only where it stands so."""

    def __init__(self, runs: AgentRuns, audit: AuditLog, clock: Clock) -> None:
        self.runs = runs
        self.clock = clock
        self._audit = audit

    async def change(
        self, run_id: str, changes: Mapping[str, Any], only: Collection[RunStatus] = ()
    ) -> AgentRun | None:
        """Change a record; None where it stands in none of ``only``."""
        timed = {**changes, "updated_at": self.clock.now()}
        return await self.runs.change(run_id, timed, only=only)

    def ended(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes that take a run out of the queue: with the time of its end, if it is one."""
        is_over = changes["status"] in ENDED
        return {**changes, "ended_at": self.clock.now() if is_over else None, "place": 0}

    async def requeue(self, run: AgentRun) -> None:
        """Have a run that ended, or waits, in the queue to send what is pending."""
        changes = {
            "status": RunStatus.QUEUED,
            "reason": "",
            "place": 0,
            "ended_at": None,
            "attempts": 0,
            "not_before": None,
        }
        await self.change(run.id, changes, (*ENDED, RunStatus.WAITING))

    async def fail(self, run: AgentRun, reason: str) -> str:
        """End a run that could not be started."""
        failed = self.ended({"status": RunStatus.FAILED, "reason": reason})
        if await self.change(run.id, failed, UNENDED) is not None:
            await self.tell(run, "run.failed", {})
        return "failed"

    async def tell(self, run: AgentRun, kind: str, data: Mapping[str, Any]) -> None:
        """Write into the audit log; never what people or the agent wrote."""
        at = self.clock.now()
        await self._audit.write([AuditEvent(kind, at, run.project_id, run.id, data)])
