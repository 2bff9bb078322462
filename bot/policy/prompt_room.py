"""How much of a prompt's other texts there is room for beside a failure: the whole is bounded.

What is cut says so. Texts are made plain first, since that can make them longer.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain.agent_runs import AgentRun
from bot.policy.failure_report import cut
from bot.ports.renderer import FailureView, PromptView, Said

LONGEST_GOAL = 5_000
LONGEST_MESSAGES = 5_000
LONGEST_TITLE = 300
LONGEST_BODY = 3_000
LONGEST_COMMENTS = 4_000
LONGEST_COMMENT = 1_500
LONGEST_CONVENTIONS = 3_000
LONGEST_FOLLOW_UP = 12_000
"""Of the words beside a failure in a follow-up."""


def beside(view: PromptView, failure: FailureView) -> PromptView:
    """The view with a failure in it, and with as much of its other texts as there is room for."""
    issue = view.issue
    comments = _newest(view)
    return replace(
        view,
        run=_cut_run(view.run),
        issue=replace(
            issue, title=cut(issue.title, LONGEST_TITLE), body=cut(issue.body, LONGEST_BODY)
        ),
        comments=comments,
        left_out=view.left_out + len(view.comments) - len(comments),
        conventions=(
            (view.conventions[0], cut(view.conventions[1], LONGEST_CONVENTIONS))
            if view.conventions
            else None
        ),
        failure=failure,
    )


def _newest(view: PromptView) -> list[Said]:
    kept: list[Said] = []
    room = LONGEST_COMMENTS
    for comment in reversed(view.comments):
        said = Said(comment.login, cut(comment.text, LONGEST_COMMENT))
        room -= len(said.text)
        if room < 0:
            break
        kept.insert(0, said)
    return kept


def _cut_run(run: AgentRun) -> AgentRun:
    """The newest messages have the most room."""
    room, messages = LONGEST_MESSAGES, list(run.messages)
    for index in reversed(range(len(messages))):
        text = cut(messages[index].text, room)
        room = max(0, room - len(text))
        messages[index] = replace(messages[index], text=text)
    request = replace(run.request, goal=cut(run.request.goal, LONGEST_GOAL))
    return replace(run, request=request, messages=tuple(messages))
