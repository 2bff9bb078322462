"""One effect, one call: which service carries out which effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.effects import (
    CancelRun,
    CancelValidation,
    ConcludeValidation,
    DeclineValidation,
    Effect,
    EndRun,
    EvaluateBase,
    KeepProject,
    LeaveEvent,
    LeavePullRequest,
    LinkRun,
    MessageRun,
    NoteRun,
    Notify,
    PublishCheck,
    PublishStatus,
    QueueRun,
    React,
    RecordValidation,
    Reply,
    RequestRun,
    RetireProject,
    SpendBudget,
    StartRun,
    StartValidation,
)
from bot.domain.events import InternalEvent, key
from bot.domain.ids import derived
from bot.domain.problems import AssumptionFailed
from bot.domain.pull_request_effects import (
    AskMerge,
    DeleteBranch,
    EndAttempt,
    GoOnFixing,
    HoldPullRequest,
    JoinMergeLine,
    KeepExplanation,
    LeaveMergeLine,
    MergePullRequest,
    NoteMerged,
    NoteRevalidation,
    NoteUpdate,
    OverrideCriterion,
    RecordAttempt,
    StopFixing,
    TakeTurn,
    UpdateBranch,
    WishFix,
)
from bot.domain.webhooks import encode
from bot.policy.budgets import DAY
from bot.ports.clock import Clock
from bot.ports.handlers import Context
from bot.ports.inbox import Inbox, Item
from bot.ports.notifier import Notifier
from bot.ports.records import AgentBudget
from bot.services.agent_runs import AgentRunService
from bot.services.base_evaluations import BaseEvaluations
from bot.services.check_runs import CheckRuns
from bot.services.merger import Merger
from bot.services.projects import ProjectService
from bot.services.pull_requests import PullRequestService
from bot.services.replies import Replies
from bot.services.status_comments import StatusComments
from bot.services.validation_requests import ValidationRequests

RunEffect = RequestRun | MessageRun | StartRun | QueueRun | NoteRun | EndRun | LinkRun | CancelRun
ValidationEffect = (
    RecordValidation
    | StartValidation
    | DeclineValidation
    | CancelValidation
    | LeavePullRequest
    | ConcludeValidation
    | EvaluateBase
)


MergeEffect = (
    KeepExplanation
    | NoteMerged
    | JoinMergeLine
    | LeaveMergeLine
    | MergePullRequest
    | UpdateBranch
    | NoteUpdate
    | TakeTurn
    | DeleteBranch
)


@dataclass(frozen=True)
class Hands:
    """What effects are carried out with."""

    requests: ValidationRequests
    checks: CheckRuns
    bases: BaseEvaluations
    projects: ProjectService
    replies: Replies
    runs: AgentRunService
    statuses: StatusComments
    courses: PullRequestService
    merger: Merger
    budget: AgentBudget
    notifier: Notifier
    inbox: Inbox
    clock: Clock

    async def apply(self, effect: Effect, context: Context, index: int) -> str:
        """Carry out one effect; the outcome in words."""
        match effect:
            case LeaveEvent():
                return await self._leave(effect, context, index)
            case PublishCheck() | PublishStatus() | React() | Reply() | Notify():
                return await self._say(effect, context)
            case KeepProject(repository):
                return (await self.projects.create_project(repository)).id
            case RetireProject(repository_id, status, reason):
                await self.projects.retire(repository_id, status, reason)
                return status.value
            case SpendBudget():
                return await self._spend(effect)
            case RequestRun() | MessageRun() | StartRun() | QueueRun():
                return await self._run(effect)
            case NoteRun() | EndRun() | LinkRun() | CancelRun():
                return await self._run(effect)
            case HoldPullRequest() | AskMerge() | OverrideCriterion() | WishFix():
                return await self._decided(effect)
            case RecordAttempt() | EndAttempt() | StopFixing() | GoOnFixing() | NoteRevalidation():
                return await self._tried(effect)
            case _:
                return await self._course(effect)

    async def _say(
        self, effect: PublishCheck | PublishStatus | React | Reply | Notify, context: Context
    ) -> str:
        match effect:
            case PublishCheck(validation_id):
                return await self.checks.publish(validation_id, by=context.key)
            case PublishStatus(repository, number):
                return await self.statuses.publish(repository, number, by=context.delivery_id)
            case React():
                return await self.replies.react(effect)
            case Reply():
                return await self.replies.reply(effect)
            case Notify(webhook_url, notice):
                return await self.notifier.tell(webhook_url, notice)

    async def _run(self, effect: RunEffect) -> str:
        match effect:
            case RequestRun():
                return await self.runs.create_run(effect)
            case MessageRun():
                return await self.runs.resume_run(effect)
            case StartRun(run_id):
                return await self.runs.start(run_id)
            case QueueRun():
                return await self.runs.queue(effect)
            case NoteRun():
                return await self.runs.note(effect)
            case EndRun():
                return await self.runs.end(effect)
            case LinkRun():
                return await self.runs.link(effect)
            case CancelRun():
                return await self.runs.cancel_run(effect)

    async def _decided(
        self, effect: HoldPullRequest | AskMerge | OverrideCriterion | WishFix
    ) -> str:
        """What people decide of a pull request."""
        match effect:
            case HoldPullRequest():
                return await self.courses.hold(effect)
            case AskMerge():
                return await self.courses.ask_merge(effect)
            case OverrideCriterion():
                return await self.courses.override(effect)
            case WishFix():
                return await self.courses.wish_fix(effect)

    async def _tried(
        self, effect: RecordAttempt | EndAttempt | StopFixing | GoOnFixing | NoteRevalidation
    ) -> str:
        """What is tried to mend a pull request."""
        match effect:
            case RecordAttempt():
                return await self.courses.record_attempt(effect)
            case EndAttempt():
                return await self.courses.end_attempt(effect)
            case StopFixing():
                return await self.courses.stop(effect)
            case GoOnFixing():
                return await self.courses.go_on(effect)
            case NoteRevalidation():
                return await self.courses.note_revalidation(effect)

    async def _course(self, effect: MergeEffect | ValidationEffect) -> str:
        """The way to a merge."""
        match effect:
            case KeepExplanation():
                return await self.courses.keep_explanation(effect)
            case NoteMerged():
                return await self.courses.note_merged(effect)
            case JoinMergeLine():
                return await self.courses.join_line(effect)
            case LeaveMergeLine():
                return await self.courses.leave_line(effect)
            case MergePullRequest():
                return await self.merger.merge(effect)
            case UpdateBranch():
                return await self.merger.update_branch(effect)
            case NoteUpdate():
                return await self.courses.note_update(effect)
            case TakeTurn():
                return await self.courses.take_turn(effect)
            case DeleteBranch():
                return await self.merger.delete_branch(effect)
            case _:
                return await self._request(effect)

    async def _request(self, effect: ValidationEffect) -> str:
        match effect:
            case RecordValidation():
                return await self.requests.record(effect)
            case StartValidation():
                return await self.requests.start(effect)
            case DeclineValidation():
                return await self.requests.decline(effect)
            case CancelValidation():
                return await self.requests.cancel(effect)
            case LeavePullRequest():
                return await self.requests.leave(effect)
            case ConcludeValidation():
                return await self.requests.conclude(effect)
            case EvaluateBase():
                return await self.bases.request(effect)

    async def _spend(self, effect: SpendBudget) -> str:
        now = self.clock.now()
        spent = await self.budget.spend(
            effect.repository.id, effect.what, now, now - DAY, effect.most_a_day
        )
        if not spent:
            raise AssumptionFailed("the day's budget was spent meanwhile")
        return "counted"

    async def _leave(self, effect: LeaveEvent, context: Context, index: int) -> str:
        name = derived(context.delivery_id, context.handler, "event", index)
        item = item_of(effect.event, effect.once or name, self.clock, effect.due_at)
        (added,) = await self.inbox.add([item])
        return added.value


def item_of(
    event: InternalEvent, item_id: str, clock: Clock, due_at: datetime | None = None
) -> Item:
    """An inbox item of an event that we leave for ourselves."""
    name, body = encode(event)
    repository = getattr(event, "repository", None)
    return Item(
        id=item_id,
        name=name,
        body=body,
        key=key(event),
        repository_id=repository.id if repository else 0,
        received_at=clock.now(),
        due_at=due_at,
    )
