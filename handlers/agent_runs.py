"""Agent runs: which begin, what the agent says of them, and where people read it."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.agent_runs import RemoteState, RunStatus
from bot.domain.effects import Decision, LeaveEvent, LinkRun, PublishStatus
from bot.domain.events import (
    AgentRunSeen,
    AgentRunsTouched,
    IssueChanged,
    PullRequestChange,
    PullRequestChanged,
    StatusOutdated,
)
from bot.domain.problems import TryAgain
from bot.domain.projects import ProjectStatus
from bot.domain.repo_config import Agent
from bot.domain.repositories import PullRequest, Repository
from bot.policy import agent_answers, agent_queue, issues
from bot.policy.agent_requests import Place
from bot.ports.coding_agent import AgentProblem
from bot.ports.github import InstallationGone, NotFound
from bot.ports.handlers import Context, Needs
from handlers.fixing import sent_today

TELLING = frozenset(
    {PullRequestChange.OPENED, PullRequestChange.PUSHED, PullRequestChange.REOPENED}
)
"""What an agent does to pull requests."""
REPLICATED = timedelta(minutes=1)
"""How long GitHub may not know what was made a moment ago."""


async def advance_runs(event: AgentRunsTouched, needs: Needs, context: Context) -> Decision:
    """Start the runs of a repository that may start, and give up those whose time is over."""
    del context
    repository = event.repository
    runs = await needs.runs.unended_of(repository.id)
    project = await needs.projects.of_repository(repository.id)
    now, limits, inactive = needs.clock.now(), Agent(), ""
    try:
        if project is not None and project.status is not ProjectStatus.ACTIVE:
            inactive = "The App is no longer active in this repository."
        elif needs.agent is None:
            inactive = "No coding agent is set up any more."
        else:
            limits = (await needs.configuration(repository, "")).parsed.config.agent
    except InstallationGone as gone:
        inactive = gone.message
    return agent_queue.decide(agent_queue.QueueFacts(repository, runs, limits, now, inactive))


async def look_at_runs(event: AgentRunsTouched, needs: Needs, context: Context) -> Decision:
    """Look at the active runs of a repository where the agent may have done something."""
    del context
    if not event.look or needs.agent is None:
        return Decision("nobody says that the agent did something")
    looks: list[LeaveEvent] = []
    for run in await needs.runs.unended_of(event.repository.id):
        if run.status is not RunStatus.ACTIVE or run.remote_id is None:
            continue
        at = needs.clock.now()
        try:
            remote = await needs.agent.get(run.remote_id)
        except (TryAgain, AgentProblem) as fault:
            return Decision(f"the sweep will tell: {type(fault).__name__}", tuple(looks))
        if remote.digest != run.remote_seen:
            looks.append(LeaveEvent(AgentRunSeen(event.repository, run.id, at, remote)))
    return Decision(f"{len(looks)} agent runs have moved", tuple(looks))


async def follow_run(event: AgentRunSeen, needs: Needs, context: Context) -> Decision:
    """Note how far a run is, or what it came back with."""
    del context
    run = await needs.runs.get(event.run_id)
    if run is None:
        return Decision("there is no such run")
    repository = event.repository
    project = await needs.projects.of_repository(repository.id)
    names = (repository.full_name, *((project.name,) if project else ()))
    ours = {it.casefold() for it in names}
    found: dict[int, PullRequest | None] = {}
    for told in agent_answers.fresh(run, event.remote) if event.remote else ():
        if told.number and told.full_name.casefold() in ours:
            found[told.number] = pull = await _pull_request(repository, told.number, needs)
            if pull is None and needs.clock.now() < event.at + REPLICATED:
                raise TryAgain(f"GitHub does not know #{told.number} yet", after=10.0)
    here = None
    is_over = event.remote is not None and event.remote.state is not RemoteState.GOING
    number = run.pull_request
    if number is not None and is_over:
        here = await _pull_request(repository, number, needs)
    return agent_answers.decide(
        agent_answers.SeenFacts(run, event.at, event.remote, event.step, found, here, names)
    )


async def mind_agent_runs(event: PullRequestChanged, needs: Needs, context: Context) -> Decision:
    """A pull request that moves may be a run's doing; one that changes its base may become its."""
    del context
    repository = event.repository
    if event.change in TELLING:
        runs = await needs.runs.unended_of(repository.id)
        if any(it.status is RunStatus.ACTIVE for it in runs):
            look = LeaveEvent(AgentRunsTouched(repository, look=True))
            return Decision("agent runs may have moved", (look,))
    if event.change is not PullRequestChange.RETARGETED:
        return Decision("that tells nothing of agent runs")
    pull = await needs.github.pull_request(repository, event.number)
    for run in await needs.runs.naming(repository.id, pull.url):
        if run.pull_request is None and not agent_answers.wrong_base(run, pull):
            told = agent_queue.shown(repository, (run.request.number, pull.number))
            link = LinkRun(run.id, pull.number, pull.url, pull.head_sha)
            return Decision("a run brought it", (link, *told))
    return Decision("no agent run named it")


async def start_for_issue(event: IssueChanged, needs: Needs, context: Context) -> Decision:
    """Start a run for an issue, where the configuration has it so."""
    del context
    repository, number = event.repository, event.comment.number
    project = await needs.projects.of_repository(repository.id)
    if project is not None and project.status is not ProjectStatus.ACTIVE:
        return Decision("the App is no longer active in this repository")
    config = (await needs.configuration(repository, "")).parsed.config
    now = needs.clock.now()
    place = Place(repository, event.comment, event.sender, config, now)
    if not issues.wanted(event, place):
        return Decision("the configuration has it start no run")
    place = Place(
        repository,
        event.comment,
        event.sender,
        config,
        now,
        is_open=(await needs.github.issue(repository, number)).is_open,
        runs=await needs.runs.of_issue(repository.id, number),
        asked_today=await sent_today(repository, needs),
        has_agent=needs.agent is not None,
    )
    permission = await needs.github.permission(repository, event.sender.login)
    return issues.decide(issues.IssueFacts(event, place, permission))


async def show_status(event: StatusOutdated, needs: Needs, context: Context) -> Decision:
    """Bring a status comment up to date."""
    del needs, context
    publish = PublishStatus(event.repository, event.number)
    return Decision(f"tell how the runs of #{event.number} stand", (publish,))


async def _pull_request(repository: Repository, number: int, needs: Needs) -> PullRequest | None:
    try:
        return await needs.github.pull_request(repository, number)
    except NotFound:
        return None
