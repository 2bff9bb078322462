"""Who listens to what: the whole bot on one page."""

from __future__ import annotations

from typing import Final

from bot.domain.events import (
    AgentRunSeen,
    AgentRunsTouched,
    BaseMoved,
    ButtonPressed,
    CheckActionRequested,
    CheckRerequested,
    CommandsGiven,
    CommitJudged,
    CommitsPushed,
    InstallationChanged,
    IssueChanged,
    MergeGroupDestroyed,
    MergeGroupFormed,
    MergeLineMoved,
    Pinged,
    PullRequestChanged,
    PullRequestTouched,
    RepositoryChanged,
    StatusOutdated,
    ValidationAsked,
    ValidationEnded,
)
from bot.ports.handlers import HandlerSpec, Routes
from handlers.agent_runs import (
    advance_runs,
    follow_run,
    look_at_runs,
    mind_agent_runs,
    show_status,
    start_for_issue,
)
from handlers.checks import do_as_pressed, hear_button, hear_rerequest
from handlers.comments import answer_command
from handlers.fixing import mend_pull_request
from handlers.installations import follow_repository, keep_projects
from handlers.merge_groups import cancel_merge_group, validate_merge_group
from handlers.merging import (
    advance_line,
    look_at_base,
    merge_pull_request,
    pass_on_judgement,
    tell_of_base,
)
from handlers.ping import note_ping
from handlers.pull_requests import validate_again, validate_pull_request
from handlers.pushes import evaluate_base, look_at_pull_requests_of_branch
from handlers.results import conclude_validation

ROUTES: Final[Routes] = {
    PullRequestChanged: (
        HandlerSpec("validate_pull_request", validate_pull_request),
        HandlerSpec("mind_agent_runs", mind_agent_runs),
        HandlerSpec("mend_pull_request", mend_pull_request),
        HandlerSpec("merge_pull_request", merge_pull_request),
    ),
    PullRequestTouched: (
        HandlerSpec("mend_pull_request", mend_pull_request),
        HandlerSpec("merge_pull_request", merge_pull_request),
    ),
    ValidationAsked: (HandlerSpec("validate_again", validate_again),),
    ValidationEnded: (HandlerSpec("conclude_validation", conclude_validation),),
    CommandsGiven: (HandlerSpec("answer_command", answer_command),),
    IssueChanged: (HandlerSpec("start_for_issue", start_for_issue),),
    AgentRunsTouched: (
        HandlerSpec("advance_runs", advance_runs),
        HandlerSpec("look_at_runs", look_at_runs),
    ),
    AgentRunSeen: (HandlerSpec("follow_run", follow_run),),
    StatusOutdated: (HandlerSpec("show_status", show_status),),
    CommitsPushed: (
        HandlerSpec("look_at_branch", look_at_pull_requests_of_branch),
        HandlerSpec("evaluate_base", evaluate_base),
        HandlerSpec("tell_of_base", tell_of_base),
    ),
    BaseMoved: (HandlerSpec("look_at_base", look_at_base),),
    CommitJudged: (HandlerSpec("pass_on_judgement", pass_on_judgement),),
    MergeLineMoved: (HandlerSpec("advance_line", advance_line),),
    ButtonPressed: (HandlerSpec("do_as_pressed", do_as_pressed),),
    CheckRerequested: (HandlerSpec("hear_rerequest", hear_rerequest),),
    CheckActionRequested: (HandlerSpec("hear_button", hear_button),),
    MergeGroupFormed: (HandlerSpec("validate_merge_group", validate_merge_group),),
    MergeGroupDestroyed: (HandlerSpec("cancel_merge_group", cancel_merge_group),),
    InstallationChanged: (HandlerSpec("keep_projects", keep_projects),),
    RepositoryChanged: (HandlerSpec("follow_repository", follow_repository),),
    Pinged: (HandlerSpec("note_ping", note_ping),),
}
