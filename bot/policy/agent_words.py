"""What people are told of an agent that refuses, is away, or has too much to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from bot.domain.agent_runs import AgentRun, RunMessage
from bot.domain.problems import UserProblem
from bot.ports.coding_agent import AgentFault, AgentProblem
from bot.ports.github import GitHubProblem

UNKNOWN_START = (
    "The agent did not answer when the run was started. Whether it has begun is being looked up; "
    "it is not started twice."
)
UNKNOWN_MESSAGE = (
    "The agent did not answer when the message was sent. Whether it arrived is being looked up."
)
MESSAGE_LOST = (
    "Nobody knows whether the agent got the last message; it was not sent twice. Write "
    "`/codegen resume …` to send it again."
)
AWAY = "The agent could not be reached, several times over. Write `/codegen resume …` to try again."
NO_AGENT = "No coding agent is set up any more."
PASSING = "Something that passes is in the way; it is tried again."
OVERTAKEN = "Another validation had failed before; the newest failure is the one that counts."
LONGEST_MESSAGES = 48_000
"""Of a follow-up's own words, in characters."""
BOUNDED = "The agent takes a bounded number of new runs a minute"


def follow_up(
    run: AgentRun, told: Mapping[str, str] | None = None, *, most: int = LONGEST_MESSAGES
) -> str:
    """What the agent is sent: all that it does not have yet, and what a plan needs anew.

    ``told`` are whole texts of messages, by their ids: they stand in the place of the messages' own
    words, which have ``most`` characters in all, the newest ones first.
    """
    whole, said, room = told or {}, list[str](), most
    for message in reversed(run.pending):
        text = whole.get(message.id)
        if text is None:
            text = cut(_overtaken(message) if message.failure else message.text, room)
            room = max(0, room - len(text))
        said.insert(0, text)
    if run.wants_plan:
        said.append(
            "Answer with the whole plan again, as it is then, and change nothing yet. End your "
            f"answer with this line, exactly as it stands here:\n\n{run.plan_marker}"
        )
    return "\n\n".join(said)


def cut(text: str, most: int) -> str:
    """A text of at most ``most`` characters, and a few that say what is missing."""
    if len(text) <= most:
        return text
    return f"{text[:most]}\n… {len(text) - most:,} characters left out …".lstrip()


def _overtaken(message: RunMessage) -> str:
    """A failure that a newer one of the same run has taken the place of; a hint still holds."""
    hint = f"\n\n{message.login or 'Somebody'} adds:\n\n{message.text}" if message.text else ""
    return f"{OVERTAKEN}{hint}"


def refusal(problem: AgentProblem | GitHubProblem | UserProblem) -> str:
    """Why a run could not be started, with its mend."""
    if isinstance(problem, AgentProblem):
        return sentence(problem)
    if isinstance(problem, GitHubProblem):
        return f"GitHub does not tell what it is about: {problem.message}"
    return str(problem)


def sentence(problem: AgentProblem) -> str:
    """The agent's refusal, with its mend."""
    said = f"The agent says: {problem.message}" if problem.message else ""
    return f"{_words(problem.fault)} {said}".strip()


def _words(fault: AgentFault) -> str:
    match fault:
        case AgentFault.NOT_SET_UP:
            return (
                "The agent's organisation does not have this repository: add it there, then write "
                "the command again."
            )
        case AgentFault.UNAUTHORIZED:
            return "The agent does not take our token: the App's operator must set a valid one."
        case AgentFault.PLAN_LIMIT:
            return (
                "The agent's plan has no runs left: its organisation must extend it, then "
                "`/codegen resume …` tries again."
            )
        case AgentFault.FORBIDDEN:
            return "The agent does not allow it: our token lacks the permission there."
        case AgentFault.NOT_FOUND:
            return "The agent knows no such organisation, repository or run."
        case AgentFault.INVALID:
            return "The agent does not take what it was asked; another wording may do."
        case _:
            assert_never(fault)
