"""What a handler is: it listens to one kind of event, gathers the facts and asks policy.

A handler reads through its needs, once each, and returns a decision; it changes nothing. It may be
called again for the same event, then with newer facts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.config_parser import ParsedConfig
from bot.domain.effects import Decision
from bot.domain.ids import derived
from bot.domain.repositories import Repository
from bot.domain.validation_records import ValidationRecord
from bot.ports.clock import Clock
from bot.ports.coding_agent import CodingAgent
from bot.ports.github import GitHub
from bot.ports.jobs import Jobs
from bot.ports.records import AgentBudget, AgentRuns, Projects, PullRequests, Validations


@dataclass(frozen=True)
class Configuration:
    """A repository's configuration. ``path`` and ``blob_sha`` are empty where it has no file."""

    parsed: ParsedConfig
    path: str = ""
    blob_sha: str = ""


@dataclass(frozen=True)
class Needs:
    """What handlers may read.

    ``agent`` is None where none is set up. ``configuration`` takes a branch or commit, empty for
    the default branch; what it gives is cached by the file's blob SHA. ``details_url`` is the plain
    address of a validation's page, without what lets one in.
    """

    github: GitHub
    projects: Projects
    validations: Validations
    jobs: Jobs
    runs: AgentRuns
    pull_requests: PullRequests
    budget: AgentBudget
    agent: CodingAgent | None
    configuration: Callable[[Repository, str], Awaitable[Configuration]]
    clock: Clock
    app_id: int
    details_url: Callable[[ValidationRecord], str]


@dataclass(frozen=True)
class Context:
    """Which delivery a handler is called for, and under which name.

    ``key`` is what the delivery is handled one at a time with.
    ``settled`` counts the effects of an earlier decision that are done and stay.
    """

    delivery_id: str
    handler: str
    key: str = ""
    settled: int = 0

    def id(self, index: int) -> str:
        """The id for what the effect with this index (from 0, of this decision) makes."""
        return derived(self.delivery_id, self.handler, self.settled + index)


Handle = Callable[[Any, Needs, Context], Awaitable[Decision]]


@dataclass(frozen=True)
class HandlerSpec:
    """A handler in ``ROUTES``. ``name`` stands in the inbox item: never change it."""

    name: str
    handle: Handle


Routes = Mapping[type, tuple[HandlerSpec, ...]]
"""The handlers of each kind of event, in order."""
