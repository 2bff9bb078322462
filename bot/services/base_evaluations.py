"""``BaseEvaluations``: what a browser saw of the commits that changes are held against.

A commit is evaluated when the default branch moves to it, and when a validation has missed it. It
never keeps a pull request waiting: whoever finds nothing says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot.domain.base_evaluations import NOT_YET, BaseEvaluation, KeptPicture
from bot.domain.bounded_json import NotInShape
from bot.domain.effects import EvaluateBase
from bot.domain.ids import derived
from bot.domain.plan import Stage, StageAttachment, StageStatus
from bot.domain.validations import FailureClass, ValidationResult, Verdict
from bot.domain.web import BasePicture, WebBase, WebEvaluation
from bot.ports.artifacts import Artifacts
from bot.ports.clock import Clock
from bot.ports.jobs import Job, Jobs, JobState
from bot.ports.records import EvaluatedBases

BASE_EVALUATION = "base_evaluation"
"""The kind of job. Its subject is the commit."""
PUSHED = "pushed"
"""The lane of commits that their branch has just moved to, one behind the other."""
MOVED_ON = "the branch has moved on"
EVALUATED = "evaluated"
MOST_TRIES = 3
"""Jobs for one commit that came to nothing."""
MOST_JOBS = 20
"""Those that the branch moved on from included."""
_NEVER_RAN = frozenset({Verdict.CANCELLED, Verdict.ERROR})


class BaseEvaluations:
    """See the module."""

    def __init__(
        self, bases: EvaluatedBases, artifacts: Artifacts, jobs: Jobs, clock: Clock
    ) -> None:
        self._bases = bases
        self._artifacts = artifacts
        self._jobs = jobs
        self._clock = clock

    async def request(self, effect: EvaluateBase) -> str:
        """Queue a job for a commit of which nothing is known, unless one is queued."""
        repository, sha = effect.repository, effect.sha
        if await self.knows(repository.id, sha):
            return "known"
        tries = 0
        for number in range(1, MOST_JOBS + 1):
            job_id = derived(repository.id, BASE_EVALUATION, sha, number)
            known = await self._jobs.get(job_id)
            if known is None:
                job = Job(
                    id=job_id,
                    kind=BASE_EVALUATION,
                    subject=sha,
                    lane=f"{repository.id}:{PUSHED if effect.pushed else 'missed'}",
                    repository_id=repository.id,
                    created_at=self._clock.now(),
                )
                await self._jobs.add(job)
                return "queued"
            if known.state is not JobState.ENDED:
                return "queued before"
            tries += (known.result or {}).get("outcome") not in {MOVED_ON, EVALUATED}
            if tries == MOST_TRIES:
                break
        return f"given up after {tries} tries"

    async def knows(self, repository_id: int, sha: str) -> bool:
        """Whether there is something to compare with, or a reason why there is nothing."""
        kept = await self._bases.get(repository_id, sha)
        return kept is not None and (kept.evaluation is None or _read(kept) is not None)

    async def of(self, repository_id: int, sha: str) -> WebBase:
        """What is known of a commit, with its pictures."""
        kept = await self._bases.get(repository_id, sha)
        if kept is None:
            return WebBase(sha, reason=NOT_YET)
        if kept.evaluation is None:
            return WebBase(sha, reason=kept.reason)
        if (evaluation := _read(kept)) is None:
            return WebBase(sha, reason=NOT_YET)
        pictures: dict[str, BasePicture] = {}
        for it in kept.pictures:
            content = b"".join([piece async for piece in self._artifacts.read(it.artifact_id)])
            if content:  # else its time was over
                pictures[it.name] = BasePicture(it.media_type, content)
        return WebBase(sha, evaluation, pictures=pictures)

    async def keep(
        self, repository_id: int, result: ValidationResult, files: dict[str, StageAttachment]
    ) -> str:
        """Keep what a validation saw of its commit, unless it never came to run."""
        ours = result.failure_class is FailureClass.INFRASTRUCTURE
        if not result.head_sha or result.verdict in _NEVER_RAN or ours:
            return f"nothing to keep: {result.reason}"
        stage = next((it for it in result.stages if it.stage is Stage.WEB_EVALUATION), None)
        evaluation = stage.evaluation if stage else None
        reason = f"could not be looked at: {result.reason}"
        if stage is not None and stage.status is StageStatus.SKIPPED:
            reason = f"has nothing to look at in a browser: {stage.reason}"
        await self._bases.keep(
            BaseEvaluation(
                repository_id,
                result.head_sha,
                self._clock.now(),
                evaluation=evaluation.to_json() if evaluation else None,
                reason="" if evaluation else reason,
                pictures=await self._kept_pictures(evaluation, files),
            )
        )
        return EVALUATED if evaluation else reason

    async def _kept_pictures(
        self, evaluation: WebEvaluation | None, files: dict[str, StageAttachment]
    ) -> tuple[KeptPicture, ...]:
        kept: list[KeptPicture] = []
        shown = {page.picture for page in evaluation.pages} if evaluation else set()
        for name, file in files.items():
            if name in shown:
                artifact = await self._artifacts.put(name, file.media_type, _whole(file.content))
                kept.append(KeptPicture(name, file.media_type, artifact.id))
        return tuple(kept)


def _read(kept: BaseEvaluation) -> WebEvaluation | None:
    """What was seen; None where another version of this service wrote it."""
    try:
        return WebEvaluation.from_json(kept.evaluation)
    except NotInShape:
        return None


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
