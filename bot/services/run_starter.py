"""``RunStarter``: what is asked of the agent itself: to start a run, and to take a message.

What can't be asked twice is written down as intended before, and looked up before it is done again:
one run is never started twice, one message never sent twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.domain.agent_runs import UNENDED, AgentRun, RemoteRun, RemoteState, RunStatus
from bot.domain.check_runs import CHECK_NAME
from bot.domain.problems import Limited, TryAgain, UserProblem
from bot.log import get_logger
from bot.policy import agent_words as words
from bot.policy.agent_answers import STARTED_PROGRESS
from bot.policy.backoff import delay
from bot.ports.coding_agent import AgentProblem, CodingAgent, RunOrder
from bot.ports.github import GitHubProblem
from bot.ports.records import Projects
from bot.ports.renderer import Prompt
from bot.services.run_records import RunRecords

MOST_ATTEMPTS = 12
"""In vain, to start a run or send a message: with the delays, some half an hour."""
FIRST_DELAY_SECONDS = 5.0
LONGEST_DELAY_SECONDS = 300.0
SETTLED = timedelta(seconds=60)
"""A call that was not answered may still be carried out: after this, its list has what it made."""
FOUND_SINCE = timedelta(minutes=5)
"""How long before its intention a run is looked for: clocks differ."""
STEPS_LOOKED_AT = 20
USER_MESSAGE = "USER_MESSAGE"
SKEW = timedelta(seconds=30)
"""What the agent's clock may be behind ours."""

log = get_logger()


class Prompts(Protocol):
    """What the agent is told, gathered when it is: see ``bot.services.prompts``."""

    async def of(self, run: AgentRun) -> Prompt:
        """A run's first prompt, with the messages that came before."""

    async def follow_up(self, run: AgentRun) -> Prompt:
        """What a run that the agent has is to be sent."""


class RunStarter:
    """See the module. Without an agent nothing can be started."""

    def __init__(
        self,
        records: RunRecords,
        agent: CodingAgent | None,
        prompts: Prompts,
        projects: Projects,
    ) -> None:
        self._records = records
        self._agent = agent
        self._prompts = prompts
        self._projects = projects

    async def start(self, run_id: str) -> str:
        """Have the agent work on a queued run: it is created there, or sent its messages.

        Whatever is wrong with one run is its own affair: those behind it have their turn.
        """
        run = await self._records.runs.get(run_id)
        if run is None or run.status not in UNENDED:
            return "nobody wants it any more"
        if self._agent is None:
            return await self._records.fail(run, words.NO_AGENT)
        if run.attempts >= MOST_ATTEMPTS:
            return await self._records.fail(run, words.AWAY)
        try:
            if run.remote_id is None:
                return await self._create(run, self._agent)
            return await self._send(run, run.remote_id, self._agent)
        except (AgentProblem, GitHubProblem, UserProblem) as refusal:
            return await self._records.fail(run, words.refusal(refusal))
        except Limited as limit:
            return await self._wait_for_the_limit(run, limit)
        except TryAgain as fault:
            return await self._later(run, words.PASSING, fault.message)
        except Exception:
            log.exception("a run could not be started", run=run.id)
            return await self._later(run, words.PASSING, "a fault of this service")

    async def _create(self, run: AgentRun, agent: CodingAgent) -> str:
        """Create the run there; one that may have been begun is looked for first."""
        if run.intended_at is not None:
            looked = await self._look_for_run(run, run.intended_at, agent)
            if looked is not None:
                return looked
        prompt = await self._prompts.of(run)
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
        await agent.turn()
        if await self._records.runs.intend(run, self._records.clock.now()) is None:
            return "it was cancelled, or somebody else starts it"
        try:
            made = await agent.create(order)
        except (Limited, AgentProblem):
            await self._nothing_asked(run)
            raise
        except TryAgain as fault:
            return await self._later(run, words.UNKNOWN_START, fault.message)
        return await self._begun(run, made, agent, len(run.messages))

    async def _look_for_run(
        self, run: AgentRun, intended_at: datetime, agent: CodingAgent
    ) -> str | None:
        """Take up what was begun; None where it is certain that nothing was."""
        try:
            found = await agent.find(run.id, intended_at - FOUND_SINCE)
        except Limited:
            raise
        except TryAgain as fault:
            return await self._later(run, words.UNKNOWN_START, fault.message)
        if found is not None:
            return await self._begun(run, found, agent, run.intended_messages)
        if self._records.clock.now() < intended_at + SETTLED:
            return await self._later(run, words.UNKNOWN_START, "not there yet", counted=False)
        return None

    async def _begun(self, run: AgentRun, remote: RemoteRun, agent: CodingAgent, sent: int) -> str:
        """The run is there: write it down, though it be cancelled meanwhile."""
        there = {"remote_id": remote.id, "remote_url": remote.url, "intended_at": None}
        now = self._records.clock.now()
        started = self._going(run, remote, sent) | {"started_at": now, "active_since": now}
        active = await self._records.change(run.id, there | started, (RunStatus.QUEUED,))
        if active is None:
            cancelled = await self._records.change(run.id, there | {"sent": sent})
            if cancelled is not None and cancelled.kill:
                await self.ban(cancelled)
            return f"number {remote.id}, cancelled meanwhile"
        await self._records.tell(active, "run.started", {"remote_id": remote.id})
        await self._have_our_check_left_alone(active, agent)
        return f"number {remote.id}"

    async def _send(self, run: AgentRun, remote_id: int, agent: CodingAgent) -> str:
        """Send what is pending, once."""
        if run.intended_at is not None:
            return await self._look_for_message(run, remote_id, run.intended_at, agent)
        if not run.pending:
            return await self._resumed(run, await agent.get(remote_id), run.sent)
        prompt = await self._prompts.follow_up(run)
        await agent.turn()
        if await self._records.runs.intend(run, self._records.clock.now()) is None:
            return "it was cancelled, or somebody else sends it"
        try:
            resumed = await agent.resume(remote_id, prompt.text, prompt.images)
        except Limited:
            await self._nothing_asked(run)
            raise
        except AgentProblem:  # it is not kept for the next try: people may not want it any more
            await self._records.change(run.id, {"intended_at": None, "sent": len(run.messages)})
            raise
        except TryAgain as fault:
            return await self._later(run, words.UNKNOWN_MESSAGE, fault.message)
        return await self._resumed(run, resumed, len(run.messages))

    async def _look_for_message(
        self, run: AgentRun, remote_id: int, intended_at: datetime, agent: CodingAgent
    ) -> str:
        """Whether a message arrived: its log says so, or it went on since."""
        found = await agent.get(remote_id)
        steps = await agent.steps(remote_id, STEPS_LOOKED_AT)
        heard = any(
            it.kind == USER_MESSAGE and it.at is not None and it.at >= intended_at - SKEW
            for it in steps
        )
        stood_still = run.status is RunStatus.QUEUED and found.digest != run.remote_seen
        if heard or stood_still:
            return await self._resumed(run, found, run.intended_messages)
        if self._records.clock.now() < intended_at + SETTLED:
            return await self._later(run, words.UNKNOWN_MESSAGE, "not heard", counted=False)
        goes_on = found.state is RemoteState.GOING
        lost = {
            "intended_at": None,
            "attempts": 0,
            "sent": run.intended_messages,
            "status": RunStatus.ACTIVE if goes_on else RunStatus.WAITING,
            "reason": words.MESSAGE_LOST,
        }
        kept = await self._records.change(run.id, lost, UNENDED)
        if kept is not None and kept.pending:  # given while it was looked up
            await self._records.requeue(kept)
        return "nobody knows whether the message arrived"

    async def _resumed(self, run: AgentRun, remote: RemoteRun, sent: int) -> str:
        changes = self._going(run, remote, sent) | {"intended_at": None}
        await self._records.change(
            run.id, changes | {"active_since": self._records.clock.now()}, UNENDED
        )
        return "sent"

    async def _nothing_asked(self, run: AgentRun) -> None:
        """What was refused at once leaves no intention behind, and was no attempt."""
        await self._records.change(run.id, {"intended_at": None, "attempts": run.attempts})

    def _going(self, run: AgentRun, remote: RemoteRun, sent: int) -> dict[str, Any]:
        return {
            "status": RunStatus.ACTIVE,
            "progress": run.progress if 0 < run.progress < 100 else STARTED_PROGRESS,
            "remote_status": remote.status,
            "remote_seen": "",
            "sent": sent,
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
        not_before = self._records.clock.now() + timedelta(seconds=seconds)
        changes = {"reason": reason, "not_before": not_before, "attempts": attempts}
        await self._records.change(run.id, changes, UNENDED)
        log.info("the agent is asked again", run=run.id, reason=fault)
        return "later"

    async def _wait_for_the_limit(self, run: AgentRun, limit: Limited) -> str:
        """Nothing was asked: the place in line is what people see."""
        before = await self._records.runs.uncreated_before(run.created_at)
        ahead = f"; {before} are ahead of this one" if before else "; this one is next"
        not_before = self._records.clock.now() + timedelta(
            seconds=min(limit.after, LONGEST_DELAY_SECONDS)
        )
        changes = {
            "reason": f"{words.BOUNDED}{ahead}.",
            "place": before + 1,
            "not_before": not_before,
        }
        await self._records.change(run.id, changes, UNENDED)
        return "a limit is waited for"

    async def ban(self, run: AgentRun) -> str:
        """Keep the agent from a run's pull request; one that may have been created is looked up."""
        agent, remote_id = self._agent, run.remote_id
        if agent is None:
            return "no agent is set up"
        if remote_id is None and run.intended_at is not None:
            found = await agent.find(run.id, run.intended_at - FOUND_SINCE)
            if found is None and self._records.clock.now() < run.intended_at + SETTLED:
                raise TryAgain("what was begun may still appear", after=FIRST_DELAY_SECONDS)
            if found is not None:
                remote_id = found.id
                await self._records.change(run.id, {"remote_id": found.id, "remote_url": found.url})
        if remote_id is None:
            return "it never began"
        try:
            await agent.ban(remote_id)
        except AgentProblem as problem:
            reason = f"{run.reason} The agent could not be banned. {words.sentence(problem)}"
            await self._records.change(run.id, {"reason": reason})
            return "the agent could not be banned"
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


def _does_not_answer(run: AgentRun) -> str:
    return f"The agent does not answer (try {run.attempts + 1}); it is tried again."
