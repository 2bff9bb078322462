"""``PullRequestService``: what is kept of pull requests. It alone writes their records.

Every verb is "make it so": done twice it is the same as once. What is asked of GitHub for a merge
is ``merger``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.domain.pull_request_effects import (
    AskMerge,
    EndAttempt,
    GoOnFixing,
    HoldPullRequest,
    JoinMergeLine,
    KeepExplanation,
    LeaveMergeLine,
    NoteMerged,
    NoteRevalidation,
    NoteUpdate,
    OverrideCriterion,
    RecordAttempt,
    StopFixing,
    TakeTurn,
    WishFix,
)
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.repositories import Repository
from bot.log import get_logger
from bot.ports.clock import Clock
from bot.ports.github import GitHub, GitHubProblem
from bot.ports.records import AuditEvent, AuditLog, Projects, PullRequests
from bot.ports.renderer import Renderer
from bot.services.own_comments import OwnComments

NEEDS_HUMAN = "needs-human"
"""The label of a pull request that the bot has given up on."""
MOST_OVERRIDES = 50
MOST_UPDATES = 100

log = get_logger()


class PullRequestService:
    """See the module."""

    def __init__(
        self,
        pull_requests: PullRequests,
        projects: Projects,
        github: GitHub,
        renderer: Renderer,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._pull_requests = pull_requests
        self._projects = projects
        self._github = github
        self._renderer = renderer
        self._comments = OwnComments(github)
        self._audit = audit
        self._clock = clock

    # ── what people decide ───────────────────────────────────────────────────────────────────────

    async def hold(self, effect: HoldPullRequest) -> str:
        """Have it held, or no longer. Whoever asked for its merge has to ask again."""
        changes: dict[str, Any] = {"held_by": effect.login}
        if effect.login:
            changes["merge_asked_by"] = None
        await self._change(effect.repository, effect.number, changes)
        kind = "merge.held" if effect.login else "merge.unheld"
        await self._tell(effect, kind, {"by": effect.login})
        return f"held by {effect.login}" if effect.login else "not held"

    async def ask_merge(self, effect: AskMerge) -> str:
        """Have it merged as soon as it may be."""
        changes = {
            "merge_asked_by": effect.by,
            "merge_asked_at": effect.head_sha,
            "merge_asked_into": effect.base_branch,
            "merge": None,  # asked anew, GitHub is asked anew
            "held_by": "",
        }
        await self._change(effect.repository, effect.number, changes)
        await self._tell(effect, "merge.asked", {"by": effect.by.login})
        return f"asked by {effect.by.login}"

    async def override(self, effect: OverrideCriterion) -> str:
        """Keep an admin's word; the newest one counts for its criterion and head."""
        record = await self._get(effect.repository, effect.number)
        fresh = effect.override
        about = (fresh.criterion, fresh.head_sha, fresh.base_branch)
        others = [
            it for it in record.overrides if (it.criterion, it.head_sha, it.base_branch) != about
        ]
        kept = (*others, fresh)[-MOST_OVERRIDES:]
        await self._change(effect.repository, effect.number, {"overrides": kept})
        told = {"criterion": fresh.criterion, "by": fresh.login, "head_sha": fresh.head_sha}
        await self._tell(effect, "merge.overridden", told)
        return f"{fresh.criterion} counts as met for {fresh.head_sha[:12]}"

    async def wish_fix(self, effect: WishFix) -> str:
        """Keep a wish; one that an attempt has taken is not wished for again."""
        record = await self._get(effect.repository, effect.number)
        if any(it.wish_id == effect.wish.id for it in record.attempts):
            return "it was taken up"
        await self._change(effect.repository, effect.number, {"wish": effect.wish})
        return f"wished for by {effect.wish.asker.login}"

    # ── what was tried ───────────────────────────────────────────────────────────────────────────

    async def record_attempt(self, effect: RecordAttempt) -> str:
        """Keep an attempt, once."""
        record = await self._get(effect.repository, effect.number)
        if any(it.id == effect.attempt.id for it in record.attempts):
            return "it is known"
        attempts = (*record.attempts, effect.attempt)
        await self._change(effect.repository, effect.number, {"attempts": attempts})
        told = {"ordinal": effect.attempt.ordinal, "head_sha": effect.attempt.head_sha}
        await self._tell(effect, "run.fix_requested", told)
        return f"attempt {effect.attempt.ordinal}"

    async def end_attempt(self, effect: EndAttempt) -> str:
        """Write an attempt's outcome down; the first one stays."""
        record = await self._get(effect.repository, effect.number)
        now = self._clock.now()
        attempts = tuple(
            replace(
                it,
                outcome=effect.outcome,
                pushed_sha=effect.pushed_sha,
                changed=effect.changed,
                ended_at=now,
            )
            if it.id == effect.attempt_id and it.outcome is None
            else it
            for it in record.attempts
        )
        await self._change(effect.repository, effect.number, {"attempts": attempts})
        return effect.outcome.value

    async def go_on(self, effect: GoOnFixing) -> str:
        """Begin counting anew. Raises TryAgain."""
        try:
            await self._github.remove_label(effect.repository, effect.number, NEEDS_HUMAN)
        except GitHubProblem as refusal:
            log.info("the label stays", number=effect.number, reason=refusal.message)
        changes = {"stop": None, "counted_from": effect.counted_from}
        await self._change(effect.repository, effect.number, changes)
        return f"attempts count from {effect.counted_from}"

    async def note_revalidation(self, effect: NoteRevalidation) -> str:
        """Write down that a head was validated again by itself."""
        record = await self._get(effect.repository, effect.number)
        known = {it.validation_id for it in record.revalidations}
        if effect.revalidation.validation_id not in known:
            kept = (*record.revalidations, effect.revalidation)
            await self._change(effect.repository, effect.number, {"revalidations": kept})
        return f"{len(known | {effect.revalidation.validation_id})} in all"

    async def stop(self, effect: StopFixing) -> str:
        """Stop: label it, and tell the responsible person once. Raises TryAgain."""
        repository, number, stop = effect.repository, effect.number, effect.stop
        record = await self._get(repository, number)
        if record.stop is None or (record.stop.rule, record.stop.head_sha) != (
            stop.rule,
            stop.head_sha,
        ):
            record = await self._change(repository, number, {"stop": stop})
            told = {"rule": stop.rule.value, "person": stop.person, "head_sha": stop.head_sha}
            await self._tell(effect, "run.needs_human", told)
        try:
            await self._github.add_label(repository, number, NEEDS_HUMAN)
        except GitHubProblem as refusal:
            log.warning("no label", number=number, reason=refusal.message)
        marker, body = self._renderer.stop(record)
        return await self._comments.upsert(repository, number, marker, body)

    # ── on the way to the merge ──────────────────────────────────────────────────────────────────

    async def keep_explanation(self, effect: KeepExplanation) -> str:
        """Keep how it stands. Who wanted it merged has to say so again once it was closed."""
        changes: dict[str, Any] = {
            "base_branch": effect.base_branch,
            "head_sha": effect.head_sha,
            "is_open": effect.is_open,
            "explanation": effect.explanation,
            "looked_at": self._clock.now(),
        }
        if not effect.is_open:
            changes["merge_asked_by"] = None
        await self._change(effect.repository, effect.number, changes)
        return effect.explanation.sentence if effect.explanation else "nothing to explain"

    async def note_update(self, effect: NoteUpdate) -> str:
        """Keep a head that our own update led to, once."""
        record = await self._get(effect.repository, effect.number)
        pair = (effect.head_sha, effect.before)
        changes: dict[str, Any] = {"updating_from": "", "updating_since": None}
        if pair not in record.updates:
            changes["updates"] = (*record.updates, pair)[-MOST_UPDATES:]
        await self._change(effect.repository, effect.number, changes)
        return f"{effect.head_sha[:12]} is {effect.before[:12]} with the base"

    async def take_turn(self, effect: TakeTurn) -> str:
        """Keep since when it has the turn; a known one stays."""
        record = await self._get(effect.repository, effect.number)
        if record.turn_since is None:
            await self._change(effect.repository, effect.number, {"turn_since": effect.at})
        return "it has the turn"

    async def note_merged(self, effect: NoteMerged) -> str:
        """Write down what it became."""
        record = await self._get(effect.repository, effect.number)
        at = effect.at or self._clock.now()
        changes = {"merged_sha": effect.sha, "merged_at": at}
        await self._change(effect.repository, effect.number, changes)
        if record.merged_at is None:
            await self._tell(effect, "merge.completed", {"sha": effect.sha})
        return effect.sha

    async def join_line(self, effect: JoinMergeLine) -> str:
        """Have it in the line; who is there keeps the place."""
        record = await self._get(effect.repository, effect.number)
        if record.queued_at is None:
            await self._change(effect.repository, effect.number, {"queued_at": effect.at})
            await self._tell(effect, "merge.queued", {"base_branch": record.base_branch})
        return "in line"

    async def leave_line(self, effect: LeaveMergeLine) -> str:
        """Have it in no line."""
        changes = {"queued_at": None, "turn_since": None}
        await self._change(effect.repository, effect.number, changes)
        return "out of line"

    # ── what several need ────────────────────────────────────────────────────────────────────────

    async def _get(self, repository: Repository, number: int) -> PullRequestRecord:
        return await self._pull_requests.get(repository, number)

    async def _change(
        self, repository: Repository, number: int, changes: Mapping[str, Any]
    ) -> PullRequestRecord:
        return await self._pull_requests.change(repository, number, changes)

    async def _tell(
        self,
        effect: HoldPullRequest
        | AskMerge
        | OverrideCriterion
        | RecordAttempt
        | StopFixing
        | NoteMerged
        | JoinMergeLine,
        kind: str,
        data: Mapping[str, Any],
    ) -> None:
        project = await self._projects.of_repository(effect.repository.id)
        subject = f"{effect.repository.id}:{effect.number}"
        now = self._clock.now()
        told = AuditEvent(kind, now, project.id if project else None, subject, data)
        await self._audit.write([told])
