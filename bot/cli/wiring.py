"""What the commands need; ``app.py`` makes one and hands it over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bot.domain.effects import Decision
from bot.domain.events import Ignored
from bot.domain.merging import Explanation
from bot.domain.plan import Stage
from bot.domain.validations import Verdict
from bot.ports.inbox import Inbox, Kept
from bot.ports.renderer import Renderer
from bot.ports.sandbox import Examined, Sandbox
from bot.services.validation_pipeline import ValidationPipeline


class DemoBranch(Protocol):
    """A branch of the demo's repository, and what a validation of it must find."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def sha(self) -> str: ...

    @property
    def expected_verdict(self) -> Verdict: ...

    @property
    def expected_stage(self) -> Stage | None: ...

    @property
    def expected_place(self) -> str: ...


class DemoCheck(Protocol):
    """A check run as the demo's GitHub shows it; ``history`` are the states it went through."""

    @property
    def status(self) -> str: ...

    @property
    def conclusion(self) -> str | None: ...

    @property
    def title(self) -> str | None: ...

    @property
    def summary(self) -> str | None: ...

    @property
    def text(self) -> str | None: ...

    @property
    def details_url(self) -> str: ...

    @property
    def history(self) -> Sequence[str]: ...

    @property
    def annotations(self) -> Sequence[Mapping[str, Any]]: ...


class DemoComment(Protocol):
    """A comment as the demo's GitHub shows it.

    ``reactions`` are logins and GitHub's names; ``history`` each text that it ever had.
    """

    @property
    def body(self) -> str: ...

    @property
    def reactions(self) -> Sequence[tuple[str, str]]: ...

    @property
    def history(self) -> Sequence[str]: ...


class DemoPullRequest(Protocol):
    """A pull request as the demo's GitHub shows it."""

    @property
    def number(self) -> int: ...

    @property
    def title(self) -> str: ...

    @property
    def head_branch(self) -> str: ...

    @property
    def head_sha(self) -> str: ...


class DemoStage(Protocol):
    """A GitHub of one's own with the bot at work on it, and a coding agent."""

    @property
    def path(self) -> Path:
        """Where the sample's git repository is."""

    @property
    def branches(self) -> tuple[DemoBranch, ...]: ...

    async def push(self) -> tuple[str, int]:
        """Have alice push the default branch; gives its commit, and the door's HTTP status."""

    async def evaluated(self, sha: str) -> bool:
        """Wait until it is known what a browser sees of a commit; False where that takes long."""

    async def report_issue(self, title: str, body: str) -> int:
        """Have alice report an issue; gives its number."""

    async def comment(self, number: int, text: str) -> tuple[DemoComment, int]:
        """Have alice write a comment; gives it, and the door's HTTP status for its webhook."""

    def own_comments(self, number: int) -> Sequence[DemoComment]:
        """The bot's comments of an issue or pull request."""

    def pull_requests(self) -> Sequence[DemoPullRequest]:
        """All that were opened, oldest first."""

    @property
    def agent_runs(self) -> int:
        """How many runs the coding agent was given."""

    async def open_pull_request(self, branch: DemoBranch) -> int:
        """Open a pull request and deliver its signed webhook; gives the door's HTTP status."""

    def checks(self, sha: str) -> Sequence[DemoCheck]:
        """The check runs of a commit."""

    async def page(self, url: str) -> str:
        """What the bot shows at an address of its own."""

    async def picture(self, url: str) -> bytes:
        """A picture that it shows there."""


@dataclass(frozen=True)
class Workbench:
    """A sandbox and a pipeline on it, for as long as a command runs."""

    pipeline: ValidationPipeline
    sandbox: Sandbox
    info: Callable[[], Awaitable[Machine]]


class Machine(Protocol):
    """What the engine's machine has: cores, and bytes of memory."""

    @property
    def cpus(self) -> int: ...

    @property
    def memory_bytes(self) -> int: ...


@dataclass(frozen=True)
class Running:
    """The bot, made: ``url`` of its doors (empty where it has none), and what is to be run."""

    url: str
    tasks: tuple[Callable[[], Awaitable[None]], ...]


@dataclass(frozen=True)
class Letters:
    """The inbox, for people: stored deliveries, and what would be decided for one now."""

    inbox: Inbox
    rehearse: Callable[[Kept], Awaitable[list[tuple[str, Decision]] | Ignored]]


Say = Callable[[str], None]


@dataclass(frozen=True)
class Wiring:
    """Everything that commands use. ``workbench`` tells what it waits for by its argument."""

    workbench: Callable[[Say], AbstractAsyncContextManager[Workbench]]
    renderer: Renderer
    secret: Callable[[str], str | None]
    maximum_timeout_minutes: int
    serve: Callable[[str], AbstractAsyncContextManager[Running]]
    examined: Callable[[], AsyncIterator[Examined]]
    letters: Callable[[], AbstractAsyncContextManager[Letters]]
    explain: Callable[[str, int], Awaitable[Explanation]]
    demo: Callable[[Path], AbstractAsyncContextManager[DemoStage]]
