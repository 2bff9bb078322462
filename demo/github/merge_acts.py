"""Merging, bringing a branch up to date, and removing one, by GitHub's rules and with real git."""

from __future__ import annotations

from demo.github import merges
from demo.github.answers import Refused
from demo.github.closing import closes, linked
from demo.github.edit_acts import EditActs
from demo.github.issue_acts import IssueActs
from demo.github.mergeability import standing
from demo.github.pull_request_acts import PullRequestActs
from demo.github.pushes import ZEROS, Push
from demo.github.rules import LINEAR, QUEUE, Violation, applying, has_queue
from demo.github.state import PullRequestState, RepositoryState, User

METHODS = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}
NOT_MERGEABLE = "Pull Request is not mergeable"
BASE_MOVED = "Base branch was modified. Review and try the merge again."
HEAD_MOVED = "Head branch was modified. Review and try the merge again."
NOT_EXPECTED = "expected head sha didn’t match current head ref."  # as GitHub spells it
UP_TO_DATE = "There are no new commits on the base branch."
CONFLICT = "merge conflict between base and head"
KEPT = "Cannot delete this branch"
DEFAULT = "Cannot delete the default branch"  # not known for sure


class MergeActs(PullRequestActs, IssueActs, EditActs):
    """Each does what GitHub does then, and sends what GitHub sends."""

    async def merge(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        *,
        by: User,
        method: str = "merge",
        sha: str = "",
        title: str = "",
        message: str = "",
    ) -> str:
        """Merge it: the commit that came of it. Raises Refused."""
        async with repository.pushing:
            base = await self._mergeable_base(repository, pull, method, sha)
            text = await _text(repository, pull, base, method, title, message)
            try:
                merged = await self._made(repository, pull, base, method, text, by)
            except merges.Conflict:
                raise Refused(405, NOT_MERGEABLE) from None
            said = await merges.messages(repository, base, merged)
            await self.land(repository, pull, base, merged, by)
        await self.tell_of_merge(repository, pull, by, said)
        return merged

    async def land(
        self, repository: RepositoryState, pull: PullRequestState, base: str, merged: str, by: User
    ) -> None:
        """Move the base from one commit to the next, which is the pull request's merge."""
        await repository.git("update-ref", f"refs/heads/{pull.base_branch}", merged, base)
        self.mark_merged(pull, base, merged, by)

    async def tell_of_merge(
        self, repository: RepositoryState, pull: PullRequestState, by: User, said: list[str]
    ) -> None:
        """What follows a merge: it is told, issues are closed, and the branch may go.

        ``said`` are the messages of the commits that came with it.
        """
        await self.tell_of(repository, pull, "closed", by)
        assert pull.merge_commit_sha is not None
        base = f"refs/heads/{pull.base_branch}"
        await self.pushed(repository, Push(base, pull.base_sha, pull.merge_commit_sha), by)
        issues = linked(self.state, repository, pull)
        if pull.base_branch == repository.default_branch:
            issues += closes(self.state, repository, "\n".join(said))
        for where, issue in issues:
            if issue.state == "open":
                await self.close_issue(where, issue, sender=by)
        is_own = pull.head_repository_id == repository.id
        if repository.delete_branch_on_merge and is_own:
            await self._remove_merged(repository, pull, by)

    async def update_branch(
        self,
        repository: RepositoryState,
        pull: PullRequestState,
        *,
        by: User,
        expected: str = "",
    ) -> str:
        """Merge the base into the head: where the head is then. Raises Refused."""
        head_repository = self.state.repositories.get(pull.head_repository_id or 0)
        if pull.state != "open" or head_repository is None:
            raise Refused(422, "Validation Failed")
        if head_repository is not repository and not pull.maintainer_can_modify:
            raise Refused(403, "Resource not accessible by integration")
        async with head_repository.pushing:
            if expected and expected != pull.head_sha:
                raise Refused(422, NOT_EXPECTED)
            base, before = await repository.base_sha_of(pull), pull.head_sha
            if await merges.is_in(repository, base, before):
                raise Refused(422, UP_TO_DATE)
            text = f"Merge branch '{pull.base_branch}' into {pull.head_branch}"
            try:
                after = await merges.merge(repository, before, base, text, by)
            except merges.Conflict:
                raise Refused(422, CONFLICT) from None
            ref = f"refs/heads/{pull.head_branch}"
            await repository.git("update-ref", pull.head_ref, after)
            if head_repository.folder != repository.folder:
                words = ("fetch", "--quiet", "--no-tags", str(repository.folder), pull.head_ref)
                await head_repository.git(*words)
            await head_repository.git("update-ref", ref, after, before)
        await self.pushed(head_repository, Push(ref, before, after), by)
        return after

    async def delete_branch(self, repository: RepositoryState, branch: str, *, by: User) -> None:
        """Remove a branch, and close what was to be merged from or into it. Raises Refused."""
        ref = f"refs/heads/{branch}"
        async with repository.pushing:
            try:
                before = await repository.commit(ref)
            except LookupError:
                raise Refused(422, "Reference does not exist") from None
            if branch == repository.default_branch:
                raise Refused(422, DEFAULT)
            for it, of_ruleset in applying(repository, branch):
                if not it.deletable:
                    raise Refused(422, Violation(KEPT, of_ruleset).told)
            await repository.git("update-ref", "-d", ref, before)
        await self.pushed(repository, Push(ref, before, ZEROS), by)

    async def _remove_merged(
        self, repository: RepositoryState, merged: PullRequestState, by: User
    ) -> None:
        """As asked for by the repository's settings; what builds on it then goes where it went."""
        for pull in repository.pull_requests.values():
            if pull.state == "open" and pull.base_branch == merged.head_branch:
                await self.edit_pull_request(repository, pull, sender=by, base=merged.base_branch)
        try:
            await self.delete_branch(repository, merged.head_branch, by=by)
        except Refused:
            return  # it is kept, and GitHub does not say why

    async def _mergeable_base(
        self, repository: RepositoryState, pull: PullRequestState, method: str, sha: str
    ) -> str:
        """The base's commit that it may be merged into now. Raises Refused."""
        if pull.state != "open":
            raise Refused(405, NOT_MERGEABLE)
        if pull.draft:
            raise Refused(405, "Pull Request is still a draft")
        if sha and sha != pull.head_sha:
            raise Refused(409, HEAD_MOVED)
        if repository.base_moves > 0:
            repository.base_moves -= 1
            raise Refused(405, BASE_MOVED)
        base = await repository.base_sha_of(pull)
        found = await standing(self.state, repository, pull, base)
        if not found.mergeable:
            raise Refused(405, NOT_MERGEABLE)
        for it in found.unmet:
            raise Refused(it.status, it.told)
        self._check_method(repository, pull.base_branch, method)
        return base

    @staticmethod
    def _check_method(repository: RepositoryState, branch: str, method: str) -> None:
        """Whether that way of merging is one. Raises Refused."""
        if method not in METHODS:
            raise Refused(422, "Validation Failed")
        rules = applying(repository, branch)
        if has_queue(repository, branch):
            of_ruleset = any(of_ruleset for it, of_ruleset in rules if it.queue)
            raise Refused(405, Violation(QUEUE, of_ruleset).told)
        if method not in repository.allowed_methods or any(
            method not in it.methods for it, _ in rules
        ):
            raise Refused(405, f"{METHODS[method]} are not allowed on this repository.")
        for it, of_ruleset in rules:
            if it.linear and method == "merge":
                raise Refused(405, Violation(LINEAR, of_ruleset).told)

    @staticmethod
    async def _made(
        repository: RepositoryState,
        pull: PullRequestState,
        base: str,
        method: str,
        text: str,
        by: User,
    ) -> str:
        if method == "rebase":
            return await merges.rebase(repository, base, pull.head_sha, by)
        if method == "squash":
            return await merges.squash(repository, base, pull.head_sha, text, pull.author)
        return await merges.merge(repository, base, pull.head_sha, text, by)


async def _text(
    repository: RepositoryState,
    pull: PullRequestState,
    base: str,
    method: str,
    title: str,
    message: str,
) -> str:
    """The message of the commit to come, with GitHub's own words where none are given."""
    if method == "merge":
        where = f"{repository.owner.login}/{pull.head_branch}"
        title = title or f"Merge pull request #{pull.number} from {where}"
        return f"{title}\n\n{message or pull.title}"
    said = await merges.messages(repository, base, pull.head_sha)
    if len(said) == 1:
        first, _, rest = said[0].partition("\n")
        title, message = title or f"{first} (#{pull.number})", message or rest.strip()
    else:
        title = title or f"{pull.title} (#{pull.number})"
        message = message or "\n\n".join(f"* {it}" for it in said)
    return f"{title}\n\n{message}"
