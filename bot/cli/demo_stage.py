"""What the demo plays on: a GitHub of one's own, the bot at work on it, and a coding agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from bot.domain.plan import Stage
from bot.domain.validations import Verdict


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
    """A check run as the demo's GitHub shows it.

    ``history`` are the states that it went through, ``texts`` each text that its details had, and
    ``buttons`` what its buttons were called, each time that they were others.
    """

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
    def texts(self) -> Sequence[str]: ...

    @property
    def buttons(self) -> Sequence[tuple[str, ...]]: ...

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
    def state(self) -> str: ...

    @property
    def head_branch(self) -> str: ...

    @property
    def base_branch(self) -> str: ...

    @property
    def head_sha(self) -> str: ...

    @property
    def labels(self) -> Sequence[str]: ...

    @property
    def merged_at(self) -> datetime | None: ...

    @property
    def merge_commit_sha(self) -> str | None: ...


class DemoAgentRun(Protocol):
    """A run as the demo's agent has it: each message that it was sent, with its pictures.

    A picture is a data URI.
    """

    @property
    def prompts(self) -> Sequence[str]: ...

    @property
    def pictures(self) -> Sequence[Sequence[str]]: ...


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

    def is_open(self, number: int) -> bool:
        """Whether an issue is."""

    def pull_requests(self) -> Sequence[DemoPullRequest]:
        """All that were opened, oldest first."""

    @property
    def agent_runs(self) -> Sequence[DemoAgentRun]:
        """The runs that the coding agent was given."""

    @property
    def merges(self) -> Sequence[Mapping[str, Any]]:
        """Each call that asked GitHub for a merge: what it sent."""

    async def commit(self, branch: str) -> str:
        """Where a branch is; empty where there is none."""

    async def file(self, branch: str, path: str) -> str:
        """A file as a branch has it."""

    async def open_pull_request(self, branch: DemoBranch) -> int:
        """Open a pull request and deliver its signed webhook; gives the door's HTTP status."""

    def checks(self, sha: str) -> Sequence[DemoCheck]:
        """The check runs of a commit."""

    async def page(self, url: str) -> str:
        """What the bot shows at an address of its own."""

    async def picture(self, url: str) -> bytes:
        """A picture that it shows there."""
