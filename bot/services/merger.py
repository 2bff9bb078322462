"""``Merger``: what is asked of GitHub to merge a pull request, and to clean up after it.

A merge can't be asked twice: it is written down as intended before, and what became of an earlier
one is looked up before GitHub is asked again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.merging import (
    MergeAnswer,
    MergeAnswerKind,
    MergeMethod,
    MergeOrder,
    MergeSituation,
)
from bot.domain.problems import AssumptionFailed, TryAgain
from bot.domain.pull_request_effects import DeleteBranch, MergePullRequest, UpdateBranch
from bot.domain.pull_request_records import MergeIntent
from bot.domain.repositories import Repository
from bot.log import get_logger
from bot.policy.merge_facts import UPDATING
from bot.ports.clock import Clock
from bot.ports.github import GitHub, GitHubProblem, NotFound
from bot.ports.records import PullRequests

GOOD_FOR = timedelta(minutes=2)
"""How long after the decision a merge is asked for: people and checks may have had a word since."""
BASE_MOVED_SECONDS = 3.0
"""GitHub's advice, in its own sentence: try the merge again."""

log = get_logger()


class Merger:
    """See the module."""

    def __init__(self, pull_requests: PullRequests, github: GitHub, clock: Clock) -> None:
        self._pull_requests = pull_requests
        self._github = github
        self._clock = clock

    async def merge(self, effect: MergePullRequest) -> str:
        """Have it merged, once. Raises AssumptionFailed where its head is another, and TryAgain."""
        repository, number = effect.repository, effect.number
        record = await self._pull_requests.get(repository, number)
        if self._clock.now() > effect.decided_at + GOOD_FOR:
            raise AssumptionFailed("that was decided a while ago")
        if record.held_by and "hold" not in effect.overridden:
            raise AssumptionFailed("it is held since")
        if record.stop is not None and "needs_human" not in effect.overridden:
            raise AssumptionFailed("it waits for a person since")
        if record.merge is not None and record.merge.head_sha == effect.expected_head_sha:
            found = await self._github.merge_situation(repository, number)
            if found.merged or found.in_merge_queue:
                return "it was merged before" if found.merged else "it is in GitHub's queue"
        branch = effect.up_to_date_with
        if branch and await self._github.is_behind(repository, branch, effect.expected_head_sha):
            raise AssumptionFailed(f"{branch} moved on")
        first = effect.methods[0] if effect.methods and not effect.by_queue else None
        intent = MergeIntent(effect.expected_head_sha, first, self._clock.now())
        await self._pull_requests.change(repository, number, {"merge": intent})
        if effect.by_queue:
            answer = await self._github.enqueue(
                repository, effect.node_id, effect.expected_head_sha
            )
            return await self._judged(effect, intent, answer)
        answer = MergeAnswer(MergeAnswerKind.METHOD_REFUSED, "no merge method is allowed here")
        for method in effect.methods:
            title = effect.title if method is MergeMethod.SQUASH else ""
            order = MergeOrder(effect.expected_head_sha, method, title, effect.message)
            answer = await self._github.merge(repository, number, order)
            intent = replace(intent, method=method)
            if answer.kind is not MergeAnswerKind.METHOD_REFUSED:
                break
        return await self._judged(effect, intent, answer)

    async def update_branch(self, effect: UpdateBranch) -> str:
        """Have the base merged into the branch. Raises AssumptionFailed where its head moved."""
        repository, number = effect.repository, effect.number
        record, now = await self._pull_requests.get(repository, number), self._clock.now()
        since = record.updating_since
        is_asked = record.updating_from == effect.expected_head_sha
        if is_asked and since is not None and now < since + UPDATING:
            return "it is being done"
        changes = {"updating_from": effect.expected_head_sha, "updating_since": now}
        await self._pull_requests.change(repository, number, changes)
        answer = await self._github.update_branch(repository, number, effect.expected_head_sha)
        match answer.kind:
            case MergeAnswerKind.QUEUED | MergeAnswerKind.MERGED:
                return answer.kind.value
            case MergeAnswerKind.HEAD_MOVED:
                await self._pull_requests.change(repository, number, {"updating_from": ""})
                raise AssumptionFailed("the head moved")
            case _:
                await self._pull_requests.change(repository, number, {"updating_from": ""})
                told = f"it would not bring the branch up to date: {answer.message}"
                await self._refused(repository, number, effect.expected_head_sha, told)
                raise AssumptionFailed(told)

    async def delete_branch(self, effect: DeleteBranch) -> str:
        """Have the branch of a merged pull request gone, where nothing else needs it."""
        repository = effect.repository
        found = await self._github.merge_situation(repository, effect.number)
        kept = await self._why_kept(repository, effect, found)
        if not kept:
            try:
                await self._github.delete_branch(repository, effect.branch)
            except NotFound:
                pass
            except GitHubProblem as refusal:
                kept = f"GitHub refused: {refusal.message}"
        await self._pull_requests.change(repository, effect.number, {"branch_deleted": True})
        return kept or "deleted"

    async def _why_kept(
        self, repository: Repository, effect: DeleteBranch, found: MergeSituation
    ) -> str:
        """Why the branch stays, empty where it goes."""
        pull, branch = found.pull, effect.branch
        if not found.merged:
            raise TryAgain("GitHub does not say yet that it is merged", after=5.0)
        if pull.head_repository_id != repository.id:
            return "it is a fork's"
        if branch == repository.default_branch:
            return "it is the default branch"
        rules = await self._github.branch_rules(repository, branch)
        if rules.protected:
            return "it is protected"
        async for other in self._github.open_pull_requests(repository, head_branch=branch):
            return f"#{other.number} is of it, too"
        async for other in self._github.open_pull_requests(repository, base_branch=branch):
            return f"#{other.number} goes into it"
        try:
            current = await self._github.branch_head(repository, branch)
        except NotFound:
            return "it is gone"
        return "" if current == pull.head_sha else "somebody has pushed to it since"

    async def _judged(
        self, effect: MergePullRequest, intent: MergeIntent, answer: MergeAnswer
    ) -> str:
        repository, number = effect.repository, effect.number
        match answer.kind:
            case MergeAnswerKind.MERGED | MergeAnswerKind.QUEUED:
                queued = answer.kind is MergeAnswerKind.QUEUED
                done = replace(intent, queued=queued)
                await self._pull_requests.change(repository, number, {"merge": done})
                return f"{answer.kind.value} {answer.sha}".strip()
            case MergeAnswerKind.HEAD_MOVED:
                raise AssumptionFailed(answer.message)
            case MergeAnswerKind.BASE_MOVED:
                await self._clock.sleep(BASE_MOVED_SECONDS)  # GitHub's own advice
                raise AssumptionFailed(answer.message)
            case _:
                await self._refused(repository, number, effect.expected_head_sha, answer.message)
                raise AssumptionFailed(answer.message)

    async def _refused(self, repository: Repository, number: int, head_sha: str, told: str) -> None:
        record = await self._pull_requests.get(repository, number)
        now = self._clock.now()
        intent = record.merge or MergeIntent(head_sha, None, now)
        refused = replace(intent, head_sha=head_sha, refusal=told, refused_at=now)
        await self._pull_requests.change(repository, number, {"merge": refused})
        log.info("GitHub refused", number=number, reason=told)
