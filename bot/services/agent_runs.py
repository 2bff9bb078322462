"""``AgentRunService``: the records of agent runs, from a goal to their end.

Every verb is "make it so". What is asked of the agent itself is ``run_starter``'s.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.domain.agent_runs import AgentRun, ResponseType, RunStatus
from bot.domain.effects import (
    CancelRun,
    EndRun,
    LinkRun,
    MessageRun,
    NoteRun,
    QueueRun,
    RequestRun,
)
from bot.ports.records import Projects, Validations
from bot.services.run_records import RunRecords
from bot.services.run_starter import RunStarter

WHOLE = 100
FOLLOWED = (RunStatus.QUEUED, RunStatus.ACTIVE, RunStatus.WAITING)


class AgentRunService:
    """See the module; the verbs' names are public."""

    def __init__(
        self,
        records: RunRecords,
        starter: RunStarter,
        validations: Validations,
        projects: Projects,
    ) -> None:
        self._records = records
        self._starter = starter
        self._validations = validations
        self._projects = projects

    # ── the verbs of the interface ───────────────────────────────────────────────────────────

    async def create_run(self, effect: RequestRun) -> str:
        """Keep a run's record, queued."""
        request, now = effect.request, _to_milliseconds(self._records.clock.now())
        project = await self._projects.of_repository(request.repository.id)
        fresh = AgentRun(
            effect.run_id,
            request,
            now,
            now,
            project_id=project.id if project else None,
            pull_request=request.number if request.is_pull_request else None,
            head_sha=request.head_sha,
        )
        kept = await self._records.runs.add(fresh)
        if kept.created_at == now:
            await self._records.tell(kept, "run.requested", {"number": request.number})
        return kept.status.value

    async def resume_run(self, effect: MessageRun) -> str:
        """Give a run a message, and have one that ended in the queue to send it."""
        told = await self._records.runs.tell(
            effect.run_id, effect.message, {"attempts": 0, "updated_at": self._records.clock.now()}
        )
        run = await self._records.runs.get(effect.run_id)
        if run is None:
            return "there is no such run"
        if told is not None:
            await self._records.tell(told, "run.resumed", {"by": effect.message.login})
        if run.pending and (told is not None or run.status is not RunStatus.CANCELLED):
            await self._records.requeue(run)
        return "it has this message" if told is None else run.status.value

    async def get_run_status(self, run_id: str) -> AgentRun | None:
        """A run as it stands."""
        return await self._records.runs.get(run_id)

    async def cancel_run(self, effect: CancelRun) -> str:
        """Follow a run no longer; ``kill`` also keeps agents from its pull request."""
        ended = {
            "status": RunStatus.CANCELLED,
            "reason": effect.reason,
            "kill": effect.kill,
            "cancelled_by": effect.by,
        }
        run = await self._records.change(effect.run_id, self._records.ended(ended), FOLLOWED)
        if run is not None:
            await self._records.tell(run, "run.cancelled", {"reason": effect.reason})
        elif effect.kill:
            run = await self._records.change(effect.run_id, {"kill": True})
        if effect.kill and run is not None:
            return await self._starter.ban(run)
        return run.status.value if run else "it had ended before"

    # ── on its way ───────────────────────────────────────────────────────────────────────────────

    async def start(self, run_id: str) -> str:
        """Have the agent work on a queued run."""
        return await self._starter.start(run_id)

    async def queue(self, effect: QueueRun) -> str:
        """Have the place, and why a run waits, in its record."""
        changes = {"place": effect.place, "reason": effect.reason, "not_before": None}
        await self._records.change(effect.run_id, changes, (RunStatus.QUEUED,))
        return f"place {effect.place}"

    async def note(self, effect: NoteRun) -> str:
        """Have a run's record say how far it is."""
        changes = {
            "remote_status": effect.remote_status,
            "remote_seen": effect.remote_seen,
            "progress": effect.progress,
            "current_step": effect.step,
            "pull_request": effect.pull_request,
            "pull_request_url": effect.pull_request_url,
        }
        run = await self._records.change(effect.run_id, changes, (RunStatus.ACTIVE,))
        await self._belong(run)
        return f"{effect.progress} %" if run else "it is no longer followed"

    async def end(self, effect: EndRun) -> str:
        """End a run, or have it wait for a person."""
        changes: dict[str, Any] = {
            "status": effect.status,
            "reason": effect.reason,
            "response_type": effect.response_type,
            "response_data": effect.data,
            "remote_status": effect.remote_status,
            "remote_seen": effect.remote_seen,
            "known_pull_requests": effect.known_pull_requests,
        }
        if effect.head_sha:
            changes["head_sha"] = effect.head_sha
        if effect.status is RunStatus.COMPLETED:
            changes["progress"] = WHOLE
        if effect.pull_request is not None:
            changes |= {
                "pull_request": effect.pull_request,
                "pull_request_url": effect.pull_request_url,
            }
        run = await self._records.change(
            effect.run_id, self._records.ended(changes), (RunStatus.ACTIVE,)
        )
        await self._belong(run)
        if run is None:
            return "it is no longer followed"
        if run.pending:  # given while it ended
            await self._records.requeue(run)
        told = {"response_type": effect.response_type, "reason": effect.reason}
        await self._records.tell(run, f"run.{effect.status}", told)
        return effect.status.value

    async def link(self, effect: LinkRun) -> str:
        """Have a pull request count that was named before, and was not this run's then."""
        run = await self._records.runs.get(effect.run_id)
        if run is None or run.pull_request is not None:
            return "it has one"
        named = f"`#{effect.pull_request}`"
        notes = [it for it in run.response_data.get("notes", ()) if named not in it]
        changes = {
            "pull_request": effect.pull_request,
            "pull_request_url": effect.pull_request_url,
            "head_sha": effect.head_sha,
            "response_type": ResponseType.PULL_REQUEST,
            "response_data": {**run.response_data, "notes": notes},
        }
        await self._belong(await self._records.change(run.id, changes))
        return f"#{effect.pull_request}"

    async def _belong(self, run: AgentRun | None) -> None:
        """Have the validations of the pull request that a run brought belong to it."""
        if run is not None and run.brought is not None:
            repository_id = run.request.repository.id
            await self._validations.belong(repository_id, run.brought, run.id)


def _to_milliseconds(at: datetime) -> datetime:
    """A time as the database keeps it: what comes back the same is new."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
