"""``Prompts``: what the agent is told of a run, gathered when it is started or sent a message."""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.domain.agent_runs import AgentRun
from bot.domain.comments import Comment
from bot.domain.conversations import Issue
from bot.domain.log_text import plain
from bot.domain.problems import UserProblem
from bot.domain.repositories import Repository
from bot.policy import agent_words as words
from bot.policy.prompt_room import LONGEST_FOLLOW_UP, beside
from bot.ports.github import GitHub
from bot.ports.renderer import FailureView, Prompt, PromptView, Renderer, Said
from bot.services.failure_prompts import FailurePrompts, Gathered, data_uri

CONVENTIONS = ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md", ".github/CONTRIBUTING.md")
"""The repository's own words for who works on it; the first that exists."""
LONGEST_CONVENTIONS = 8_000
LONGEST_BODY = 20_000
LONGEST_COMMENT = 4_000
MOST_COMMENTS = 30
MOST_IMAGES = 5
LARGEST_IMAGES = 10 * 1024 * 1024
NO_FAILURE = Gathered(FailureView(0))
_IMAGE = re.compile(
    r"""(?:!\[[^\]\n]{0,200}\]\(|<img[^>\n]{0,200}?\bsrc=["'])(https?://[^\s)"'<>]{1,500})"""
)


class Prompts:
    """Reads the issue or pull request as it is now. What it says is data, and fenced as such."""

    def __init__(self, github: GitHub, renderer: Renderer, failures: FailurePrompts) -> None:
        self._github = github
        self._renderer = renderer
        self._failures = failures

    async def of(self, run: AgentRun) -> Prompt:
        """The prompt of a run's first round, with the messages that came before it began."""
        repository, number = run.request.repository, run.request.number
        issue = await self._github.issue(repository, number)
        if not issue.is_open:
            raise UserProblem("It was closed while the run waited.", "Reopen it, then ask again.")
        issue = replace(issue, body=issue.body[:LONGEST_BODY])
        shown, left_out = await self._comments(repository, number)
        failed = [it for it in (run.request.failure, *(m.failure for m in run.messages)) if it]
        gathered = await self._failures.of(run, failed[-1]) if failed else NO_FAILURE
        images = await self._images(run.request.goal, issue, shown, gathered)
        view = PromptView(
            run=run,
            issue=issue,
            comments=[Said(it.author, it.body[:LONGEST_COMMENT]) for it in shown],
            fence="",
            conventions=await self._conventions(repository),
            left_out=left_out,
            images=len(images),
        )
        view = beside(view, gathered.view) if failed else view
        view = replace(view, fence=_fence(*_texts_of(view)))
        return Prompt(self._renderer.prompt(view), (*gathered.images, *images))

    async def follow_up(self, run: AgentRun) -> Prompt:
        """What a run that the agent has is sent; of several failures the newest one counts."""
        failed = [it for it in run.pending if it.failure]
        if not failed:
            return Prompt(words.follow_up(run))
        newest = failed[-1]
        hint = Said(newest.login, newest.text) if newest.text.strip() else None
        gathered = await self._failures.of(run, newest.failure, hint)
        fence = _fence(*_texts_of_failure(gathered.view), *(it.text for it in run.pending))
        told = {newest.id: self._renderer.failure(gathered.view, fence)}
        return Prompt(words.follow_up(run, told, most=LONGEST_FOLLOW_UP), gathered.images)

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
        self, goal: str, issue: Issue, comments: Sequence[Comment], gathered: Gathered
    ) -> tuple[str, ...]:
        """The newest pictures that are told of, as data URIs; the goal's own come first.

        They have the room that a failure's leave.
        """
        said = (it.body[:LONGEST_COMMENT] for it in reversed(comments))
        urls = dict.fromkeys(u for text in (goal, *said, issue.body) for u in _IMAGE.findall(text))
        found: list[str] = []
        room = LARGEST_IMAGES - gathered.size
        for url in list(urls)[: MOST_IMAGES - len(gathered.images)]:
            image = await self._github.image(url)
            if image is None or len(image.content) > room:
                continue
            room -= len(image.content)
            found.append(data_uri(image.media_type, image.content))
        return tuple(found)


def _texts_of(view: PromptView) -> Iterator[str]:
    """All that stands in a prompt and that somebody else wrote."""
    yield from (view.run.request.goal, view.issue.title, view.issue.body)
    yield from (it.text for it in view.comments)
    yield from (it.text for it in view.run.messages)
    yield from view.conventions or ()
    if view.failure is not None:
        yield from _texts_of_failure(view.failure)


def _texts_of_failure(view: FailureView) -> Iterator[str]:
    yield from (it.text for it in view.pieces)
    yield from (view.branch, view.hint.text if view.hint else "")


def _fence(*texts: str) -> str:
    """A word that nobody could have written, nor hidden behind what no reader sees."""
    shown = (*texts, *map(plain, texts))
    while True:
        word = secrets.token_hex(8)
        if not any(word in text for text in shown):
            return word
