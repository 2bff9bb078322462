"""``FailurePrompts``: what is known of a failed validation, gathered for the agent when it is sent.

What can't be found out is said to be missing: an agent that is told less is better than none. Only
a passing fault of GitHub's where it is asked for the branch is waited out.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bot.domain.agent_runs import AgentRun
from bot.domain.log_text import plain
from bot.domain.problems import TryAgain
from bot.domain.pull_request_records import FixAttempt
from bot.domain.repositories import PullRequest, Repository
from bot.domain.validation_records import ValidationRecord
from bot.log import get_logger
from bot.policy import failure_report as report
from bot.ports.artifacts import Artifacts
from bot.ports.github import GitHub, GitHubProblem
from bot.ports.handlers import Configuration
from bot.ports.records import PullRequests, Unreadable, Validations
from bot.ports.renderer import FailureView, Piece, Said

MOST_PICTURES = 3
LARGEST_PICTURES = 5 * 1024 * 1024
LONGEST_HINT = 4_000
UNREADABLE = "What was tried before can't be read."
NO_DIFF = "GitHub does not show what the last attempt changed."
NO_PICTURES = "Screenshots are left out: steps of this project may be given secrets."
_BRANCH = re.compile(r"[^\s`]{1,255}")
"""A name that can stand in an instruction of ours: it is one word, and ends no code."""

log = get_logger()


@dataclass(frozen=True)
class Gathered:
    """What is told of a failure, and its screenshots as data URIs; ``size`` is theirs in bytes."""

    view: FailureView
    images: tuple[str, ...] = ()
    size: int = 0


class FailurePrompts:
    """See the module."""

    def __init__(
        self,
        validations: Validations,
        pull_requests: PullRequests,
        artifacts: Artifacts,
        github: GitHub,
        configuration: Callable[[Repository, str], Awaitable[Configuration]],
    ) -> None:
        self._validations = validations
        self._pull_requests = pull_requests
        self._artifacts = artifacts
        self._github = github
        self._configuration = configuration

    async def of(self, run: AgentRun, validation_id: str, hint: Said | None = None) -> Gathered:
        """What a run is told of a failure that it is to mend."""
        repository = run.request.repository
        record = await self._validations.get(validation_id)
        if record is not None and record.order.repository.id != repository.id:
            record = None
        number = _number_of(run, record)
        hint = replace(hint, text=report.cut(hint.text, LONGEST_HINT)) if hint else None
        view = FailureView(number, hint=hint, wants_plan=run.wants_plan)
        view = await self._at_its_branch(view, repository, record)
        if view.nowhere:
            return Gathered(view)
        pieces, missing = report.reported(record)
        before, unknown = await self._before(repository, number)
        images, shown, untold = await self._pictures(record)
        view = replace(
            view,
            pieces=(*shown, *pieces, *before),
            missing=(*missing, *unknown, *untold),
            pictures=len(images),
        )
        encoded = tuple(
            f"data:{kind};base64,{base64.b64encode(it).decode()}" for kind, it in images
        )
        return Gathered(view, encoded, sum(len(it) for _, it in images))

    async def _at_its_branch(
        self, view: FailureView, repository: Repository, record: ValidationRecord | None
    ) -> FailureView:
        """Where to push to, as GitHub knows it now."""
        failed = record.order.head_sha if record else ""
        view = replace(view, head_sha=failed, repository=repository.full_name)
        try:
            pull = await self._github.pull_request(repository, view.number)
        except GitHubProblem as problem:
            log.info("a pull request can't be read", number=view.number, reason=problem.message)
            return view
        if not pull.is_open:
            closed = f"Pull request #{view.number} was closed meanwhile: nothing is to be mended."
            return replace(view, nowhere=closed)
        if pull.head_repository_id is None:
            gone = f"The fork that pull request #{view.number} comes from is gone."
            return replace(view, nowhere=gone)
        named = _BRANCH.fullmatch(pull.head_branch) and plain(pull.head_branch) == pull.head_branch
        return replace(
            view,
            branch=pull.head_branch if named else "",
            repository=await self._home(repository, pull),
            head_now=pull.head_sha if failed and pull.head_sha != failed else "",
        )

    async def _home(self, repository: Repository, pull: PullRequest) -> str:
        """The repository of the branch, by name; empty where a fork does not show itself to us."""
        if pull.head_repository_id in {repository.id, None}:
            return repository.full_name
        assert pull.head_repository_id is not None
        fork = Repository(pull.head_repository_id, "", "", repository.installation_id)
        try:
            return (await self._github.repository(fork)).full_name
        except GitHubProblem:
            return ""

    async def _before(
        self, repository: Repository, number: int
    ) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
        """What was tried, and what the last try changed."""
        try:
            attempts = (await self._pull_requests.get(repository, number)).attempts
        except Unreadable:
            return (), (UNREADABLE,)
        diff, missing = await self._diff(repository, attempts)
        return tuple(it for it in (report.tried(attempts), diff) if it is not None), missing

    async def _diff(
        self, repository: Repository, attempts: Sequence[FixAttempt]
    ) -> tuple[Piece | None, tuple[str, ...]]:
        last = report.last_pushed(attempts)
        if last is None:
            return None, ()
        try:
            found = await self._github.comparison(repository, last.head_sha, last.pushed_sha)
        except (TryAgain, GitHubProblem) as fault:
            log.info("what an attempt changed is not shown", reason=fault.message)
            return None, (NO_DIFF,)
        diff = report.changed(found)
        return diff, () if diff else (NO_DIFF,)

    async def _pictures(
        self, record: ValidationRecord | None
    ) -> tuple[list[tuple[str, bytes]], tuple[Piece, ...], tuple[str, ...]]:
        """Screenshots of what failed by media type, a list of what they show, what is missing."""
        shots = report.shots(record)
        if record is None or not shots:
            return [], (), ()
        # A secret in a picture can't be masked: where steps may have been given some, none leaves.
        if record.order.trusted and await self._has_secrets(record.order.repository):
            return [], (), (NO_PICTURES,)
        found: list[tuple[str, bytes]] = []
        labels: list[str] = []
        room = LARGEST_PICTURES
        for shot in shots:
            content = await self._read(shot.artifact_id, room)
            if not content:
                continue
            room -= len(content)
            found.append((shot.media_type, content))
            labels.append(f"{len(found)}. {shot.label}")
            if len(found) == MOST_PICTURES:
                break
        shown = (Piece("what the pictures show", "\n".join(labels)),) if labels else ()
        return found, shown, ()

    async def _read(self, artifact_id: str, room: int) -> bytes:
        """An artifact's content; nothing where it is gone or too large."""
        content = bytearray()
        try:
            async for piece in self._artifacts.read(artifact_id):
                content += piece
                if len(content) > room:
                    return b""
        except TryAgain as fault:
            log.info("a screenshot can't be read", reason=fault.message)
            return b""
        return bytes(content)

    async def _has_secrets(self, repository: Repository) -> bool:
        try:
            configuration = await self._configuration(repository, "")
        except (TryAgain, GitHubProblem):
            return True
        return bool(configuration.parsed.config.deployment.secrets)


def data_uri(media_type: str, content: bytes) -> str:
    """A picture as the agent takes it."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _number_of(run: AgentRun, record: ValidationRecord | None) -> int:
    """The pull request whose validation failed: one of the run's, if the validation was for it."""
    own = tuple(reversed(run.numbers))
    if record is None:
        return own[0]
    wanting = record.pull_requests | {record.order.number}
    return next((it for it in own if it in wanting), record.order.number or own[0])
