"""What the commands need; ``app.py`` makes one and hands it over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.domain.effects import Decision
from bot.domain.events import Ignored
from bot.domain.plan import Stage
from bot.domain.validations import Verdict
from bot.ports.inbox import Inbox, Kept
from bot.ports.renderer import Renderer
from bot.ports.sandbox import Sandbox
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


class DemoRepository(Protocol):
    """The demo's repository."""

    @property
    def path(self) -> Path: ...

    @property
    def branches(self) -> tuple[DemoBranch, ...]: ...


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
    letters: Callable[[], AbstractAsyncContextManager[Letters]]
    demo_repository: Callable[[Path], Awaitable[DemoRepository]]
