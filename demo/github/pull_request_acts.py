"""What people do with branches and pull requests: push, open, close, press a check's buttons."""

from __future__ import annotations

from collections.abc import Iterator

from demo.github.check_objects import check_run
from demo.github.pushes import Push, payload_of
from demo.github.review_acts import ReviewActs
from demo.github.rules import applying
from demo.github.state import (
    CheckRunState,
    DeliveryState,
    PullRequestState,
    RepositoryState,
    User,
    now,
)


class PullRequestActs(ReviewActs):
    """Each does what GitHub does then, and sends what GitHub sends."""

    async def open_pull_request(
        self,
        repository: RepositoryState,
        branch: str,
        *,
        author: User,
        title: str = "",
        body: str = "",
        base: str = "",
        draft: bool = False,
        fork: RepositoryState | None = None,
        silent: bool = False,
    ) -> PullRequestState:
        """Open a pull request of a branch into ``base`` (or the default one), and tell of it.

        Raises LookupError where there is no such branch.
        """
        head_sha = await repository.commit(branch)
        base = base or repository.default_branch
        await repository.commit(base)
        pull = PullRequestState(
            id=next(self.state.ids),
            number=repository.next_number,
            title=title or branch,
            author=author,
            head_branch=branch,
            base_branch=base,
            head_sha=head_sha,
            head_repository_id=(fork or repository).id,
            created_at=now(),
            updated_at=now(),
            draft=draft,
            body=body,
        )
        repository.pull_requests[pull.number] = pull
        await repository.git("update-ref", pull.head_ref, pull.head_sha)
        if not silent:
            await self.tell_of(repository, pull, "opened", author)
        return pull

    async def push(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        commit: str,
        *,
        sender: User,
        silent: bool = False,
    ) -> None:
        """Move a pull request's head to a commit, and tell of it."""
        async with repository.pushing:
            after = await repository.commit(commit)
            if pull.head_repository_id == repository.id:
                await repository.git("update-ref", f"refs/heads/{pull.head_branch}", after)
            before = await self._move(repository, pull, after)
        if not silent:
            await self._tell_of_push(repository, pull, before, sender)

    async def pushed(self, repository: RepositoryState, push: Push, sender: User) -> None:
        """What follows when a branch or tag was moved by git: heads move too, and it is told."""
        concerned = list(self._of_branch(repository, push.branch)) if push.branch else []
        before: dict[int, str] = {}
        for base, pull in concerned:
            if not push.is_gone:
                before[pull.id] = await self._move(base, pull, push.after)
        told = await payload_of(repository, push, sender, self.url)
        await self.send("push", told, repository, sender)
        for base, pull in concerned:
            if push.is_gone:
                await self.close(base, pull, sender=sender)
            else:
                await self._tell_of_push(base, pull, before[pull.id], sender)
        await self.base_moved(repository, push, sender)

    async def base_moved(self, repository: RepositoryState, push: Push, sender: User) -> None:
        """What a push means to those that were to be merged into that branch.

        Where the branch is gone, they are closed. Where it came to hold all of them, they are
        merged, whoever did it.
        """
        came: frozenset[str] | None = None
        for pull in list(repository.pull_requests.values()):
            if pull.state != "open" or pull.base_branch != push.branch:
                continue
            came = await self._came_with(repository, push) if came is None else came
            if push.is_gone:
                pull.base_sha = push.before
                await self.close(repository, pull, sender=sender)
            elif pull.head_sha in came:
                self.mark_merged(pull, push.before, push.after, sender)
                await self.tell_of(repository, pull, "closed", sender)

    @staticmethod
    async def _came_with(repository: RepositoryState, push: Push) -> frozenset[str]:
        """The commits that a branch holds now and did not before."""
        if push.is_new or push.is_gone:
            return frozenset()
        listed = await repository.git("rev-list", f"{push.before}..{push.after}")
        return frozenset(listed.decode().split())

    @staticmethod
    def mark_merged(pull: PullRequestState, base: str, merged: str, by: User) -> None:
        """Make it a merged one: into the base's commit ``base``, by the commit ``merged``."""
        pull.state, pull.base_sha, pull.merge_commit_sha, pull.merged_by = (
            "closed",
            base,
            merged,
            by,
        )
        pull.merged_at = pull.closed_at = pull.updated_at = now()

    def _of_branch(
        self, repository: RepositoryState, branch: str
    ) -> Iterator[tuple[RepositoryState, PullRequestState]]:
        """The open pull requests of a branch, each with the repository that it is in."""
        for base in self.state.repositories.values():
            for pull in base.pull_requests.values():
                head = (pull.head_repository_id, pull.head_branch)
                if pull.state == "open" and head == (repository.id, branch):
                    yield base, pull

    async def _move(self, base: RepositoryState, pull: PullRequestState, after: str) -> str:
        """Move a pull request's head, as far as the base repository has it; where it was."""
        fork = self.state.repositories.get(pull.head_repository_id or base.id, base)
        if fork.folder != base.folder:
            words = ("fetch", "--quiet", "--no-tags", "--no-auto-gc", str(fork.folder))
            await base.git(*words, f"+refs/heads/{pull.head_branch}:{pull.head_ref}")
        else:
            await base.git("update-ref", pull.head_ref, after)
        before, pull.head_sha, pull.updated_at = pull.head_sha, after, now()
        return before

    async def _tell_of_push(
        self, repository: RepositoryState, pull: PullRequestState, before: str, sender: User
    ) -> None:
        more = {"before": before, "after": pull.head_sha}
        await self.tell_of(repository, pull, "synchronize", sender, more)
        await self.head_moved(repository, pull, sender)

    async def head_moved(
        self, repository: RepositoryState, pull: PullRequestState, sender: User
    ) -> None:
        """What a push makes of the reviews of what was there before."""
        rules = applying(repository, pull.base_branch)
        if any(it.dismiss_stale for it, _ in rules):
            await self.dismiss_stale(repository, pull, sender=sender)

    async def close(
        self, repository: RepositoryState, pull: PullRequestState, *, sender: User
    ) -> None:
        """Close a pull request."""
        pull.base_sha = pull.base_sha or await repository.base_sha_of(pull)
        pull.state, pull.closed_at = "closed", now()
        await self.tell_of(repository, pull, "closed", sender)

    async def ask_again(
        self, repository: RepositoryState, run: CheckRunState, *, sender: User
    ) -> DeliveryState:
        """Press "Re-run" at a check run."""
        payload = {"action": "rerequested", "check_run": check_run(self._objects, run)}
        return await self.send("check_run", payload, repository, sender)

    async def press(
        self, repository: RepositoryState, run: CheckRunState, identifier: str, *, sender: User
    ) -> DeliveryState:
        """Press a button of a check run."""
        payload = {
            "action": "requested_action",
            "check_run": check_run(self._objects, run),
            "requested_action": {"identifier": identifier},
        }
        return await self.send("check_run", payload, repository, sender)
