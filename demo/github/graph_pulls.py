"""GraphQL's repositories and pull requests, with all that is asked before a merge."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from demo.github.closing import linked
from demo.github.graph_checks import ActorNode, CommitNode
from demo.github.graph_connections import Connection, Wrong, connection
from demo.github.mergeability import Standing, look
from demo.github.merging_state import QueueEntry, ReviewState, ThreadState
from demo.github.objects import Objects, node_id
from demo.github.rules import decision, has_queue, opinions
from demo.github.state import IssueState, PullRequestState, RepositoryState, iso

MERGEABLE = {True: "MERGEABLE", False: "CONFLICTING", None: "UNKNOWN"}


class RepositoryNode:
    """A repository."""

    typename = "Repository"

    def __init__(self, objects: Objects, of: RepositoryState) -> None:
        self._objects = objects
        self._of = of
        self.id = node_id("R", of.id)
        self.database_id = of.id
        self.name = of.name
        self.name_with_owner = of.full_name
        self.merge_commit_allowed = "merge" in of.allowed_methods
        self.squash_merge_allowed = "squash" in of.allowed_methods
        self.rebase_merge_allowed = "rebase" in of.allowed_methods
        self.delete_branch_on_merge = of.delete_branch_on_merge

    def pull_request(self, number: int) -> PullRequestNode:
        pull = self._of.pull_requests.get(number)
        if pull is None:
            told = f"Could not resolve to a PullRequest with the number of {number}."
            raise Wrong("NOT_FOUND", told)
        return PullRequestNode(self._objects, self._of, pull)

    async def object(
        self, oid: str | None = None, expression: str | None = None
    ) -> CommitNode | None:
        try:
            sha = await self._of.commit(oid or expression or "")
        except LookupError:
            return None
        return CommitNode(self._objects.state, self._of, sha)

    def pull_requests(
        self,
        states: list[str] | None = None,
        base_ref_name: str | None = None,
        head_ref_name: str | None = None,
        labels: list[str] | None = None,
        **page: Any,
    ) -> Connection:
        found = [
            PullRequestNode(self._objects, self._of, it)
            for _, it in sorted(self._of.pull_requests.items())
            if base_ref_name in (None, it.base_branch)
            and head_ref_name in (None, it.head_branch)
            and (labels is None or not {*labels}.isdisjoint(it.labels))
            and (states is None or state_of(it) in states)
        ]
        return connection("pullRequests", found, **page)


class PullRequestNode:
    """A pull request. Whether it merges is found out once for all that ask for it."""

    typename = "PullRequest"

    def __init__(self, objects: Objects, repository: RepositoryState, of: PullRequestState) -> None:
        self._objects = objects
        self._state = objects.state
        self._repository = repository
        self._of = of
        self._look: asyncio.Task[Standing] | None = None
        self._base: asyncio.Task[str] | None = None
        self.id = node_id("PR", of.id)
        self.number, self.title, self.body = of.number, of.title, of.body
        self.url = f"{objects.url}/{repository.full_name}/pull/{of.number}"
        self.state = state_of(of)
        self.is_draft = of.draft
        self.merged = of.merged_at is not None
        self.created_at, self.updated_at = iso(of.created_at), iso(of.updated_at)
        self.merged_at, self.closed_at = iso(of.merged_at), iso(of.closed_at)
        self.head_ref_oid, self.head_ref_name = of.head_sha, of.head_branch
        self.base_ref_name = of.base_branch
        self.author = ActorNode(of.author)
        self.merged_by = ActorNode(of.merged_by) if of.merged_by else None
        self.maintainer_can_modify = of.maintainer_can_modify
        self.is_cross_repository = of.head_repository_id != repository.id

    @property
    def head_repository(self) -> RepositoryNode | None:
        found = self._state.repositories.get(self._of.head_repository_id or 0)
        return RepositoryNode(self._objects, found) if found else None

    @property
    def merge_commit(self) -> CommitNode | None:
        return self._commit(self._of.merge_commit_sha) if self._of.merge_commit_sha else None

    async def base_ref_oid(self) -> str:
        if self._base is None:
            self._base = asyncio.create_task(self._repository.base_sha_of(self._of))
        return await self._base

    async def base_ref(self) -> RefNode | None:
        name = self._of.base_branch
        try:
            target = await self._repository.commit(f"refs/heads/{name}")
        except LookupError:
            return None
        return RefNode(f"REF_{self._repository.id}_{name}", name, self._commit(target))

    async def mergeable(self) -> str:
        return MERGEABLE[(await self._standing()).mergeable]

    async def merge_state_status(self) -> str:
        return (await self._standing()).state.upper()

    async def _standing(self) -> Standing:
        if self._look is None:
            self._look = asyncio.create_task(look(self._state, self._repository, self._of))
        return await self._look

    @property
    def review_decision(self) -> str | None:
        return decision(self._state, self._repository, self._of)

    @property
    def is_merge_queue_enabled(self) -> bool:
        return has_queue(self._repository, self._of.base_branch)

    @property
    def is_in_merge_queue(self) -> bool:
        return self._repository.entry_of(self._of) is not None

    @property
    def merge_queue_entry(self) -> EntryNode | None:
        entry = self._repository.entry_of(self._of)
        return EntryNode(self._objects, self._repository, self._of, entry) if entry else None

    def labels(self, **page: Any) -> Connection:
        nodes = [{"id": f"LA_{it}", "name": it} for it in self._of.labels]
        return connection("labels", nodes, **page)

    def latest_opinionated_reviews(self, *, writers_only: bool, **page: Any) -> Connection:
        found = opinions(self._state, self._repository, self._of, writers_only=writers_only)
        nodes = [ReviewNode(it, self._commit(it.commit_id)) for it in found]
        return connection("latestOpinionatedReviews", nodes, **page)

    def review_threads(self, **page: Any) -> Connection:
        found = self._state.threads_of(self._repository, self._of.number)
        return connection("reviewThreads", [ThreadNode(it) for it in found], **page)

    def closing_issues_references(self, **page: Any) -> Connection:
        found = linked(self._state, self._repository, self._of)
        nodes = [IssueNode(it, RepositoryNode(self._objects, where)) for where, it in found]
        return connection("closingIssuesReferences", nodes, **page)

    async def commits(self, **page: Any) -> Connection:
        between = f"{await self.base_ref_oid()}..{self._of.head_sha}"
        said = await self._repository.git_of_commits("rev-list", "--reverse", between)
        listed = said.decode().split()
        nodes = [{"id": f"PURC_{it}", "commit": self._commit(it)} for it in listed]
        return connection("commits", nodes, **page)

    def _commit(self, oid: str) -> CommitNode:
        return CommitNode(self._state, self._repository, oid)


@dataclass(frozen=True)
class RefNode:
    """A branch."""

    id: str
    name: str
    target: CommitNode


class ReviewNode:
    """A review."""

    def __init__(self, of: ReviewState, commit: CommitNode) -> None:
        self.id, self.database_id = node_id("PRR", of.id), of.id
        self.author = ActorNode(of.author)
        self.body, self.state = of.body, of.state.upper()
        self.submitted_at = iso(of.submitted_at)
        self.commit = commit


class ThreadNode:
    """A conversation about a line."""

    def __init__(self, of: ThreadState) -> None:
        self.id = node_id("PRRT", of.id)
        self.is_resolved = of.resolved_by is not None


class IssueNode:
    """An issue."""

    def __init__(self, of: IssueState, repository: RepositoryNode) -> None:
        self.id, self.database_id = node_id("I", of.id), of.id
        self.number, self.title = of.number, of.title
        self.repository = repository


class EntryNode:
    """A place in a merge queue."""

    def __init__(
        self,
        objects: Objects,
        repository: RepositoryState,
        pull: PullRequestState,
        entry: QueueEntry,
    ) -> None:
        self.id = node_id("MQE", entry.id)
        self.position = repository.queues[pull.base_branch].index(entry) + 1
        self.state = entry.state
        self.enqueued_at = iso(entry.enqueued_at)
        self.enqueuer = ActorNode(entry.enqueuer)
        self.head_commit = CommitNode(objects.state, repository, entry.head_sha)
        self.pull_request = PullRequestNode(objects, repository, pull)


def state_of(pull: PullRequestState) -> str:
    """GraphQL's word for it."""
    return "MERGED" if pull.merged_at else pull.state.upper()


def find_pull(
    wanted: str, among: Iterable[RepositoryState]
) -> tuple[RepositoryState, PullRequestState] | None:
    """The pull request that GraphQL knows by this name."""
    return next(
        (
            (repository, pull)
            for repository in among
            for pull in repository.pull_requests.values()
            if node_id("PR", pull.id) == wanted
        ),
        None,
    )
