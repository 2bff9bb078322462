"""``Prompts``: what the agent is told of a run, gathered when it is started."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence

from bot.domain.agent_runs import AgentRun
from bot.domain.comments import Comment
from bot.domain.conversations import Issue
from bot.domain.repositories import Repository
from bot.ports.github import GitHub
from bot.ports.renderer import Prompt, PromptView, Renderer, Said

CONVENTIONS = ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md", ".github/CONTRIBUTING.md")
"""The repository's own words for who works on it; the first that exists."""
LONGEST_CONVENTIONS = 8_000
LONGEST_BODY = 20_000
LONGEST_COMMENT = 4_000
MOST_COMMENTS = 30
MOST_READ = 1_000
MOST_IMAGES = 5
_IMAGE = re.compile(r"""(?:!\[[^\]\n]*\]\(|<img[^>\n]*?\bsrc=["'])(https?://[^\s)"'<>]+)""")


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
        comments = await self._comments(repository, number)
        shown = comments[-MOST_COMMENTS:]
        said = [Said(it.author, it.body[:LONGEST_COMMENT]) for it in shown]
        images = await self._images(request.goal, issue, shown)
        view = PromptView(
            run=run,
            issue=issue,
            comments=said,
            fence=_fence(run, issue, said),
            conventions=await self._conventions(repository),
            left_out=len(comments) - len(shown),
            images=len(images),
        )
        return Prompt(self._renderer.prompt(view), images)

    async def _comments(self, repository: Repository, number: int) -> Sequence[Comment]:
        """The conversation, without what the bot itself said in it."""
        own = await self._github.own_login()
        found: list[Comment] = []
        async for comment in self._github.comments(repository, number):
            if comment.author != own:
                found.append(comment)
            if len(found) >= MOST_READ:
                break
        return found

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
        texts = (goal, *(it.body for it in reversed(comments)), issue.body)
        urls = dict.fromkeys(url for text in texts for url in _IMAGE.findall(text))
        found = [await self._github.image(url) for url in list(urls)[:MOST_IMAGES]]
        return tuple(
            f"data:{it.media_type};base64,{base64.b64encode(it.content).decode()}"
            for it in found
            if it is not None
        )


def _fence(run: AgentRun, issue: Issue, said: Sequence[Said]) -> str:
    """A word that nobody could have written."""
    texts = (run.request.goal, issue.title, issue.body, *(it.text for it in said))
    while True:
        word = secrets.token_hex(8)
        if not any(word in text for text in texts):
            return word
