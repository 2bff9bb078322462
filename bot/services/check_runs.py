"""``CheckRuns``: brings GitHub's check run of a validation to what its record says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from weakref import WeakValueDictionary

from bot.domain.check_runs import CheckView
from bot.domain.problems import TryAgain
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.validation_records import ValidationRecord
from bot.log import get_logger
from bot.policy.check_view import check_view
from bot.ports.clock import Clock
from bot.ports.github import GitHub
from bot.ports.records import PullRequests, Unreadable, Validations
from bot.ports.renderer import Renderer

MOST_ROUNDS = 5
"""How often the record may move on while its check run is being written."""
INTENTION = timedelta(minutes=1)
"""How long an intention to make a check run stands while nothing is heard of it."""

DetailsUrl = Callable[[ValidationRecord], str]

log = get_logger()


class CheckRuns:
    """Publishes; writes nothing of a record but which check run is its own."""

    def __init__(
        self,
        validations: Validations,
        pull_requests: PullRequests,
        github: GitHub,
        renderer: Renderer,
        details_url: DetailsUrl,
        clock: Clock,
        *,
        has_agent: bool,
    ) -> None:
        self._validations = validations
        self._pull_requests = pull_requests
        self._github = github
        self._renderer = renderer
        self._details_url = details_url
        self._clock = clock
        self._has_agent = has_agent
        # A lock lives as long as somebody holds it or waits for it.
        self._one_at_a_time: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def publish(self, validation_id: str, by: str) -> str:
        """Have the check run show the record as it is; makes it where there is none.

        ``by`` names who does it, such that a second try of the same one is known: an inbox key.
        """
        lock = self._one_at_a_time.setdefault(validation_id, asyncio.Lock())
        async with lock:
            return await self._publish(validation_id, by)

    async def refresh(self, validation_id: str) -> None:
        """Show the record as it is where it has a check run already."""
        record = await self._validations.get(validation_id)
        if record is not None and record.check_run_id is not None:
            await self.publish(validation_id, "")

    async def _publish(self, validation_id: str, by: str) -> str:
        shown: CheckView | None = None
        for _ in range(MOST_ROUNDS):
            record = await self._validations.get(validation_id)
            if record is None:
                return "no such validation"
            view = await self._view(record)
            if shown is not None and replace(view, annotations=shown.annotations) == shown:
                break
            if record.check_run_id is None:
                made = await self._find_or_make(record, view, by)
                await self._validations.change(
                    record.id, {"check_run_id": made}, unless_ended=False
                )
            else:
                await self._github.update_check_run(
                    record.order.repository, record.check_run_id, view
                )
            shown = view
            if view.conclusion is not None and not record.check_concluded:
                await self._validations.change(
                    record.id, {"check_concluded": True}, unless_ended=False
                )
        assert shown is not None
        return f"{shown.conclusion or shown.status}: {shown.title}"

    async def _view(self, record: ValidationRecord) -> CheckView:
        """The record, its pull request's buttons, and what keeps that from being merged."""
        url, course = self._details_url(record), await self._course(record)
        text = self._renderer.check_text(record, course, url)
        return check_view(record, url, course, text=text, has_agent=self._has_agent)

    async def _course(self, record: ValidationRecord) -> PullRequestRecord | None:
        """What is kept of its pull request; of the first one, where two share a head."""
        if not record.pull_requests:
            return None
        try:
            return await self._pull_requests.get(record.order.repository, min(record.pull_requests))
        except Unreadable as fault:
            log.warning("a check run without its pull request", reason=str(fault))
            return None

    async def _find_or_make(self, record: ValidationRecord, view: CheckView, by: str) -> int:
        """What was begun before is looked up; making it twice would leave one for ever queued."""
        begun = bool(record.check_intended_by)
        now = self._clock.now()
        if not await self._validations.intend_check(record.id, by, now, now - INTENTION):
            raise TryAgain("its check run is being made by somebody else", after=5.0)
        repository = record.order.repository
        if begun:
            for known in await self._github.find_check_runs(repository, view.head_sha):
                if known.external_id == record.id:
                    await self._github.update_check_run(repository, known.id, view)
                    return known.id
        return (await self._github.create_check_run(repository, view)).id
