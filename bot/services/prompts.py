"""``Prompts``: what the agent is told of a run, gathered when it is started."""

from __future__ import annotations

import base64
import re
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from bot.domain.agent_runs import AgentRun
from bot.domain.comments import Comment
from bot.domain.conversations import Issue
from bot.domain.problems import UserProblem
from bot.domain.repositories import Repository
from bot.ports.github import GitHub
from bot.ports.renderer import Prompt, PromptView, Renderer, Said

CONVENTIONS = ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md", ".github/CONTRIBUTING.md")
"""The repository's own words for who works on it; the first that exists."""
LONGEST_CONVENTIONS = 8_000
LONGEST_BODY = 20_000
LONGEST_COMMENT = 4_000
MOST_COMMENTS = 30
MOST_IMAGES = 5
LARGEST_IMAGES = 10 * 1024 * 1024
_IMAGE = re.compile(
    r"""(?:!\[[^\]\n]{0,200}\]\(|<img[^>\n]{0,200}?\bsrc=["'])(https?://[^\s)"'<>]{1,500})"""
)


class Prompts:
    """Reads the issue or pull request as it is now. What it says is data, and fenced as such."""

    def __init__(self, github: GitHub, renderer: Renderer) -> None:
        self._github = github
        self._renderer = renderer

    async def of(self, run: AgentRun) -> Prompt:
        """The prompt of a run's first round, with the messages that came before it began."""
        request = run.request
        repository, number = request.repository, request.number
        issue = await self._github.issue(repository, number)
        if not issue.is_open:
            raise UserProblem("It was closed while the run waited.", "Reopen it, then ask again.")
        issue = replace(issue, body=issue.body[:LONGEST_BODY])
        shown, left_out = await self._comments(repository, number)
        said = [Said(it.author, it.body[:LONGEST_COMMENT]) for it in shown]
        conventions = await self._conventions(repository)
        images = await self._images(request.goal, issue, shown)
        view = PromptView(
            run=run,
            issue=issue,
            comments=said,
            fence=_fence(
                request.goal,
                issue.title,
                issue.body,
                *(it.text for it in said),
                *(it.text for it in run.messages),
                *(conventions or ()),
            ),
            conventions=conventions,
            left_out=left_out,
            images=len(images),
        )
        return Prompt(self._renderer.prompt(view), images)

    async def _comments(self, repository: Repository, number: int) -> tuple[list[Comment], int]:
        """The newest of the conversation, without the bot's own; and how many came before them."""
        own, count = await self._github.own_login(), 0
        newest: deque[Comment] = deque(maxlen=MOST_COMMENTS)
        async for comment in self._github.comments(repository, number):
            if comment.author != own:
                newest.append(comment)
                count += 1
        return list(newest), count - len(newest)

    async def _conventions(self, repository: Repository) -> tuple[str, str] | None:
        for path in CONVENTIONS:
            file = await self._github.read_file(repository, path, "")
            if file is not None:
                text = file.content.decode(errors="replace")
                return path, text[:LONGEST_CONVENTIONS]
        return None

    async def _images(
        self, goal: str, issue: Issue, comments: Sequence[Comment]
    ) -> tuple[str, ...]:
        """The newest pictures that are told of, as data URIs; the goal's own come first."""
        said = (it.body[:LONGEST_COMMENT] for it in reversed(comments))
        urls = dict.fromkeys(u for text in (goal, *said, issue.body) for u in _IMAGE.findall(text))
        found: list[str] = []
        room = LARGEST_IMAGES
        for url in list(urls)[:MOST_IMAGES]:
            image = await self._github.image(url)
            if image is None or len(image.content) > room:
                continue
            room -= len(image.content)
            content = base64.b64encode(image.content).decode()
            found.append(f"data:{image.media_type};base64,{content}")
        return tuple(found)


def _fence(*texts: str) -> str:
    """A word that nobody could have written."""
    while True:
        word = secrets.token_hex(8)
        if not any(word in text for text in texts):
            return word
