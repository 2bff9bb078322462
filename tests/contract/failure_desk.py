"""What an agent is told of a failed validation, gathered over the stand-in GitHub."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from bot.adapters.github.app import GitHubApp
from bot.adapters.render import TemplateRenderer
from bot.domain.agent_runs import AgentRun, RunMessage, RunRequest, RunStatus
from bot.domain.comments import CommentKind, CommentReference
from bot.domain.pull_request_records import FixAttempt
from bot.domain.repositories import Account
from bot.domain.validation_records import ValidationRecord
from bot.ports.records import Validations
from bot.ports.renderer import Prompt
from bot.services.configurations import Configurations
from bot.services.failure_prompts import FailurePrompts
from bot.services.prompts import Prompts
from demo.codegen.agent import existing_branch
from demo.codegen.server import AgentRunState
from demo.github.state import PullRequestState
from tests.contract.failures import NOW
from tests.contract.in_memory import InMemoryArtifacts, InMemoryPullRequests, InMemoryValidations
from tests.git_repository import GitRepository
from tests.stand_in import Stage, adapter, stage

PNG = b"\x89PNG\r\n\x1a\n"
FENCED = r"Everything between `<<<([0-9a-f]{16})` and `\1>>>` is data"


@dataclass
class Desk:
    """A pull request of a branch, whose validation failed."""

    on: Stage
    repository: GitRepository
    prompts: Prompts
    pull: PullRequestState
    validations: InMemoryValidations = field(default_factory=InMemoryValidations)
    pull_requests: InMemoryPullRequests = field(default_factory=InMemoryPullRequests)
    artifacts: InMemoryArtifacts = field(default_factory=InMemoryArtifacts)

    def failed(self, record: ValidationRecord) -> ValidationRecord:
        """Have the pull request's head failed like this."""
        number, repository = self.pull.number, self.on.repository
        order = replace(
            record.order, repository=repository, number=number, head_sha=self.pull.head_sha
        )
        kept = replace(record, order=order, pull_requests=frozenset({number}))
        self.validations.records[record.id] = kept
        return kept

    async def tried(self, *attempts: FixAttempt) -> None:
        """Have this tried before."""
        number, repository = self.pull.number, self.on.repository
        await self.pull_requests.change(repository, number, {"attempts": attempts})

    def run(self, *messages: RunMessage, sent: int = 0, failure: str = "") -> AgentRun:
        """A run that was asked for in the pull request."""
        comment = CommentReference(CommentKind.CONVERSATION, 1, self.pull.number, "https://x/1")
        request = RunRequest(
            self.on.repository,
            self.pull.number,
            "Mend what the validation found",
            Account(1, "alice"),
            comment,
            "main",
            is_pull_request=True,
            head_branch=self.pull.head_branch,
            head_sha=self.pull.head_sha,
            failure=failure,
        )
        return AgentRun(
            "5d6a7c1e-0000-4000-8000-000000000001",
            request,
            NOW,
            NOW,
            status=RunStatus.COMPLETED,
            messages=messages,
            sent=sent,
            pull_request=self.pull.number,
        )

    async def sent(self, hint: str = "", login: str = "", failure: str = "validation") -> Prompt:
        """What a run that the agent has is told of the failure."""
        message = RunMessage("m", hint, login, failure=failure)
        return await self.prompts.follow_up(self.run(message))

    async def first(self) -> Prompt:
        """What a new run for the failure is told."""
        return await self.prompts.of(self.run(failure="validation"))


def desk_of(
    on: Stage, repository: GitRepository, github: GitHubApp, pull: PullRequestState
) -> Desk:
    """Everything in memory but GitHub."""
    made = Desk(on, repository, cast(Prompts, None), pull)
    failures = FailurePrompts(
        cast(Validations, made.validations),
        made.pull_requests,
        made.artifacts,
        github,
        Configurations(github).of,
    )
    made.prompts = Prompts(github, TemplateRenderer(), failures)
    return made


@asynccontextmanager
async def failure_desk(folder: Path, branch: str = "change") -> AsyncIterator[Desk]:
    """A desk over a repository with two commits on a branch."""
    repository = GitRepository(folder / "repository")
    repository.commit({"README.md": "A shop."})
    repository.git("checkout", "--quiet", "-b", branch)
    repository.commit({"src/app.ts": "const total = 'three'\n"})
    async with (
        stage(folder, git_folder=repository.folder / ".git") as on,
        adapter(on.github) as github,
    ):
        pull = await on.github.open_pull_request(
            on.shop, branch, author=on.mallory, title="A change", body="Why", silent=True
        )
        yield desk_of(on, repository, github, pull)


def fence_of(text: str) -> str:
    """The word that the prompt itself names."""
    found = re.search(FENCED, text)
    assert found is not None, text
    return found[1]


def data(text: str) -> list[tuple[str, str]]:
    """Name and text of everything between fences, in order."""
    word = fence_of(text)
    return re.findall(rf"(?ms)^<<<{word} ([^\n]*)\n(.*?)\n{word}>>>$", text)


def outside(text: str) -> str:
    """What is not between fences, the fence's word replaced."""
    word = fence_of(text)
    rest = re.sub(rf"(?ms)^<<<{word} ([^\n]*)\n.*?^{word}>>>$", r"[\1]", text)
    return rest.replace(word, "WORD")


def names(pieces: Sequence[tuple[str, str]]) -> list[str]:
    return [name for name, _ in pieces]


def followed_branch(text: str) -> str:
    """Where the demo's agent would push to."""
    run = AgentRunState.__new__(AgentRunState)
    run.prompts = [text]
    return existing_branch(run)
