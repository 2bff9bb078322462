"""Merging: gather what a merge hangs on, in one go, and have it judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.effects import Decision, Effect, LeaveEvent
from bot.domain.events import (
    CommitJudged,
    CommitsPushed,
    MergeLineMoved,
    PullRequestChanged,
    PullRequestTouched,
)
from bot.domain.ids import derived
from bot.domain.merging import BranchRules, Explanation, MergeSituation
from bot.domain.projects import Project, ProjectStatus
from bot.domain.repositories import Repository
from bot.domain.validations import Verdict
from bot.policy.merge import MergeFacts, decide, explain, worth_a_look
from bot.ports.github import NotFound
from bot.ports.handlers import Configuration, Context, Needs
from bot.ports.records import Unreadable

TOGETHER = timedelta(seconds=5)
"""What is told of one commit within this is looked at once: a build has many checks."""


async def merge_pull_request(
    event: PullRequestTouched | PullRequestChanged, needs: Needs, context: Context
) -> Decision:
    """Say how a pull request stands; merge it where nothing keeps it back; close its story."""
    del context
    repository = event.repository
    project = await needs.projects.of_repository(repository.id)
    if project is not None and project.status is not ProjectStatus.ACTIVE:
        return Decision("the App is no longer active in this repository")
    try:
        facts = await gather(repository, event.number, needs)
    except Unreadable as fault:
        return Decision(f"nothing is merged: {fault}")
    except NotFound:
        return Decision(f"#{event.number} is no pull request that we may see")
    return decide(facts)


async def advance_line(event: MergeLineMoved, needs: Needs, context: Context) -> Decision:
    """Let the first of a branch's line have its turn, and tell the others their places."""
    del context
    repository = event.repository
    line = await needs.pull_requests.line(repository.id, event.base_branch)
    if not line:
        return Decision(f"nobody waits to merge into {event.base_branch}")
    first, *others = line
    facts = await gather(repository, first.number, needs, has_turn=True)
    decision = decide(facts)
    places = tuple(LeaveEvent(PullRequestTouched(repository, it.number)) for it in others)
    return Decision(
        f"#{first.number} has its turn: {decision.reason}", (*decision.effects, *places)
    )


async def pass_on_judgement(event: CommitJudged, needs: Needs, context: Context) -> Decision:
    """Look at the pull requests whose head a commit is, once for all that is told together."""
    del context
    repository, now = event.repository, needs.clock.now()
    records = await needs.validations.of_commit(repository.id, event.head_sha)
    numbers = sorted({number for it in records for number in it.pull_requests})
    looks = tuple(_together(repository, number, now) for number in numbers)
    return Decision(f"the head of {len(numbers)} pull requests", looks)


async def look_at_base(event: CommitsPushed, needs: Needs, context: Context) -> Decision:
    """A branch moved: find the pull requests into it for which that changes something.

    They are read some tens a call, and judged here: only those that may move on are looked at
    one by one.
    """
    del context
    repository, branch = event.repository, event.branch
    if not event.head_sha:
        return Decision(f"{branch} was deleted")
    project = await needs.projects.of_repository(repository.id)
    if project is None or project.status is not ProjectStatus.ACTIVE:
        return Decision("there is no active project")
    configuration = await needs.configuration(repository, "")
    rules: BranchRules | None = None
    looks: list[Effect] = []
    count = 0
    async for situation in needs.github.open_situations(repository, branch):
        count += 1
        rules = rules or await needs.github.branch_rules(repository, branch)
        try:
            facts = await _facts(repository, situation, rules, configuration, project, needs)
        except Unreadable:
            continue  # its own event says so
        if worth_a_look(facts):
            looks.append(LeaveEvent(PullRequestTouched(repository, situation.pull.number)))
    looks.append(LeaveEvent(MergeLineMoved(repository, branch)))
    return Decision(f"{len(looks) - 1} of {count} pull requests into {branch}", tuple(looks))


async def gather(
    repository: Repository, number: int, needs: Needs, *, has_turn: bool = False
) -> MergeFacts:
    """All that the judgement is made of, each read once. Raises Unreadable and NotFound."""
    situation = await needs.github.merge_situation(repository, number)
    rules = await needs.github.branch_rules(repository, situation.pull.base_branch)
    configuration = await needs.configuration(repository, "")
    project = await needs.projects.of_repository(repository.id)
    return await _facts(
        repository, situation, rules, configuration, project, needs, has_turn=has_turn
    )


async def explained(repository: Repository, number: int, needs: Needs) -> Explanation:
    """Why a pull request is not merged. Raises Unreadable and NotFound."""
    return explain(await gather(repository, number, needs))


async def _facts(
    repository: Repository,
    situation: MergeSituation,
    rules: BranchRules,
    configuration: Configuration,
    project: Project | None,
    needs: Needs,
    *,
    has_turn: bool = False,
) -> MergeFacts:
    pull, config = situation.pull, configuration.parsed.config
    of_head = await needs.validations.of_commit(repository.id, pull.head_sha)
    in_line = config.validation.require_up_to_date
    record = await needs.pull_requests.get(repository, pull.number)
    is_green = bool(of_head) and of_head[-1].verdict is Verdict.PASSED
    counts = is_green or any(
        (it.criterion, it.head_sha) == ("validation", pull.head_sha) for it in record.overrides
    )
    if (in_line or rules.up_to_date) and counts and pull.is_open:
        is_behind = await needs.github.is_behind(repository, pull.base_branch, pull.head_sha)
        situation = replace(situation, is_behind=is_behind)
    line = await needs.pull_requests.line(repository.id, pull.base_branch) if in_line else ()
    auto_merge, source = auto_merge_of(configuration, project)
    return MergeFacts(
        repository=repository,
        situation=situation,
        rules=rules,
        config=config,
        record=record,
        of_head=of_head,
        runs=await needs.runs.of_issue(repository.id, pull.number),
        own_app_id=needs.app_id,
        now=needs.clock.now(),
        auto_merge=auto_merge,
        auto_merge_source=source,
        line=[it.number for it in line],
        has_turn=has_turn,
        details_url=needs.details_url(of_head[-1]) if of_head else "",
    )


def auto_merge_of(configuration: Configuration, project: Project | None) -> tuple[bool, str]:
    """Whether changes are merged by themselves, and who says so: the file, else the dashboard."""
    rules = configuration.parsed.config.validation
    if "auto_merge" in rules.model_fields_set:
        return rules.auto_merge, f"`validation.auto_merge` in `{configuration.path}`"
    if project is not None and project.auto_merge_enabled is not None:
        return project.auto_merge_enabled, "the dashboard"
    return rules.auto_merge, "the default of `validation.auto_merge`"


def _together(repository: Repository, number: int, now: datetime) -> LeaveEvent:
    """A look at the end of the present moment, the same one for all that is told within it."""
    moment = int(now.timestamp() // TOGETHER.total_seconds()) + 1
    due_at = datetime.fromtimestamp(moment * TOGETHER.total_seconds(), now.tzinfo)
    once = derived(repository.id, number, "judged", moment)
    return LeaveEvent(PullRequestTouched(repository, number), due_at, once)
