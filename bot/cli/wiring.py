"""What the commands need; ``app.py`` makes one and hands it over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.cli.demo_stage import DemoStage
from bot.domain.effects import Decision
from bot.domain.events import Ignored
from bot.domain.merging import Explanation
from bot.ports.inbox import Inbox, Kept
from bot.ports.renderer import Renderer
from bot.ports.sandbox import Examined, Sandbox
from bot.services.validation_pipeline import ValidationPipeline


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
