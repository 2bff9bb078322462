"""Records of pull requests and validations, and files, in memory, for the tests of prompts."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.domain.problems import TryAgain
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.repositories import Repository
from bot.domain.validation_records import ValidationRecord
from bot.ports.artifacts import Artifact, Artifacts
from bot.ports.records import PullRequests, Unreadable


@dataclass
class InMemoryPullRequests(PullRequests):
    """See the port. Those among ``unreadable`` raise."""

    records: dict[tuple[int, int], PullRequestRecord] = field(default_factory=dict)
    unreadable: set[int] = field(default_factory=set)

    async def get(self, repository: Repository, number: int) -> PullRequestRecord:
        if number in self.unreadable:
            raise Unreadable(f"#{number}")
        fresh = PullRequestRecord(repository, number)
        return self.records.get((repository.id, number), fresh)

    async def of_numbers(
        self, repository: Repository, numbers: Collection[int]
    ) -> Mapping[int, PullRequestRecord]:
        readable = {*numbers} - self.unreadable
        return {it: await self.get(repository, it) for it in readable}

    async def change(
        self, repository: Repository, number: int, changes: Mapping[str, Any]
    ) -> PullRequestRecord:
        changed = replace(await self.get(repository, number), **changes)
        self.records[repository.id, number] = changed
        return changed

    async def line(self, repository_id: int, base_branch: str) -> Sequence[PullRequestRecord]:
        of_base = [it for it in self._of(repository_id) if it.base_branch == base_branch]
        standing = [(it.queued_at, it.number, it) for it in of_base if it.queued_at]
        return [it for _, _, it in sorted(standing, key=lambda it: it[:2])]

    async def unfinished(self, looked_before: datetime) -> AsyncIterator[PullRequestRecord]:
        for record in self.records.values():
            if record.is_open and record.looked_at and record.looked_at < looked_before:
                yield record

    def _of(self, repository_id: int) -> list[PullRequestRecord]:
        return [it for it in self.records.values() if it.repository.id == repository_id]


@dataclass
class InMemoryValidations:
    """Those that are kept, by their ids."""

    records: dict[str, ValidationRecord] = field(default_factory=dict)

    async def get(self, validation_id: str) -> ValidationRecord | None:
        return self.records.get(validation_id)


@dataclass
class InMemoryArtifacts(Artifacts):
    """See the port. Those among ``faulty`` can't be read for a while."""

    kept: dict[str, tuple[Artifact, bytes]] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)

    async def put(self, name: str, media_type: str, content: AsyncIterator[bytes]) -> Artifact:
        return self.keep(name, media_type, b"".join([it async for it in content]))

    def keep(self, name: str, media_type: str, content: bytes, artifact_id: str = "") -> Artifact:
        """Keep content, under an id of its own if one is given."""
        artifact_id = artifact_id or hashlib.sha256(content).hexdigest()
        artifact = Artifact(artifact_id, name, media_type, len(content))
        self.kept[artifact.id] = (artifact, content)
        return artifact

    async def get(self, artifact_id: str) -> Artifact | None:
        found = self.kept.get(artifact_id)
        return found[0] if found else None

    async def read(self, artifact_id: str) -> AsyncIterator[bytes]:
        if artifact_id in self.faulty:
            raise TryAgain("the database is away")
        content = self.kept[artifact_id][1] if artifact_id in self.kept else b""
        for at in range(0, len(content), 1024):
            yield content[at : at + 1024]
