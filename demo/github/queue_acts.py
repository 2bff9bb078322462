"""A merge queue: each pull request waits with a merge made ahead, whose checks decide.

Every entry's merge is made on that of the one before it. The first lands when all required checks
of its merge pass, falls out when one fails; those behind it are then merged anew.
"""

from __future__ import annotations

from demo.github import merges
from demo.github.answers import Refused
from demo.github.merge_acts import HEAD_MOVED, NOT_MERGEABLE, MergeActs
from demo.github.mergeability import standing
from demo.github.merging_state import QueueEntry
from demo.github.pushes import ZEROS, Push, commit_of
from demo.github.rules import has_queue, required
from demo.github.state import PullRequestState, RepositoryState, User, now

OF_QUEUE = "gh-readonly-queue"
DESTROYED = {"MERGE": "merged", "MANUAL": "dequeued"}
"""What a group's end is called, by why its pull request left the queue; else ``invalidated``."""


class QueueActs(MergeActs):
    """Each does what GitHub does then, and sends what GitHub sends."""

    async def enqueue(
        self, repository: RepositoryState, pull: PullRequestState, *, by: User, expected: str = ""
    ) -> QueueEntry:
        """Put it into its base's merge queue, last. Raises Refused."""
        # One by one: an entry's merge is made on that of the one before it.
        async with repository.queueing:
            await self._check_enqueued(repository, pull, expected)
            entry = QueueEntry(next(self.state.ids), pull.number, by, now(), "", "", "")
            repository.queues.setdefault(pull.base_branch, []).append(entry)
            await self.tell_of(repository, pull, "enqueued", by)
            await self._begin(repository, pull, entry)
        return entry

    async def dequeue(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        *,
        by: User,
        reason: str = "MANUAL",
    ) -> None:
        """Take it out; what waits behind it is merged anew. Raises LookupError."""
        entry = repository.entry_of(pull)
        if entry is None:
            raise LookupError(pull.number)
        queue = repository.queues[pull.base_branch]
        behind = queue[queue.index(entry) + 1 :]
        queue.remove(entry)
        await self.tell_of(repository, pull, "dequeued", by, {"reason": reason})
        await self._end(repository, pull.base_branch, entry, DESTROYED.get(reason, "invalidated"))
        if reason != "MERGE":
            await self._begin_again(repository, pull.base_branch, behind)

    async def land_queued(
        self, repository: RepositoryState, branch: str, *, by: User | None = None
    ) -> str:
        """Merge what is first in a branch's queue, whatever its checks: the base's new commit."""
        entry = repository.queues[branch][0]
        pull, by = repository.pull_requests[entry.number], by or entry.enqueuer
        merged = entry.head_sha
        async with repository.pushing:
            said = await merges.messages(repository, entry.base_sha, merged)
            await self.land(repository, pull, entry.base_sha, merged, by)
        await self.dequeue(repository, pull, by=by, reason="MERGE")
        await self.tell_of_merge(repository, pull, by, said)
        return merged

    async def checks_changed(self, repository: RepositoryState, sha: str) -> None:
        """Go on with each queue that waits for the checks of a commit."""
        for branch, queue in list(repository.queues.items()):
            if any(it.head_sha == sha for it in queue):
                await self._go_on(repository, branch)

    async def head_moved(
        self, repository: RepositoryState, pull: PullRequestState, sender: User
    ) -> None:
        """What was queued was another head."""
        await super().head_moved(repository, pull, sender)
        if repository.entry_of(pull) is not None:
            await self.dequeue(repository, pull, by=sender, reason="BRANCH_PROTECTIONS")

    async def base_moved(self, repository: RepositoryState, push: Push, sender: User) -> None:
        """Merges that were made on another commit are made anew."""
        await super().base_moved(repository, push, sender)
        queue = repository.queues.get(push.branch, [])
        if queue and not push.is_gone and queue[0].base_sha != push.after:
            await self._begin_again(repository, push.branch, list(queue))

    async def close(
        self, repository: RepositoryState, pull: PullRequestState, *, sender: User
    ) -> None:
        """What is closed waits no more."""
        if repository.entry_of(pull) is not None:
            await self.dequeue(repository, pull, by=sender)
        await super().close(repository, pull, sender=sender)

    async def _go_on(self, repository: RepositoryState, branch: str) -> None:
        queue = repository.queues[branch]
        while queue:
            entry = queue[0]
            stands = required(self.state, repository, branch, entry.head_sha)
            if "failing" in stands:
                pull = repository.pull_requests[entry.number]
                await self.dequeue(repository, pull, by=entry.enqueuer, reason="CI_FAILURE")
            elif set(stands) <= {"passed"}:
                await self.land_queued(repository, branch)
            else:
                return

    async def _check_enqueued(
        self, repository: RepositoryState, pull: PullRequestState, expected: str
    ) -> None:
        """Whether it may be put into a queue. Raises Refused."""
        if expected and expected != pull.head_sha:
            raise Refused(422, HEAD_MOVED)
        if not has_queue(repository, pull.base_branch):
            raise Refused(422, "Pull request merge queue is not enabled for the base branch")
        if repository.entry_of(pull) is not None:
            raise Refused(422, "Pull request is already in the queue")
        if pull.state != "open" or pull.draft:
            raise Refused(422, NOT_MERGEABLE)
        base = await repository.base_sha_of(pull)
        found = await standing(self.state, repository, pull, base)
        if not found.mergeable:
            raise Refused(422, NOT_MERGEABLE)
        for it in found.unmet:
            raise Refused(422, f"Pull request {it.message}")

    async def _begin(
        self, repository: RepositoryState, pull: PullRequestState, entry: QueueEntry
    ) -> None:
        """Make its merge on what is before it, and ask for the checks of that."""
        queue = repository.queues[pull.base_branch]
        place = queue.index(entry)
        before = queue[place - 1].head_sha if place else await repository.base_sha_of(pull)
        text = f"Merge pull request #{pull.number} from {pull.head_branch}\n\n{pull.title}"
        try:
            made = await merges.merge(repository, before, pull.head_sha, text, entry.enqueuer)
        except merges.Conflict:
            await self.dequeue(repository, pull, by=entry.enqueuer, reason="MERGE_CONFLICT")
            return
        entry.base_sha, entry.head_sha = before, made
        name = f"{OF_QUEUE}/{pull.base_branch}/pr-{pull.number}-{before}"
        entry.head_ref = f"refs/heads/{name}"
        await repository.git("update-ref", entry.head_ref, made)
        await self.pushed(repository, Push(entry.head_ref, ZEROS, made), entry.enqueuer)
        await self._tell_of_group(repository, pull.base_branch, entry, "checks_requested")

    async def _begin_again(
        self, repository: RepositoryState, branch: str, entries: list[QueueEntry]
    ) -> None:
        """Make the merges of the last entries of a queue anew."""
        for it in entries:
            await self._end(repository, branch, it, "invalidated")
        for it in entries:
            # One that conflicts now is out, and has made those behind it begin.
            if it in repository.queues[branch] and not it.head_ref:
                await self._begin(repository, repository.pull_requests[it.number], it)

    async def _end(
        self, repository: RepositoryState, branch: str, entry: QueueEntry, reason: str
    ) -> None:
        """Take its merge away."""
        if not entry.head_ref:
            return
        await self._tell_of_group(repository, branch, entry, "destroyed", reason)
        await repository.git("update-ref", "-d", entry.head_ref)
        await self.pushed(repository, Push(entry.head_ref, entry.head_sha, ZEROS), entry.enqueuer)
        entry.head_ref = entry.head_sha = ""

    async def _tell_of_group(
        self,
        repository: RepositoryState,
        branch: str,
        entry: QueueEntry,
        action: str,
        reason: str = "",
    ) -> None:
        group = {
            "head_sha": entry.head_sha,
            "head_ref": entry.head_ref,
            "base_sha": entry.base_sha,
            "base_ref": f"refs/heads/{branch}",
            "head_commit": await commit_of(repository, entry.head_sha, self.url),
        }
        payload = {"action": action, "merge_group": group} | ({"reason": reason} if reason else {})
        await self.send("merge_group", payload, repository, entry.enqueuer)
