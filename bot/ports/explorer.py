"""The explorer: a model that drives a browser by small steps, and the tab that it drives.

What holds of every explorer:

1. ``next`` asks once, and once more where the answer has not the form that was asked for. It may be
   repeated and cancelled at any time: nothing is changed there.
2. A proposal that comes back has that form. Whether it may be carried out, and whether what it says
   is so, is for ``bot.policy.exploring``.
3. It raises TryAgain for a passing fault and Limited where too much was asked; ReviewerProblem
   where waiting mends nothing. No fault carries a key. It ends in bounded time.

A tab lives in the box beside the application, without network. It stays on the application's own
origin, whatever is done in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol

from bot.domain.exploring import (
    Action,
    ExplorerAnswer,
    ExplorerRequest,
    ExploringPromptView,
    Observation,
)


class Gone(StrEnum):
    """Why a tab can't go on; ``machine`` is ours or the engine's fault."""

    APPLICATION = "application"
    BROWSER = "browser"
    MACHINE = "machine"


class TabGone(Exception):
    """Nothing can be done or seen in a tab any more. ``message`` is for the operator."""

    def __init__(self, gone: Gone, message: str) -> None:
        super().__init__(message)
        self.gone = gone
        self.message = message


class Tab(Protocol):
    """One tab of the browser, with a context of its own.

    ``seconds`` is the time that the whole exploration may take. What is done may break the
    application: nothing that decides looks at it afterwards.
    """

    @property
    def seconds(self) -> float: ...

    async def open(self) -> Observation:
        """Open the application's first page. Raises TabGone."""

    async def act(self, action: Action) -> Observation:
        """Do something; what can't be done is told in the observation. Raises TabGone."""


Explore = Callable[[Tab], Awaitable[None]]
"""Explores by a tab. Raises nothing but the cancellation of its own task."""


class Explorer(Protocol):
    """See the module."""

    async def next(self, request: ExplorerRequest) -> ExplorerAnswer:
        """What it would do next. Raises TryAgain, Limited or ReviewerProblem."""


class ExploringPrompts(Protocol):
    """The words that an explorer is asked in."""

    def exploring_rules(self, view: ExploringPromptView) -> str:
        """What it is to do, and what is data; nothing that others wrote."""

    def exploring_prompt(self, view: ExploringPromptView) -> str:
        """Task, steps so far and the page, each piece between fences."""
