"""From a delivery's JSON to an event: only the fields that are used are read.

``parse`` takes GitHub's events by their names and our own internal ones by theirs; ``encode`` gives
an internal event its name and JSON. What nobody listens to is ``Ignored``, with the reason; what
lacks a field that is needed is a ``MalformedPayload`` that names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from bot.domain.commands import PREFIX
from bot.domain.commands import parse as parse_commands
from bot.domain.comments import CommentKind, CommentReference
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
    Event,
    Ignored,
    InstallationChange,
    InstallationChanged,
    IssueChange,
    IssueChanged,
    MergeGroupDestroyed,
    MergeGroupFormed,
    MergeLineMoved,
    Pinged,
    PullRequestChange,
    PullRequestChanged,
    PullRequestTouched,
    RepositoryChange,
    RepositoryChanged,
    StatusOutdated,
    ValidationAsked,
    ValidationEnded,
)
from bot.domain.repositories import Account, Repository
from bot.domain.unheard import UNHEARD

INTERNAL: Final[Mapping[str, type[Event]]] = {
    "codegenapp.pull_request_seen": PullRequestChanged,
    "codegenapp.installation_seen": InstallationChanged,
    "codegenapp.validation_asked": ValidationAsked,
    "codegenapp.validation_ended": ValidationEnded,
    "codegenapp.agent_runs_touched": AgentRunsTouched,
    "codegenapp.agent_run_seen": AgentRunSeen,
    "codegenapp.status_outdated": StatusOutdated,
    "codegenapp.pull_request_touched": PullRequestTouched,
    "codegenapp.commit_judged": CommitJudged,
    "codegenapp.merge_line_moved": MergeLineMoved,
    "codegenapp.base_moved": BaseMoved,
    "codegenapp.button_pressed": ButtonPressed,
}
"""Events that we leave for ourselves, by the names that stand in the inbox: never change one."""

BRANCH = "refs/heads/"
NO_COMMIT = "0" * 40


class MalformedPayload(Exception):
    """A delivery without a field that is needed; the message is the field's path and the fault."""


@dataclass(frozen=True)
class Own:
    """Who we are: our App's id and its account's login, ``SLUG[bot]``.

    The login is empty at the door, which must not wait for GitHub to say it.
    """

    app_id: int
    login: str

    @property
    def slug(self) -> str:
        """The App's name as it is mentioned."""
        return self.login.removesuffix("[bot]")


def parse(name: str, payload: object, own: Own) -> Event | Ignored:
    """The event of a delivery. Raises MalformedPayload."""
    fields = _Fields(payload)
    if name in INTERNAL:
        return _internal(name, payload)
    if name in UNHEARD:
        return Ignored(UNHEARD[name])
    if name not in _PARSERS:
        return Ignored(f"no such event is known here: {name[:80]!r}")
    return _PARSERS[name](fields, own)


def encode(event: Event) -> tuple[str, bytes]:
    """An internal event's name and JSON, such that ``parse`` gives the same event again."""
    name = next(name for name, kind in INTERNAL.items() if isinstance(event, kind))
    return name, TypeAdapter(type(event)).dump_json(event)


def _internal(name: str, payload: object) -> Event:
    try:
        # By way of JSON: that is where enums and nested records are known by their values.
        event: Event = TypeAdapter(INTERNAL[name]).validate_json(json.dumps(payload))
    except (ValidationError, ValueError, RecursionError) as fault:
        raise MalformedPayload(f"{name}: {type(fault).__name__}") from None
    return event


# ── GitHub's events ──────────────────────────────────────────────────────────────────────────


class _Fields:
    """A payload that says which field is missing or of another kind than it should be."""

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, Mapping):
            raise MalformedPayload(f"{path or 'the payload'}: wants an object")
        self._value = value
        self._path = path

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def inner(self, name: str) -> _Fields:
        return _Fields(self._value.get(name), self._at(name))

    def text(self, name: str, default: str | None = None) -> str:
        value = self._value.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise MalformedPayload(f"{self._at(name)}: wants a text")
        return value

    def number(self, name: str) -> int:
        value = self._value.get(name)
        # A JSON number may be longer than any id; Python's would not fit the database.
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
            raise MalformedPayload(f"{self._at(name)}: wants a whole number")
        return value

    def flag(self, name: str) -> bool:
        return self._value.get(name) is True

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def _repository(fields: _Fields) -> Repository:
    found = fields.inner("repository")
    owner = found.inner("owner")
    installation = fields.inner("installation").number("id") if "installation" in fields else 0
    return Repository(
        id=found.number("id"),
        # A push tells its owner's name in ``name``.
        owner=owner.text("login", "") or owner.text("name"),
        name=found.text("name"),
        installation_id=installation,
        private=found.flag("private"),
        default_branch=found.text("default_branch", ""),
    )


def _sender(fields: _Fields) -> Account:
    found = fields.inner("sender")
    return Account(found.number("id"), found.text("login"), found.text("type", "") == "Bot")


_TOUCHING = frozenset(
    {"labeled", "unlabeled", "enqueued", "dequeued", "auto_merge_enabled", "auto_merge_disabled"}
)
"""Actions that change no commit, and that a merge may hang on."""


def _pull_request(fields: _Fields, own: Own) -> Event | Ignored:
    action, sender = fields.text("action"), _sender(fields)
    number = fields.number("number")
    changed = fields.inner("changes") if "changes" in fields else ()
    retitled = action == PullRequestChange.RETARGETED and "base" not in changed
    if action in _TOUCHING or (retitled and "title" in changed):
        if sender.login == own.login:
            return Ignored(f"pull_request.{action}: our own doing")
        return PullRequestTouched(_repository(fields), number)
    if retitled:
        return Ignored("pull_request.edited: its base and title stayed")
    if action not in set(PullRequestChange) - {PullRequestChange.SEEN}:
        return Ignored(f"pull_request.{action}: changes nothing that matters here")
    # A commit is validated whoever pushed it: our own pushes, too.
    return PullRequestChanged(
        _repository(fields),
        number,
        PullRequestChange(action),
        sender,
        fields.text("before", ""),
        fields.text("after", ""),
    )


def _issue_comment(fields: _Fields, own: Own) -> Event | Ignored:
    issue = fields.inner("issue")
    is_pull_request = "pull_request" in issue
    kind = CommentKind.CONVERSATION
    return _commented(fields, own, kind, issue, is_pull_request=is_pull_request)


def _review(fields: _Fields, own: Own) -> Event | Ignored:
    """Its commands; whoever answers them also looks at what the review says."""
    about = fields.inner("pull_request")
    found = _commented(fields, own, CommentKind.REVIEW, about)
    if isinstance(found, Ignored) and _sender(fields).login != own.login:
        return PullRequestTouched(_repository(fields), about.number("number"))
    return found


def _review_thread(fields: _Fields, own: Own) -> Event | Ignored:
    del own  # we resolve none
    return PullRequestTouched(_repository(fields), fields.inner("pull_request").number("number"))


def _review_comment(fields: _Fields, own: Own) -> Event | Ignored:
    return _commented(fields, own, CommentKind.INLINE, fields.inner("pull_request"))


_CREATED = {
    CommentKind.CONVERSATION: ("created", "comment"),
    CommentKind.REVIEW: ("submitted", "review"),
    CommentKind.INLINE: ("created", "comment"),
}


def _commented(
    fields: _Fields,
    own: Own,
    kind: CommentKind,
    about: _Fields,
    *,
    is_pull_request: bool = True,
) -> Event | Ignored:
    """Commands of a new comment; the door passes on what may be a mention of us."""
    action = fields.text("action")
    created, name = _CREATED[kind]
    if action != created:
        return Ignored(f"{kind}.{action}: only new comments carry commands")
    comment, sender = fields.inner(name), _sender(fields)
    if sender.is_bot or sender.login == own.login:
        return Ignored(f"{kind}.{action}: a bot's comment carries no commands")
    text = comment.text("body", "")
    commands = parse_commands(text, own.slug)
    may_be = not own.login and ("@" in text or PREFIX in text.casefold())
    if not commands and not may_be:
        return Ignored(f"{kind}.{action}: no command in it")
    place = comment.text("path", "") if kind is CommentKind.INLINE else ""
    if place and "line" in comment:
        place = f"{place}:{comment.number('line')}"
    number = about.number("number")
    return CommandsGiven(
        repository=_repository(fields),
        comment=CommentReference(kind, comment.number("id"), number, comment.text("html_url")),
        commands=commands,
        sender=sender,
        is_pull_request=is_pull_request,
        is_open=about.text("state", "open") == "open",
        place=place,
    )


def _issue(fields: _Fields, own: Own) -> Event | Ignored:
    action = fields.text("action")
    if action not in set(IssueChange):
        return Ignored(f"issues.{action}: starts no run")
    issue, sender = fields.inner("issue"), _sender(fields)
    if sender.is_bot or sender.login == own.login:
        return Ignored(f"issues.{action}: a bot's doing starts no run")
    return IssueChanged(
        repository=_repository(fields),
        comment=CommentReference(
            CommentKind.ISSUE, issue.number("id"), issue.number("number"), issue.text("html_url")
        ),
        change=IssueChange(action),
        sender=sender,
        label=fields.inner("label").text("name") if "label" in fields else "",
    )


def _push(fields: _Fields, own: Own) -> Event | Ignored:
    del own
    ref = fields.text("ref")
    if not ref.startswith(BRANCH):
        return Ignored("push: no branch")
    head = fields.text("after", NO_COMMIT)
    head = "" if fields.flag("deleted") or not head.strip("0") else head
    return CommitsPushed(_repository(fields), ref.removeprefix(BRANCH), head)


def _check_run(fields: _Fields, own: Own) -> Event | Ignored:
    action = fields.text("action")
    run = fields.inner("check_run")
    if action == "completed" and not _is_ours(run, own):
        return CommitJudged(_repository(fields), run.text("head_sha"))
    if ignored := _not_for_us("check_run", action, run, fields, own):
        return ignored
    head, sender = run.text("head_sha"), _sender(fields)
    if action == "rerequested":
        return CheckRerequested(_repository(fields), head, sender)
    wanted = fields.inner("requested_action").text("identifier")
    external_id = run.text("external_id", "")
    return CheckActionRequested(_repository(fields), head, external_id, wanted, sender)


def _check_suite(fields: _Fields, own: Own) -> Event | Ignored:
    action = fields.text("action")
    suite = fields.inner("check_suite")
    if action == "completed" and not _is_ours(suite, own):
        return CommitJudged(_repository(fields), suite.text("head_sha"))
    if ignored := _not_for_us("check_suite", action, suite, fields, own):
        return ignored
    return CheckRerequested(_repository(fields), suite.text("head_sha"), _sender(fields))


def _not_for_us(
    name: str, action: str, check: _Fields, fields: _Fields, own: Own
) -> Ignored | None:
    """Why a check's event is nothing for us, if so; an event of our own would be a loop."""
    if action not in {"rerequested", "requested_action"}:
        return Ignored(f"{name}.{action}: nobody asks for anything")
    if not _is_ours(check, own):
        return Ignored(f"{name}.{action}: another App's")
    if _sender(fields).login == own.login:
        return Ignored(f"{name}.{action}: our own doing")
    return None


def _is_ours(check: _Fields, own: Own) -> bool:
    return "app" in check and check.inner("app").number("id") == own.app_id


def _status(fields: _Fields, own: Own) -> Event | Ignored:
    if _sender(fields).login == own.login:
        return Ignored("status: our own doing")
    return CommitJudged(_repository(fields), fields.text("sha"))


def _installation(fields: _Fields, own: Own) -> Event | Ignored:
    del own
    action = fields.text("action")
    if action not in set(InstallationChange):
        return Ignored(f"installation.{action}: changes nothing here")
    return _installation_changed(fields, InstallationChange(action))


def _installation_repositories(fields: _Fields, own: Own) -> Event | Ignored:
    del own
    return _installation_changed(fields, InstallationChange.REPOSITORIES_CHANGED)


def _installation_changed(fields: _Fields, change: InstallationChange) -> InstallationChanged:
    found = fields.inner("installation")
    account = found.inner("account").text("login", "") if "account" in found else ""
    return InstallationChanged(found.number("id"), account, change)


def _repository_changed(fields: _Fields, own: Own) -> Event | Ignored:
    del own
    action = fields.text("action")
    if action not in set(RepositoryChange):
        return Ignored(f"repository.{action}: the installation's events tell what matters")
    return RepositoryChanged(_repository(fields), RepositoryChange(action))


def _merge_group(fields: _Fields, own: Own) -> Event | Ignored:
    del own
    action = fields.text("action")
    group = fields.inner("merge_group")
    repository, head = _repository(fields), group.text("head_sha")
    if action == "checks_requested":
        return MergeGroupFormed(
            repository,
            head,
            head_ref=group.text("head_ref"),
            base_sha=group.text("base_sha"),
            base_branch=group.text("base_ref").removeprefix(BRANCH),
        )
    if action == "destroyed":
        return MergeGroupDestroyed(repository, head, fields.text("reason", "unknown"))
    return Ignored(f"merge_group.{action}: asks for nothing")


def _ping(fields: _Fields, own: Own) -> Event | Ignored:
    del own
    return Pinged(fields.number("hook_id") if "hook_id" in fields else 0)


Parser = Callable[[_Fields, Own], Event | Ignored]

_PARSERS: Final[Mapping[str, Parser]] = {
    "check_run": _check_run,
    "check_suite": _check_suite,
    "installation": _installation,
    "installation_repositories": _installation_repositories,
    "issue_comment": _issue_comment,
    "issues": _issue,
    "merge_group": _merge_group,
    "ping": _ping,
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "pull_request_review_comment": _review_comment,
    "pull_request_review_thread": _review_thread,
    "push": _push,
    "repository": _repository_changed,
    "status": _status,
}

HEARD: Final = frozenset(_PARSERS)
"""The names of GitHub's events that are listened to."""


def loads(body: bytes) -> Any:
    """The JSON of a body. Raises MalformedPayload, for whatever is no JSON."""
    try:
        return from_json(body, cache_strings="keys")
    except (ValueError, RecursionError) as fault:
        raise MalformedPayload(f"no JSON: {fault}") from None
