"""What concerns merges, over GraphQL where one call gathers all, and over REST where that acts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from cachetools import TTLCache

from bot.adapters.github import graphql
from bot.adapters.github.calls import MOST_LISTED, Calls, path_of
from bot.adapters.github.client import AtFault
from bot.adapters.github.merge_answers import (
    enqueue_refusal,
    forbidden_merge,
    merge_refusal,
    sentence_of,
    update_refusal,
)
from bot.adapters.github.rules import rules_of
from bot.adapters.github.situations import head_commit_of, situation_of
from bot.domain.merging import (
    BranchRules,
    MergeAnswer,
    MergeAnswerKind,
    MergeOrder,
    MergeSituation,
)
from bot.domain.repositories import Repository
from bot.ports.clock import Clock
from bot.ports.github import Forbidden, GitHub, GitHubProblem, NotFound, Unprocessable

Json = Mapping[str, Any]

RULES_SECONDS: Final = 60
MOST_RULES: Final = 10_000
MOST_PAGES: Final = 10
"""Of checks or conversations of one pull request, beyond the first."""
A_CALL: Final = 20
"""Pull requests whose situations are asked for at once: GitHub gives a query ten seconds."""
_REFUSALS: Final = (405, 409)
_NO_BRANCH: Final = "Reference does not exist"


class Merging(GitHub):
    """The part of ``bot.ports.github`` that merges hang on; ``GitHubApp`` has the rest."""

    def __init__(self, calls: Calls, app_id: int, clock: Clock) -> None:
        self._calls = calls
        self._app_id = app_id
        self._rules: TTLCache[tuple[int, str], BranchRules] = TTLCache(
            MOST_RULES, RULES_SECONDS, timer=lambda: clock.now().timestamp()
        )

    # ── how it stands ────────────────────────────────────────────────────────────────────────

    async def merge_situation(self, repository: Repository, number: int) -> MergeSituation:
        for found in await self._situations(repository, [number]):
            return found
        raise NotFound(f"{repository.full_name}: there is no pull request {number}", 404)

    async def open_situations(
        self, repository: Repository, base_branch: str
    ) -> AsyncIterator[MergeSituation]:
        """See the port; the oldest pull request comes first."""
        listed = await self._open_numbers(repository, base_branch)
        for start in range(0, len(listed), A_CALL):
            for found in await self._halved(repository, listed[start : start + A_CALL]):
                if found.pull.is_open and found.pull.base_branch == base_branch:
                    yield found

    async def _open_numbers(self, repository: Repository, base_branch: str) -> list[int]:
        numbers: list[int] = []
        after: str | None = None
        while len(numbers) < MOST_LISTED:
            told = await self._asked(repository, graphql.NUMBERS, base=base_branch, after=after)
            numbers += [it["number"] for it in told["pullRequests"]["nodes"] if it]
            after = _next(told["pullRequests"])
            if after is None:
                break
        return sorted(numbers)

    async def _halved(
        self, repository: Repository, numbers: Sequence[int]
    ) -> Sequence[MergeSituation]:
        """Situations; what is too much for GitHub at once is asked for in two halves."""
        try:
            return await self._situations(repository, numbers)
        except AtFault:
            if len(numbers) == 1:
                raise
        middle = len(numbers) // 2
        first = await self._halved(repository, numbers[:middle])
        return [*first, *await self._halved(repository, numbers[middle:])]

    async def _situations(
        self, repository: Repository, numbers: Sequence[int]
    ) -> list[MergeSituation]:
        told = await self._asked(repository, graphql.situations(numbers))
        found: list[MergeSituation] = []
        for number in numbers:
            pull = told[graphql.alias(number)]
            if pull is not None:
                contexts = await self._contexts(repository, pull)
                threads = await self._threads(repository, pull)
                found.append(situation_of(told, pull, contexts, threads, self._app_id))
        return found

    async def _contexts(self, repository: Repository, pull: Json) -> list[Json]:
        commit = head_commit_of(pull)
        rollup = commit and commit["statusCheckRollup"]
        if not commit or not rollup:
            return []
        connection: Json = rollup["contexts"]
        nodes = [it for it in connection["nodes"] if it]
        for _ in range(MOST_PAGES):
            after = _next(connection)
            if after is None:
                break
            told = await self._asked(
                repository,
                graphql.MORE_CONTEXTS,
                number=pull["number"],
                head=commit["oid"],
                after=after,
            )
            rollup = (told["object"] or {}).get("statusCheckRollup")
            if rollup is None:  # no longer the head's
                break
            connection = rollup["contexts"]
            nodes += [it for it in connection["nodes"] if it]
        return nodes

    async def _threads(self, repository: Repository, pull: Json) -> list[Json]:
        connection: Json = pull["reviewThreads"]
        nodes = [it for it in connection["nodes"] if it]
        for _ in range(MOST_PAGES):
            after = _next(connection)
            if after is None:
                break
            told = await self._asked(
                repository, graphql.MORE_THREADS, number=pull["number"], after=after
            )
            if told["pullRequest"] is None:
                raise NotFound(f"{repository.full_name}: {pull['number']} is gone", 404)
            connection = told["pullRequest"]["reviewThreads"]
            nodes += [it for it in connection["nodes"] if it]
        return nodes

    async def _asked(self, repository: Repository, text: str, **variables: object) -> Json:
        """What a query says of a repository. Raises NotFound where the name is another's now."""
        names = {"owner": repository.owner, "name": repository.name}
        told = (await self._calls.query(repository, text, names | variables))["repository"]
        if told is None or told.get("databaseId", repository.id) != repository.id:
            raise NotFound(f"{repository.full_name} is not there", 404)
        found: Json = told
        return found

    async def branch_rules(self, repository: Repository, branch: str) -> BranchRules:
        known = self._rules.get((repository.id, branch))
        if known is not None:
            return known
        name = quote(branch, safe="")
        at = path_of(repository)
        try:
            listed = self._calls.pages(
                repository.installation_id, f"{at}/rules/branches/{name}?per_page=100"
            )
            rules = [it async for it in listed]
        except (Forbidden, NotFound):  # not of this plan
            rules = []
        try:
            told: Json = await self._calls.get(repository, f"{at}/branches/{name}")
        except (Forbidden, NotFound):
            told = {}
        found = rules_of(told, rules)
        self._rules[repository.id, branch] = found
        return found

    async def is_behind(self, repository: Repository, base_branch: str, head_sha: str) -> bool:
        base = quote(base_branch, safe="")
        url = f"{path_of(repository)}/compare/{base}...{head_sha}?per_page=1"
        told = await self._calls.get(repository, url)
        return bool(told["behind_by"] > 0)

    # ── what is done ─────────────────────────────────────────────────────────────────────────

    async def merge(self, repository: Repository, number: int, order: MergeOrder) -> MergeAnswer:
        url = f"{path_of(repository)}/pulls/{number}/merge"
        payload = {"sha": order.head_sha, "merge_method": order.method.value}
        if order.title:
            payload["commit_title"] = order.title
        if order.message:
            payload["commit_message"] = order.message
        try:
            told = await self._calls.put(repository, url, payload)
        except Forbidden as refusal:
            paths = await self.changed_paths(repository, number)
            return forbidden_merge(sentence_of(refusal), paths)
        except Unprocessable as refusal:
            return merge_refusal(422, sentence_of(refusal))
        except GitHubProblem as refusal:
            if refusal.status not in _REFUSALS:
                raise
            return merge_refusal(refusal.status, sentence_of(refusal))
        return MergeAnswer(MergeAnswerKind.MERGED, told["message"], told["sha"])

    async def enqueue(self, repository: Repository, node_id: str, head_sha: str) -> MergeAnswer:
        await self._calls.turn(repository)
        wanted = {"pull": node_id, "head": head_sha}
        try:
            await self._calls.query(repository, graphql.ENQUEUE, wanted)
        except NotFound:
            raise
        except GitHubProblem as refusal:
            return enqueue_refusal(sentence_of(refusal))
        return MergeAnswer(MergeAnswerKind.QUEUED)

    async def update_branch(
        self, repository: Repository, number: int, head_sha: str
    ) -> MergeAnswer:
        url = f"{path_of(repository)}/pulls/{number}/update-branch"
        try:
            told = await self._calls.put(repository, url, {"expected_head_sha": head_sha})
        except (Forbidden, Unprocessable) as refusal:
            return update_refusal(sentence_of(refusal))
        return MergeAnswer(MergeAnswerKind.QUEUED, told["message"])

    async def branch_head(self, repository: Repository, branch: str) -> str:
        name = quote(branch, safe="")
        told: Json = await self._calls.get(repository, f"{path_of(repository)}/branches/{name}")
        return str(told["commit"]["sha"])

    async def delete_branch(self, repository: Repository, branch: str) -> None:
        url = f"{path_of(repository)}/git/refs/heads/{quote(branch)}"
        try:
            await self._calls.delete(repository, url)
        except NotFound:
            return
        except Unprocessable as refusal:
            if _NO_BRANCH not in refusal.message:
                raise


def _next(connection: Json) -> str | None:
    """Where a connection's next page begins."""
    page = connection["pageInfo"]
    after: str | None = page["endCursor"] if page["hasNextPage"] else None
    return after
