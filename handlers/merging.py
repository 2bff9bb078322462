"""Merging: gather what a merge hangs on, in one go, and have it judged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.effects import Decision, LeaveEvent
from bot.domain.events import (
    BaseMoved,
    CommitJudged,
    CommitsPushed,
    MergeLineMoved,
    PullRequestChanged,
    PullRequestTouched,
)
from bot.domain.ids import derived
from bot.domain.merging import BranchRules, Explanation, MergeSituation
from bot.domain.projects import Project, ProjectStatus
from bot.domain.pull_request_effects import LeaveMergeLine
from bot.domain.repositories import Repository
from bot.domain.validations import Verdict
from bot.policy.merge import MergeFacts, decide, explain, worth_a_look
from bot.policy.merge_facts import needs_line
from bot.ports.github import Forbidden, GitHubProblem, NotFound
from bot.ports.handlers import Configuration, Context, Needs
from bot.ports.records import Unreadable

TOGETHER = timedelta(seconds=5)
"""What is told of one commit within this is looked at once: a build has many checks."""
AT_ONCE = 100
"""Pull requests whose records are read together."""
MOST_TOLD = 10
"""Of a line: each is a look of its own, and the line moves with each merge."""


async def merge_pull_request(
    event: PullRequestTouched | PullRequestChanged, needs: Needs, context: Context
) -> Decision:
    """Say how a pull request stands; merge it where nothing keeps it back; close its story."""
    del context
    repository = event.repository
    if not await _is_active(repository, needs):
        return Decision("the App is no longer active in this repository")
    try:
        facts = await gather(repository, event.number, needs)
    except Unreadable as fault:
        return Decision(f"nothing is merged: {fault}")
    except NotFound:
        return Decision(f"#{event.number} is no pull request that we may see")
    except Forbidden as refusal:
        return Decision(f"GitHub does not let us see what a merge hangs on: {refusal.message}")
    return decide(replace(facts, own_update=await _own_update(event, needs)))


async def _own_update(
    event: PullRequestTouched | PullRequestChanged, needs: Needs
) -> tuple[str, str] | None:
    """The heads after and before our own update of a branch, as GitHub itself tells of it."""
    if not isinstance(event, PullRequestChanged) or not (event.before and event.after):
        return None
    if event.sender is None or event.sender.login != await needs.github.own_login():
        return None
    record = await needs.pull_requests.get(event.repository, event.number)
    asked = record.updating_from == event.before
    return (event.after, event.before) if asked else None


async def _is_active(repository: Repository, needs: Needs) -> bool:
    project = await needs.projects.of_repository(repository.id)
    return project is None or project.status is ProjectStatus.ACTIVE


async def advance_line(event: MergeLineMoved, needs: Needs, context: Context) -> Decision:
    """Let the first of a branch's line have its turn, and tell those behind it their places.

    The places further back are told when they come nearer, or are swept.
    """
    del context
    repository = event.repository
    if not await _is_active(repository, needs):
        return Decision("the App is no longer active in this repository")
    line = await needs.pull_requests.line(repository.id, event.base_branch)
    if not line:
        return Decision(f"nobody waits to merge into {event.base_branch}")
    first, *others = line[: 1 + MOST_TOLD]
    try:
        facts = await gather(repository, first.number, needs, has_turn=True)
    except (GitHubProblem, Unreadable) as fault:
        moved = LeaveEvent(MergeLineMoved(repository, event.base_branch))
        left = LeaveMergeLine(repository, first.number)
        return Decision(f"#{first.number} leaves the line: {fault}", (left, moved))
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


async def tell_of_base(event: CommitsPushed, needs: Needs, context: Context) -> Decision:
    """A branch moved: have those looked at that go into it, with no other event waiting."""
    del needs, context
    if not event.head_sha:
        return Decision(f"{event.branch} was deleted")
    moved = BaseMoved(event.repository, event.branch, event.head_sha)
    return Decision(f"{event.branch} moved", (LeaveEvent(moved),))


async def look_at_base(event: BaseMoved, needs: Needs, context: Context) -> Decision:
    """Find the pull requests into a branch for which it changes something that it moved.

    They are read some tens a call, and judged here: only those that may move on are looked at
    one by one. Of pushes that came meanwhile the last one is enough.
    """
    del context
    repository, branch = event.repository, event.base_branch
    project = await needs.projects.of_repository(repository.id)
    if project is None or project.status is not ProjectStatus.ACTIVE:
        return Decision("there is no active project")
    try:
        if await needs.github.is_behind(repository, branch, event.head_sha):
            return Decision(f"{branch} moved on since, which is an event of its own")
    except NotFound:
        return Decision(f"{branch} is gone")
    configuration = await needs.configuration(repository, "")
    count, touched = 0, list[int]()
    async for some in _by(AT_ONCE, needs.github.open_situations(repository, branch)):
        count += len(some)
        rules = await needs.github.branch_rules(repository, branch)
        found = await _facts_of_many(repository, some, rules, configuration, project, needs)
        touched += [it.pull.number for it in found if worth_a_look(it)]
    looks = (LeaveEvent(PullRequestTouched(repository, it)) for it in touched)
    return Decision(
        f"{len(touched)} of {count} pull requests into {branch}",
        (*looks, LeaveEvent(MergeLineMoved(repository, branch))),
    )


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
    """Those of one, with what is asked for one by one: its line, and whether it is behind."""
    pull = situation.pull
    found = await _facts_of_many(repository, [situation], rules, configuration, project, needs)
    if not found:
        raise Unreadable(f"the record of #{pull.number} can't be understood")
    (facts,) = found
    in_line = needs_line(configuration.parsed.config, rules)
    if in_line and pull.is_open and _counts_as_green(facts):
        is_behind = await needs.github.is_behind(repository, pull.base_branch, pull.head_sha)
        facts = replace(facts, situation=replace(situation, is_behind=is_behind))
    line = await needs.pull_requests.line(repository.id, pull.base_branch) if in_line else ()
    return replace(facts, line=[it.number for it in line], has_turn=has_turn)


def _counts_as_green(facts: MergeFacts) -> bool:
    """Whether its validation keeps it back no longer: what comes after it is worth asking."""
    is_green = bool(facts.of_head) and facts.of_head[-1].verdict is Verdict.PASSED
    word = ("validation", facts.pull.head_sha)
    return is_green or word in {(it.criterion, it.head_sha) for it in facts.record.overrides}


async def _facts_of_many(
    repository: Repository,
    situations: Sequence[MergeSituation],
    rules: BranchRules,
    configuration: Configuration,
    project: Project | None,
    needs: Needs,
) -> list[MergeFacts]:
    """Those of many, by as few reads; whose records can't be understood are left out."""
    numbers = [it.pull.number for it in situations]
    heads = {it.pull.head_sha for it in situations}
    validations = await needs.validations.of_commits(repository.id, heads)
    records = await needs.pull_requests.of_numbers(repository, numbers)
    runs = await needs.runs.of_issues(repository.id, numbers)
    auto_merge, source = auto_merge_of(configuration, project)
    return [
        MergeFacts(
            repository=repository,
            situation=it,
            rules=rules,
            config=configuration.parsed.config,
            record=records[it.pull.number],
            of_head=of_head,
            runs=runs.get(it.pull.number, ()),
            own_app_id=needs.app_id,
            now=needs.clock.now(),
            auto_merge=auto_merge,
            auto_merge_source=source,
            details_url=needs.details_url(of_head[-1]) if of_head else "",
        )
        for it in situations
        if it.pull.number in records
        for of_head in (validations[it.pull.head_sha],)
    ]


async def _by(
    size: int, situations: AsyncIterator[MergeSituation]
) -> AsyncIterator[Sequence[MergeSituation]]:
    """So many at a time."""
    some: list[MergeSituation] = []
    async for it in situations:
        some.append(it)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


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
