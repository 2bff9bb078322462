"""Visits to the zoo: each application as a git repository, through the product's pipeline."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.domain.excerpts import excerpts
from bot.domain.plan import StageEvent
from bot.domain.source import Origin
from bot.services.validation_course import ValidationRequest
from bot.services.validation_pipeline import ValidationPipeline
from tests.git_repository import GitRepository
from tests.zoo.animals import Animal, Told, judge

AT_A_TIME = 2


@dataclass(frozen=True)
class Visit:
    """An animal, what was told of it, and the whole result as JSON."""

    animal: Animal
    told: Told
    result: dict[str, Any]

    def __str__(self) -> str:
        mark = "✓" if self.told.right else "✗"
        wrong = "".join(f"\n    {it}" for it in self.told.misses)
        place = f" at {self.told.place}" if self.told.place else ""
        told = f"{self.told.stage or 'nothing'}{place}"
        return f"{mark} {self.animal.name}: {told} ({self.told.seconds:.0f} s){wrong}"


async def visit(animal: Animal, pipeline: ValidationPipeline, folder: Path) -> Visit:
    """Validate one, as ``validate`` does; ``folder`` is where its repository is made.

    As a fork's, of which no snapshot is kept, unless it needs a secret: a snapshot would install
    everything once more.
    """
    head, base = laid_out(animal, folder)
    request = ValidationRequest(
        Origin(str(folder), head),
        scope="zoo",
        secrets=animal.secrets or {},
        trusted=animal.secrets is not None,
        base_sha=base,
    )
    result = await pipeline.trigger_validation(request, _ignore)
    # Through text and back: what another program would read.
    told = json.loads(json.dumps(result.to_json(excerpts(result))))
    return Visit(animal, judge(animal, told), told)


async def tour(
    those: Iterable[Animal],
    pipeline: ValidationPipeline,
    folder: Path,
    heard: Callable[[Visit], None],
    at_a_time: int = AT_A_TIME,
) -> list[Visit]:
    """Visit some, so many at a time; ``heard`` gets each at its end. Gives them in their order."""
    places = asyncio.Semaphore(at_a_time)

    async def one(animal: Animal) -> Visit:
        async with places:
            made = await visit(animal, pipeline, folder / animal.name)
        heard(made)
        return made

    return await asyncio.gather(*(one(it) for it in those))


def laid_out(animal: Animal, folder: Path) -> tuple[str, str | None]:
    """Make the repository; gives the head's and the base's commit."""
    repository = GitRepository(folder)
    base = None
    if animal.base:
        shutil.copytree(animal.app, folder, dirs_exist_ok=True)
        shutil.copytree(animal.base, folder, dirs_exist_ok=True)
        base = repository.commit()
        repository.git("rm", "-r", "--quiet", ".")
    shutil.copytree(animal.app, folder, dirs_exist_ok=True)
    return repository.commit(), base


async def _ignore(event: StageEvent) -> None:
    del event
