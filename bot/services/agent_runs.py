"""``AgentRunService``: from a goal to a run that the agent works on, and to its end.

Every verb is "make it so". What the agent can't be asked twice is written down as intended before,
and looked up before it is done again: one run is never started twice, one message never sent twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.domain.agent_runs import ENDED, UNENDED, AgentRun, RemoteRun, RemoteState, RunStatus
from bot.domain.check_runs import CHECK_NAME
from bot.domain.effects import CancelRun, EndRun, MessageRun, NoteRun, QueueRun, RequestRun
from bot.domain.problems import Limited, TryAgain
from bot.log import get_logger
from bot.policy import agent_words as words
from bot.policy.agent_answers import STARTED_PROGRESS
from bot.policy.backoff import delay
from bot.ports.clock import Clock
from bot.ports.coding_agent import AgentProblem, CodingAgent, RunOrder
from bot.ports.github import GitHubProblem
from bot.ports.records import AgentRuns, AuditEvent, AuditLog, Projects, Validations
from bot.ports.renderer import Prompt

MOST_ATTEMPTS = 12
"""In vain, to start a run or send a message: with the delays, some half an hour."""
FIRST_DELAY_SECONDS = 5.0
LONGEST_DELAY_SECONDS = 300.0
SETTLED = timedelta(seconds=60)
"""A call that was not answered may still be carried out: after this, its list has what it made."""
FOLLOWED = (RunStatus.QUEUED, RunStatus.ACTIVE, RunStatus.WAITING)

log = get_logger()


Prompts = Callable[[AgentRun], Awaitable[Prompt]]


class AgentRunService:
    """See the module; the verbs' names are public. Without an agent nothing can be started."""

    def __init__(
        self,
        runs: AgentRuns,
        agent: CodingAgent | None,
        prompts: Prompts,
        validations: Validations,
        projects: Projects,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._agent = agent
        self._prompts = prompts
        self._validations = validations
        self._projects = projects
        self._audit = audit
        self._clock = clock

    # ── the verbs of the interface ───────────────────────────────────────────────────────────

    async def create_run(self, effect: RequestRun) -> str:
        """Keep a run's record, queued."""
        request, now = effect.request, _to_milliseconds(self._clock.now())
        project = await self._projects.of_repository(request.repository.id)
        fresh = AgentRun(
            effect.run_id,
            request,
            now,
            now,
            project_id=project.id if project else None,
            pull_request=request.number if request.is_pull_request else None,
        )
        kept = await self._runs.add(fresh)
        if kept.created_at == now:
            await self._tell(kept, "run.requested", {"goal": request.goal[:1000]})
        return kept.status.value

    async def resume_run(self, effect: MessageRun) -> str:
        """Give a run a message, and have it in the queue to send it."""
        changes = {
            "status": RunStatus.QUEUED,
            "reason": "",
            "place": 0,
            "ended_at": None,
            "attempts": 0,
            "not_before": None,
        }
        told = await self._runs.tell(effect.run_id, effect.message, self._now(changes))
        if told is None:
            return "it has this message"
        await self._tell(told, "run.resumed", {"by": effect.message.login})
        return told.status.value

    async def get_run_status(self, run_id: str) -> AgentRun | None:
        """A run as it stands."""
        return await self._runs.get(run_id)

    async def cancel_run(self, effect: CancelRun) -> str:
        """Follow a run no longer; ``kill`` also keeps agents from its pull request."""
        ended = {
            "status": RunStatus.CANCELLED,
            "reason": effect.reason,
            "kill": effect.kill,
            "cancelled_by": effect.by,
        }
        run = await self._change(effect.run_id, self._end(ended), FOLLOWED)
        if run is not None:
            await self._tell(run, "run.cancelled", {"reason": effect.reason})
        elif effect.kill:
            run = await self._change(effect.run_id, {"kill": True})
        if effect.kill and run is not None and run.remote_id is not None:
            return await self._ban(run)
        return run.status.value if run else "it had ended before"

    # ── the queue ────────────────────────────────────────────────────────────────────────────

    async def start(self, run_id: str) -> str:
        """Have the agent work on a queued run: it is created there, or sent its messages."""
        run = await self._runs.get(run_id)
        if run is None or run.status not in UNENDED:
            return "nobody wants it any more"
        if self._agent is None:
            return await self._fail(run, "No coding agent is set up any more.")
        if run.attempts >= MOST_ATTEMPTS:
            return await self._fail(run, words.AWAY)
        try:
            if run.remote_id is None:
                return await self._create(run, self._agent)
            return await self._send(run, run.remote_id, self._agent)
        except AgentProblem as problem:
            return await self._fail(run, words.sentence(problem))
        except GitHubProblem as refusal:
            return await self._fail(
                run, f"GitHub does not tell what it is about: {refusal.message}"
            )
        except Limited as limit:
            return await self._wait_for_the_limit(run, limit)

    async def queue(self, effect: QueueRun) -> str:
        """Have the place, and why a run waits, in its record."""
        changes = {"place": effect.place, "reason": effect.reason}
        await self._change(effect.run_id, changes, (RunStatus.QUEUED,))
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
        run = await self._change(effect.run_id, changes, (RunStatus.ACTIVE,))
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
        if effect.status is RunStatus.COMPLETED:
            changes["progress"] = 100
        if effect.pull_request is not None:
            changes |= {
                "pull_request": effect.pull_request,
                "pull_request_url": effect.pull_request_url,
            }
        run = await self._change(effect.run_id, self._end(changes), (RunStatus.ACTIVE,))
        await self._belong(run)
        if run is None:
            return "it is no longer followed"
        told = {"response_type": effect.response_type, "reason": effect.reason}
        await self._tell(run, f"run.{effect.status}", told)
        return effect.status.value

    # ── at the agent's ───────────────────────────────────────────────────────────────────────

    async def _create(self, run: AgentRun, agent: CodingAgent) -> str:
        """Create the run there; one that may have been begun is looked for first."""
        if run.intended_at is not None:
            looked = await self._look_for_run(run, run.intended_at, agent)
            if looked is not None:
                return looked
        prompt = await self._prompts(run)
        request = run.request
        try:
            repository_id = await agent.repository_id(request.repository)
        except Limited:
            raise
        except TryAgain as fault:
            return await self._later(run, _does_not_answer(run), fault.message)
        order = RunOrder(
            run.id, prompt.text, repository_id, request.model, request.agent_type, prompt.images
        )
        if not await self._intend(run):
            return "it was cancelled"
        try:
            made = await agent.create(order)
        except (Limited, AgentProblem):
            await self._change(run.id, {"intended_at": None})
            raise
        except TryAgain as fault:
            return await self._later(run, words.UNKNOWN_START, fault.message)
        return await self._begun(run, made, agent)

    async def _look_for_run(
        self, run: AgentRun, intended_at: datetime, agent: CodingAgent
    ) -> str | None:
        """Take up what was begun; None where it is certain that nothing was."""
        try:
            found = await agent.find(run.id)
        except Limited:
            raise
        except TryAgain as fault:
            return await self._later(run, words.UNKNOWN_START, fault.message)
        if found is not None:
            return await self._begun(run, found, agent)
        if self._clock.now() < intended_at + SETTLED:
            return await self._later(run, words.UNKNOWN_START, "not there yet", counted=False)
        return None

    async def _begun(self, run: AgentRun, remote: RemoteRun, agent: CodingAgent) -> str:
        """The run is there: write it down, though it be cancelled meanwhile."""
        there = {"remote_id": remote.id, "remote_url": remote.url, "intended_at": None}
        now = self._clock.now()
        started = self._going(run, remote) | {"started_at": now, "active_since": now}
        active = await self._change(run.id, there | started, (RunStatus.QUEUED,))
        if active is None:
            cancelled = await self._change(run.id, there)
            if cancelled is not None and cancelled.kill:
                await self._ban(cancelled)
            return f"number {remote.id}, cancelled meanwhile"
        await self._tell(active, "run.started", {"remote_id": remote.id})
        await self._have_our_check_left_alone(active, agent)
        return f"number {remote.id}"

    async def _send(self, run: AgentRun, remote_id: int, agent: CodingAgent) -> str:
        """Send what is pending. Nothing tells a message that arrived but the run's going on."""
        if run.intended_at is not None:
            return await self._look_for_message(run, remote_id, run.intended_at, agent)
        if not run.pending:
            return await self._resumed(run, await agent.get(remote_id))
        if not await self._intend(run):
            return "it was cancelled"
        text = "\n\n".join(message.text for message in run.pending)
        try:
            resumed = await agent.resume(remote_id, text)
        except Limited:
            await self._change(run.id, {"intended_at": None})
            raise
        except AgentProblem:  # it is not kept for the next try: people may not want it any more
            await self._change(run.id, {"intended_at": None, "sent": len(run.messages)})
            raise
        except TryAgain as fault:
            return await self._later(run, words.UNKNOWN_MESSAGE, fault.message)
        return await self._resumed(run, resumed)

    async def _look_for_message(
        self, run: AgentRun, remote_id: int, intended_at: datetime, agent: CodingAgent
    ) -> str:
        try:
            found = await agent.get(remote_id)
        except TryAgain as fault:
            return await self._later(run, words.UNKNOWN_MESSAGE, fault.message)
        if found.state is RemoteState.GOING:
            return await self._resumed(run, found)
        if self._clock.now() < intended_at + SETTLED:
            return await self._later(run, words.UNKNOWN_MESSAGE, "not gone on", counted=False)
        lost = {"intended_at": None, "sent": len(run.messages), "status": RunStatus.WAITING}
        await self._change(run.id, lost | {"reason": words.MESSAGE_LOST}, UNENDED)
        return "nobody knows whether the message arrived"

    async def _resumed(self, run: AgentRun, remote: RemoteRun) -> str:
        changes = self._going(run, remote) | {"intended_at": None}
        await self._change(run.id, changes | {"active_since": self._clock.now()}, UNENDED)
        return "sent"

    async def _intend(self, run: AgentRun) -> bool:
        """Write down what is about to be asked; False where the run was cancelled."""
        changes = {"intended_at": self._clock.now(), "attempts": run.attempts + 1}
        return await self._change(run.id, changes, UNENDED) is not None

    def _going(self, run: AgentRun, remote: RemoteRun) -> dict[str, Any]:
        return {
            "status": RunStatus.ACTIVE,
            "progress": STARTED_PROGRESS,
            "remote_status": remote.status,
            "remote_seen": "",
            "sent": len(run.messages),
            "attempts": 0,
            "not_before": None,
            "reason": "",
            "place": 0,
            "response_type": None,
            "response_data": {},
        }

    async def _later(self, run: AgentRun, reason: str, fault: str, *, counted: bool = True) -> str:
        """Try again after a while; the reason is what people see meanwhile."""
        attempts = run.attempts + (1 if counted else 0)
        seconds = delay(
            max(1, attempts), run.id, first=FIRST_DELAY_SECONDS, longest=LONGEST_DELAY_SECONDS
        )
        not_before = self._clock.now() + timedelta(seconds=seconds)
        changes = {"reason": reason, "not_before": not_before, "attempts": attempts}
        await self._change(run.id, changes, UNENDED)
        log.info("the agent is asked again", run=run.id, reason=fault)
        return fault

    async def _wait_for_the_limit(self, run: AgentRun, limit: Limited) -> str:
        """Nothing was asked: the place in line is what people see."""
        before = await self._runs.uncreated_before(run.created_at)
        ahead = f"; {before} are ahead of this one" if before else "; this one is next"
        not_before = self._clock.now() + timedelta(seconds=min(limit.after, LONGEST_DELAY_SECONDS))
        changes = {
            "reason": f"{words.BOUNDED}{ahead}.",
            "place": before + 1,
            "not_before": not_before,
        }
        await self._change(run.id, changes, UNENDED)
        return limit.message

    async def _fail(self, run: AgentRun, reason: str) -> str:
        ended = {"status": RunStatus.FAILED, "reason": reason}
        if await self._change(run.id, self._end(ended), UNENDED) is not None:
            await self._tell(run, "run.failed", {"reason": reason})
        return reason

    async def _ban(self, run: AgentRun) -> str:
        try:
            if self._agent is not None and run.remote_id is not None:
                await self._agent.ban(run.remote_id)
        except AgentProblem as problem:
            reason = f"{run.reason}. The agent could not be banned: {words.sentence(problem)}"
            await self._change(run.id, {"reason": reason})
            return reason
        return "banned"

    async def _have_our_check_left_alone(self, run: AgentRun, agent: CodingAgent) -> None:
        """Once a repository, if permitted: the agent's own auto-fixer must not answer it too."""
        project = await self._projects.get(run.project_id) if run.project_id else None
        if project is None or project.check_left_alone:
            return
        try:
            await agent.ignore_check(run.request.repository, CHECK_NAME)
        except (AgentProblem, TryAgain) as fault:
            log.info("the agent's auto-fixer was not told of our check", reason=str(fault))
            if isinstance(fault, TryAgain):
                return  # with the next run
        await self._projects.update(project.id, {"check_left_alone": True})

    # ── what several need ────────────────────────────────────────────────────────────────────

    async def _belong(self, run: AgentRun | None) -> None:
        """Have the validations of a run's pull request belong to it."""
        if run is not None and run.pull_request is not None:
            repository_id = run.request.repository.id
            await self._validations.belong(repository_id, run.pull_request, run.id)

    def _end(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        ended = changes["status"] in ENDED
        return {**changes, "ended_at": self._clock.now() if ended else None, "place": 0}

    def _now(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        return {**changes, "updated_at": self._clock.now()}

    async def _change(
        self, run_id: str, changes: Mapping[str, Any], only: Collection[RunStatus] = ()
    ) -> AgentRun | None:
        return await self._runs.change(run_id, self._now(changes), only=only)

    async def _tell(self, run: AgentRun, kind: str, data: Mapping[str, Any]) -> None:
        event = AuditEvent(kind, self._clock.now(), run.project_id, run.id, data)
        await self._audit.write([event])


def _to_milliseconds(at: datetime) -> datetime:
    """A time as the database keeps it: what comes back the same is new."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _does_not_answer(run: AgentRun) -> str:
    return f"The agent does not answer (try {run.attempts + 1}); it is tried again."
