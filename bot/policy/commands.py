"""What follows from the commands of a comment: who may, what is done, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic_core import to_json

from bot.domain.agent_runs import AgentRun
from bot.domain.commands import COMMANDS, Command, Mistake, Verb
from bot.domain.comments import (
    FAILED,
    Answer,
    CommentKind,
    Configured,
    Done,
    Explained,
    Help,
    Impossible,
    Mistaken,
    NotThereYet,
    Reaction,
    Refused,
    Standing,
)
from bot.domain.config_parser import ParsedConfig, Source
from bot.domain.effects import Decision, Effect, LeaveEvent, React, Reply
from bot.domain.events import CommandsGiven, PullRequestTouched, ValidationAsked
from bot.domain.merging import Explanation
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import Permission, PullRequest
from bot.domain.validation_records import ValidationRecord
from bot.policy import agent_requests, pull_request_commands, requests
from bot.policy.budgets import spent
from bot.policy.detect import Detected
from bot.policy.effective import effective

NO_PULL_REQUEST = "this is an issue, not a pull request"
CLOSED = "the pull request is closed"
UNSEEN_MEND = (
    "An owner accepts the permissions that the App asks for; its operator sees them by "
    "`python app.py doctor`."
)
SPOKEN = frozenset({Verb.MERGE, Verb.OVERRIDE})
"""Commands about a pull request whose answer says more than a reaction can."""


@dataclass(frozen=True)
class CommandFacts:
    """What is known where a command was given.

    ``pull_request`` is None for an issue; ``of_head`` are the validations of its head, oldest
    first; ``unended`` those that it still waits for; ``author_permission`` is asked for forks only.
    ``runs``, ``asked_today`` and ``has_agent`` are as in ``agent_requests.Place``. ``record`` is
    what is kept of the pull request; ``explanation`` why it is not merged, and ``overridable`` the
    criteria that can be, where a command wants to know (see ``wants_explanation``); ``unseen`` says
    why that could not be found out.
    """

    event: CommandsGiven
    permission: Permission
    parsed: ParsedConfig
    now: datetime
    path: str = ""
    runs: Sequence[AgentRun] = ()
    asked_today: Sequence[datetime] = ()
    has_agent: bool = False
    pull_request: PullRequest | None = None
    of_head: Sequence[ValidationRecord] = ()
    unended: Sequence[ValidationRecord] = ()
    author_permission: Permission = Permission.NONE
    record: PullRequestRecord | None = None
    explanation: Explanation | None = None
    overridable: Sequence[str] = ()
    unseen: str = ""

    def asked(self, ordinal: int) -> pull_request_commands.Asked | None:
        """What is known for the commands about a pull request; None for an issue."""
        event, pull = self.event, self.pull_request
        if pull is None or self.record is None:
            return None
        return pull_request_commands.Asked(
            repository=event.repository,
            pull_request=pull,
            sender=event.sender,
            id=event.comment.named("wish", ordinal),
            now=self.now,
            of_head=self.of_head,
            record=self.record,
            has_agent=self.has_agent,
            explanation=self.explanation,
            overridable=self.overridable,
        )

    @property
    def place(self) -> agent_requests.Place:
        """What is known for the agent's commands."""
        event, pull = self.event, self.pull_request
        return agent_requests.Place(
            repository=event.repository,
            comment=event.comment,
            sender=event.sender,
            config=self.parsed.config,
            now=self.now,
            is_open=pull.is_open if pull else event.is_open,
            pull_request=pull,
            place=event.place,
            runs=self.runs,
            asked_today=self.asked_today,
            has_agent=self.has_agent,
            record=self.record,
        )


@dataclass
class _Told:
    """What comes together, command after command. ``quiet`` is said by reactions where it can."""

    answers: list[Answer] = field(default_factory=list)
    quiet: list[Answer] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    allowed: int = 0
    runs: int = 0

    def take(self, verb: Verb, wanted: agent_requests.Wanted | Impossible) -> None:
        """Take what a command for the agent comes to."""
        if isinstance(wanted, Impossible):
            self.answers.append(wanted)
        else:
            self.effects += wanted.effects
            self.quiet.append(Done(verb, wanted.sentence))


def least(verb: Verb, config: RepoConfig) -> Permission:
    """Who may give a command in a repository."""
    said = config.commands.get(verb.value)
    return COMMANDS[verb].least if said is None else Permission(said)


def wants_explanation(event: CommandsGiven) -> bool:
    """Whether a command of it has to know why the pull request is not merged."""
    verbs = {Verb.EXPLAIN, Verb.MERGE, Verb.OVERRIDE}
    return any(isinstance(it, Command) and it.verb in verbs for it in event.commands)


def decide(facts: CommandFacts) -> Decision:
    """React, do and answer; done in the order in which it was asked for."""
    event = facts.event
    # A review's verdict is news, whatever it says.
    look = PullRequestTouched(event.repository, event.comment.number)
    looks = (LeaveEvent(look),) if event.comment.kind is CommentKind.REVIEW else ()
    if not event.commands:
        return Decision("there is no command of ours in it", looks)
    told = _Told()
    for ordinal, command in enumerate(event.commands):
        if isinstance(command, Mistake):
            told.answers.append(Mistaken(command))
        else:
            _one(command, facts, told, ordinal)
    effects: list[Effect] = []
    if told.allowed:
        effects.append(React(event.repository, event.comment, Reaction.SEEN))
    effects += told.effects
    answers = list(told.answers)
    if event.comment.kind is CommentKind.REVIEW:
        answers += told.quiet
    if answers:
        effects.append(Reply(event.repository, event.comment, event.sender.login, tuple(answers)))
    failed = [it for it in told.answers if isinstance(it, FAILED)]
    last = Reaction.CONFUSED if failed else Reaction.DONE
    effects.append(React(event.repository, event.comment, last))
    said = ", ".join(
        "a slip" if isinstance(it, Mistake) else it.verb.value for it in event.commands
    )
    outcome = f"{len(failed)} not done" if failed else "done"
    return Decision(f"{event.sender.login} says {said}: {outcome}", (*effects, *looks))


def _one(command: Command, facts: CommandFacts, told: _Told, ordinal: int) -> None:
    needed = least(command.verb, facts.parsed.config)
    if not facts.permission.allows(needed):
        told.answers.append(
            Refused(command.verb, facts.event.sender.login, facts.permission, needed)
        )
        return
    told.allowed += 1
    match command.verb:
        case Verb.HELP:
            config = facts.parsed.config
            told.answers.append(Help({verb: least(verb, config) for verb in Verb}))
        case Verb.STATUS:
            told.answers.append(_standing(facts))
        case Verb.CONFIG:
            told.answers.append(configured(facts.parsed, facts.path))
        case Verb.CANCEL:
            _cancel(command, facts, told)
        case Verb.VALIDATE | Verb.TRUST:
            _validate(command, facts, told, ordinal)
        case Verb.RUN | Verb.PLAN:
            asked = (*facts.asked_today, *[facts.now] * told.runs)
            place = replace(facts.place, asked_today=asked)
            told.take(command.verb, agent_requests.request(command, place, ordinal))
            told.runs += 1
        case Verb.APPROVE | Verb.RESUME:
            goes_on = agent_requests.go_on(command, facts.place, ordinal)
            told.take(command.verb, goes_on)
        case Verb.FIX | Verb.HOLD | Verb.UNHOLD | Verb.MERGE | Verb.OVERRIDE | Verb.EXPLAIN:
            _of_pull_request(command, facts, told, ordinal)
        case _:
            told.answers.append(NotThereYet(command.verb))


def _of_pull_request(command: Command, facts: CommandFacts, told: _Told, ordinal: int) -> None:
    asked = facts.asked(ordinal)
    if asked is None:
        told.answers.append(Impossible(command.verb, NO_PULL_REQUEST))
    elif facts.unseen and command.verb in (Verb.EXPLAIN, Verb.OVERRIDE, Verb.MERGE):
        why = f"what a merge hangs on can't be seen: {facts.unseen}"
        told.answers.append(Impossible(command.verb, why, UNSEEN_MEND))
    elif command.verb is Verb.EXPLAIN:
        assert asked.explanation is not None, "whoever gathers asks wants_explanation"
        told.answers.append(Explained(asked.explanation))
    else:
        wanted = pull_request_commands.decide(command, asked)
        told.take(command.verb, wanted)
        if command.verb in SPOKEN and not isinstance(wanted, Impossible):
            told.answers.append(told.quiet.pop())


def _standing(facts: CommandFacts) -> Standing:
    pull = facts.pull_request
    newest = facts.of_head[-1].id if facts.of_head else None
    return Standing(
        pull.head_sha if pull else "",
        newest,
        tuple(run.id for run in facts.runs),
        spent(facts.parsed.config, facts.runs, facts.record, facts.asked_today, facts.now),
    )


def configured(parsed: ParsedConfig, path: str) -> Configured:
    """The effective configuration as it is told."""
    settings = effective(parsed, Detected()).values()
    return Configured(
        path,
        tuple(problem.sentence for problem in parsed.problems),
        tuple(
            (it.key, _shown(it.value), it.origin or it.source.value)
            for it in settings
            if it.source is not Source.DEFAULT
        ),
        tuple(
            (it.key, _shown(it.value))
            for it in settings
            if it.source is Source.DEFAULT and it.value is not None
        ),
    )


def _shown(value: object) -> str:
    return to_json(value).decode()


def _cancel(command: Command, facts: CommandFacts, told: _Told) -> None:
    reason = f"{facts.event.sender.login} cancelled it"
    validations = requests.cancel(facts.unended, reason).effects
    runs = agent_requests.cancel(command, facts.place)
    told.effects += (*validations, *runs)
    if validations or runs:
        banned = " The agent is banned from here." if command.kill and runs else ""
        told.quiet.append(Done(Verb.CANCEL, f"What was running here is cancelled.{banned}"))
    else:
        told.answers.append(Done(Verb.CANCEL, "Nothing was running here."))


def _validate(command: Command, facts: CommandFacts, told: _Told, ordinal: int) -> None:
    """Have the head validated: ``trust`` names the commit of a fork that it is about."""
    impossible = _why_not(command, facts)
    pull = facts.pull_request
    if impossible is not None or pull is None:
        told.answers.append(impossible or Impossible(command.verb, NO_PULL_REQUEST))
        return
    event = facts.event
    wish = ValidationAsked(event.repository, pull.number, pull.head_sha, event.sender)
    told.effects.append(LeaveEvent(wish, once=event.comment.named("validation", ordinal)))
    told.quiet.append(Done(command.verb, f"`{pull.head_sha[:12]}` is being validated."))


def _why_not(command: Command, facts: CommandFacts) -> Impossible | None:
    verb, pull = command.verb, facts.pull_request
    if pull is None:
        return Impossible(verb, NO_PULL_REQUEST)
    if not pull.is_open:
        return Impossible(verb, CLOSED, "Reopen it, and its head is validated.")
    is_fork = pull.head_repository_id != facts.event.repository.id
    head = pull.head_sha
    if verb is Verb.TRUST and not is_fork:
        return Impossible(
            verb, "its branch is in this repository", "Write `/codegen validate` to run it again."
        )
    if verb is Verb.TRUST and not head.startswith(command.name):
        return Impossible(
            verb,
            f"`{command.name[:12]}` is not the head of this pull request",
            f"Look at what changed, then write `/codegen trust {head[:12]}`.",
        )
    if verb is Verb.VALIDATE and is_fork and not _is_trusted(facts):
        return Impossible(
            verb,
            "this commit comes from a fork, and nobody has let it run yet",
            f"Look at what it does, then write `/codegen trust {head[:12]}`.",
        )
    return None


def _is_trusted(facts: CommandFacts) -> bool:
    """Whether the head may run already: no command may trust a commit that it does not name."""
    always = facts.parsed.config.validation.run_on.forks == "always"
    asked = any(it.order.asked_by is not None for it in facts.of_head)
    return always or asked or facts.author_permission.allows(Permission.WRITE)
