"""What people do as reviewers: approve, object, take it back, talk about lines and agree."""

from __future__ import annotations

from demo.github import pull_objects
from demo.github.checks import Invalid
from demo.github.commenting import add_comment
from demo.github.merging_state import OPINIONS, ReviewState, ThreadState
from demo.github.state import DeliveryState, PullRequestState, RepositoryState, User, now
from demo.github.telling import Telling

REVIEWS = OPINIONS - {"dismissed"} | {"commented"}


class ReviewActs(Telling):
    """Each does what GitHub does then, and sends what GitHub sends."""

    async def submit_review(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        state: str,
        *,
        author: User,
        body: str = "",
        commit_id: str = "",
    ) -> ReviewState:
        """Review the head, or a commit: ``approved``, ``changes_requested`` or ``commented``.

        Raises Invalid where the author reviews their own, and does more than comment.
        """
        if state not in REVIEWS:
            raise Invalid(f"event: {state} is none")
        if author is pull.author and state != "commented":
            word = "approve" if state == "approved" else "request changes on"
            raise Invalid(f"Can not {word} your own pull request")
        review = ReviewState(
            next(self.state.ids),
            repository.id,
            pull.number,
            author,
            state,
            body,
            commit_id or pull.head_sha,
            now(),
        )
        self.state.reviews[review.id] = review
        await self._tell_of_review(repository, pull, review, "submitted", author)
        return review

    async def dismiss_review(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        review: ReviewState,
        *,
        sender: User,
    ) -> None:
        """Take away what a review says. Raises Invalid where it says nothing that counts."""
        if review.state not in OPINIONS - {"dismissed"}:
            raise Invalid("Can not dismiss a commented pull request review")
        review.state = "dismissed"
        await self._tell_of_review(repository, pull, review, "dismissed", sender)

    async def dismiss_stale(
        self, repository: RepositoryState, pull: PullRequestState, *, sender: User
    ) -> None:
        """Dismiss each approval of what the head no longer is."""
        for review in self.state.reviews_of(repository, pull.number):
            if review.state == "approved" and review.commit_id != pull.head_sha:
                await self.dismiss_review(repository, pull, review, sender=sender)

    async def open_thread(
        self, repository: RepositoryState, pull: PullRequestState, body: str, *, author: User
    ) -> ThreadState:
        """Begin to talk about a line, and tell of the comment."""
        said = add_comment(self.state, repository, pull.number, author, body, "inline")
        thread = ThreadState(next(self.state.ids), repository.id, pull.number, [said.id])
        self.state.threads[thread.id] = thread
        payload = {
            "action": "created",
            "comment": pull_objects.thread(self._objects, repository, thread)["comments"][0],
            "pull_request": await self.told_of(repository, pull),
        }
        await self.send("pull_request_review_comment", payload, repository, author)
        return thread

    async def resolve_thread(
        self, repository: RepositoryState, thread: ThreadState, *, sender: User
    ) -> None:
        """Say that there is no more to say; once."""
        if thread.resolved_by is None:
            thread.resolved_by = sender
            await self._tell_of_thread(repository, thread, "resolved", sender)

    async def unresolve_thread(
        self, repository: RepositoryState, thread: ThreadState, *, sender: User
    ) -> None:
        """Say that there is more to say; once."""
        if thread.resolved_by is not None:
            thread.resolved_by = None
            await self._tell_of_thread(repository, thread, "unresolved", sender)

    async def _tell_of_thread(
        self, repository: RepositoryState, thread: ThreadState, action: str, sender: User
    ) -> DeliveryState:
        pull = repository.pull_requests[thread.number]
        payload = {
            "action": action,
            "thread": pull_objects.thread(self._objects, repository, thread),
            "pull_request": await self.told_of(repository, pull),
        }
        return await self.send("pull_request_review_thread", payload, repository, sender)

    async def _tell_of_review(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        review: ReviewState,
        action: str,
        sender: User,
    ) -> DeliveryState:
        payload = {
            "action": action,
            "review": pull_objects.review(self._objects, repository, review),
            "pull_request": await self.told_of(repository, pull),
        }
        return await self.send("pull_request_review", payload, repository, sender)
