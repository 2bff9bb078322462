"""Where untrusted code runs: the need, whatever engine fulfils it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.domain.code_analysis import CodeAnalysis
from bot.domain.plan import Plan, StageEvent
from bot.ports.explorer import Explore
from bot.ports.source import Tree

Emit = Callable[[StageEvent], Awaitable[None]]
"""Takes the events of a run one by one; awaiting it is the back-pressure."""


@dataclass(frozen=True)
class Environment:
    """One validation's place to run in. ``id`` is a UUID; ``image_id`` the engine's image.

    ``snapshot_key`` is empty where the plan has nothing to keep; ``snapshot_hit`` says whether
    the box came from one.
    """

    id: str
    plan: Plan
    image_id: str
    snapshot_key: str = ""
    snapshot_hit: bool = False


class StageEnded(Exception):
    """A stage did not pass; its result has been emitted and no later stage may run."""


class SandboxUnavailable(Exception):
    """The engine or the machine failed, or boxes are not closed: ours, never the author's."""


@dataclass(frozen=True)
class Examined:
    """One thing that ``doctor`` looked at: ``mend`` is empty where ``ok``."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


class Sandbox(Protocol):
    """Runs plans in boxes.

    Life cycle of one validation, in this order:

    1. ``open`` makes the boxes, puts the tree in, installs (or takes a snapshot), cuts the
       network and has the box tested to be closed. It emits the ``install`` stage.
    2. ``run`` carries out the other steps and stages of the plan, emitting a ``StageStarted``
       and a ``StageFinished`` for each that it reaches, in the order of ``Stage``. What a stage has
       made (screenshots) comes before its end, as ``StageAttachment``s, some megabytes in all.
    3. ``close`` removes all that the validation made. It must not fail when it has been called
       before, or when nothing was made, and it works while ``open`` or ``run`` is cancelled.

    ``open`` and ``run`` raise ``StageEnded`` after emitting the stage that ended the run, and
    ``SandboxUnavailable`` when the engine is at fault. Cancelling the task that runs them ends
    everything in the box within a second. A missing ``StageFinished`` is never success.
    """

    async def ready(self) -> None:
        """Prove that boxes are closed. Raises SandboxUnavailable; nothing may run before it."""

    async def open(
        self,
        environment_id: str,
        plan: Plan,
        tree: Tree,
        secrets: Mapping[str, str],
        emit: Emit,
        *,
        scope: str,
        kept: bool = False,
    ) -> Environment:
        """PREPARE. ``scope`` keeps the snapshots of different repositories apart.

        A ``kept`` environment's boxes outlive this process, until their deadline or until closed.
        """

    async def run(self, environment: Environment, explore: Explore | None = None) -> None:
        """RUN, from services and build to stability, emitting to where ``open`` emitted.

        After all of that, where a web page was looked at and nothing failed, ``explore`` is given
        a tab; what comes of it is nothing that ``run`` fails for.
        """

    async def close(self, environment_id: str) -> None:
        """Remove everything that carries this environment's id."""

    async def analyse(
        self, environment_id: str, head: Tree, base: Tree, emit: Emit
    ) -> CodeAnalysis:
        """Hold a tree's code against its base's, in a box of its own that runs nothing of them.

        What the code is to blame for, and a machine where it can't be done, is the result's state.
        """

    async def keep_snapshot(self, environment: Environment, tree: Tree) -> bool:
        """Make the snapshot of an environment's key, aside, from a clean install of the tree.

        Says whether one was made; False where one exists, is being made, or must not be kept.
        """

    async def sweep(self) -> int:
        """Remove what is past its deadline or belongs to a dead owner; says how many things."""

    def examine(self) -> AsyncIterator[Examined]:
        """What ``doctor`` shows: engine, image, closed boxes, disk; each with its mend."""
