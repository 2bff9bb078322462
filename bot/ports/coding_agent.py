"""The coding agent: takes a goal, works on a repository, and brings a pull request, plan or answer.

Life cycle of a run there:

1. ``create`` starts it. It is not safe to repeat: after a lost answer, ``find`` says by our own id
   whether it was started.
2. ``page`` and ``get`` tell where it stands, ``steps`` what it does.
3. ``resume`` sends a message to it, also to one that has ended, which then goes on. It is never
   repeated.
4. Nothing stops a run; ``ban`` keeps all agents from its pull request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.domain.agent_runs import AgentStep, RemoteRun
from bot.domain.repositories import Repository


@dataclass(frozen=True)
class RunOrder:
    """What to start. ``run_id`` is ours; ``images`` are data URIs; an empty model: theirs."""

    run_id: str
    prompt: str
    repository_id: int
    model: str = ""
    agent_type: str = "codegen"
    images: tuple[str, ...] = ()


class AgentFault(StrEnum):
    """Why an agent refuses for good."""

    NOT_SET_UP = "not_set_up"
    UNAUTHORIZED = "unauthorized"
    PLAN_LIMIT = "plan_limit"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    INVALID = "invalid"


class AgentProblem(Exception):
    """The agent said no, for good: waiting mends nothing. ``message`` is its own sentence."""

    def __init__(self, fault: AgentFault, message: str) -> None:
        super().__init__(f"{fault}: {message}")
        self.fault = fault
        self.message = message


class CodingAgent(Protocol):
    """See the module.

    Every call has a timeout and keeps within the agent's limits, over all processes that share a
    database. A limit raises ``Limited(after)``, and nothing was asked; 5xx, timeouts and dropped
    connections raise ``TryAgain(after)``, and nobody knows what became of the call; what waiting
    does not mend is an ``AgentProblem``.
    """

    async def repository_id(self, repository: Repository) -> int:
        """The agent's number of a repository; cached."""

    async def turn(self) -> None:
        """Wait for our turn to start a run or send a message; then do so at once."""

    async def create(self, order: RunOrder) -> RemoteRun:
        """Start a run, in our turn. Not safe to repeat: see the module."""

    async def find(self, run_id: str, since: datetime) -> RemoteRun | None:
        """The run that was started under our id, among all that were started since a time."""

    async def resume(self, remote_id: int, prompt: str, images: Sequence[str] = ()) -> RemoteRun:
        """Send a message to a run, in our turn. Never repeated."""

    async def get(self, remote_id: int) -> RemoteRun:
        """One run."""

    async def page(self, skip: int) -> Sequence[RemoteRun]:
        """A hundred runs of the organisation, newest first, behind the first ``skip`` ones."""

    async def steps(self, remote_id: int, most: int) -> Sequence[AgentStep]:
        """The newest entries of a run's log, newest first."""

    async def ban(self, remote_id: int) -> None:
        """Keep all agents from the pull request of a run."""

    async def ignore_check(self, repository: Repository, name: str) -> None:
        """Have the agent's own auto-fixer leave a check alone; other settings stay."""
