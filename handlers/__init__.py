"""Who listens to what: the whole bot on one page."""

from __future__ import annotations

from typing import Final

from bot.domain.events import (
    CheckActionRequested,
    CheckRerequested,
    CommandsGiven,
    CommitsPushed,
    InstallationChanged,
    MergeGroupDestroyed,
    MergeGroupFormed,
    Pinged,
    PullRequestChanged,
    RepositoryChanged,
    ValidationAsked,
    ValidationEnded,
)
from bot.ports.handlers import HandlerSpec, Routes
from handlers.checks import hear_button, hear_rerequest
from handlers.comments import answer_command
from handlers.installations import follow_repository, keep_projects
from handlers.merge_groups import cancel_merge_group, validate_merge_group
from handlers.ping import note_ping
from handlers.pull_requests import validate_again, validate_pull_request
from handlers.pushes import look_at_pull_requests_of_branch
from handlers.results import conclude_validation

ROUTES: Final[Routes] = {
    PullRequestChanged: (HandlerSpec("validate_pull_request", validate_pull_request),),
    ValidationAsked: (HandlerSpec("validate_again", validate_again),),
    ValidationEnded: (HandlerSpec("conclude_validation", conclude_validation),),
    CommandsGiven: (HandlerSpec("answer_command", answer_command),),
    CommitsPushed: (HandlerSpec("look_at_branch", look_at_pull_requests_of_branch),),
    CheckRerequested: (HandlerSpec("hear_rerequest", hear_rerequest),),
    CheckActionRequested: (HandlerSpec("hear_button", hear_button),),
    MergeGroupFormed: (HandlerSpec("validate_merge_group", validate_merge_group),),
    MergeGroupDestroyed: (HandlerSpec("cancel_merge_group", cancel_merge_group),),
    InstallationChanged: (HandlerSpec("keep_projects", keep_projects),),
    RepositoryChanged: (HandlerSpec("follow_repository", follow_repository),),
    Pinged: (HandlerSpec("note_ping", note_ping),),
}
