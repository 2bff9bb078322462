"""What people are told of an agent that refuses, is away, or has too much to do."""

from __future__ import annotations

from typing import assert_never

from bot.ports.coding_agent import AgentFault, AgentProblem

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
BOUNDED = "The agent takes a bounded number of new runs a minute"


def sentence(problem: AgentProblem) -> str:
    """A refusal, with its mend."""
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
