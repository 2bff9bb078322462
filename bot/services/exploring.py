"""``Explorations``: has a model explore the started application by the configuration's task.

It is the last thing that is done to an application. Whatever happens, an ``Exploration`` comes of
it that says how far it came and why it ended.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bot.domain.exploring import (
    Action,
    ActionKind,
    Exploration,
    ExploredStep,
    ExplorerAnswer,
    ExplorerRequest,
    ExploringPromptView,
    Observation,
    Outcome,
    Remark,
)
from bot.domain.masking import Masker
from bot.domain.plan import Stage, StageOutput
from bot.domain.problems import Limited, TryAgain
from bot.log import get_logger
from bot.policy import exploring as rules
from bot.policy.analysis import cleaned
from bot.ports.clock import Clock
from bot.ports.explorer import Explore, Explorer, ExploringPrompts, Tab, TabGone
from bot.ports.reviewer import ReviewerProblem
from bot.services.validation_course import Course

Tell = Callable[[str], Awaitable[None]]

log = get_logger()


class Explorations:
    """``explorer`` is None where there is no key: then the report says so."""

    def __init__(
        self,
        explorer: Explorer | None,
        prompts: ExploringPrompts,
        clock: Clock,
        budget: rules.ExploringBudget | None = None,
    ) -> None:
        self._explorer = explorer
        self._prompts = prompts
        self._clock = clock
        self._budget = budget or rules.ExploringBudget()

    def of(self, course: Course) -> Explore | None:
        """What explores the application of a validation; None where nothing is to be explored.

        A base is looked at for what can be compared: nobody reads what an agent says of it.
        """
        task = course.plan.web.task if course.plan.web else ""
        if not task or course.request.for_the_browser:
            return None
        explorer = self._explorer
        if explorer is None:
            course.exploration = Exploration(task, ended=rules.NO_KEY)
            return None
        course.exploration = Exploration(task, ended=rules.NOT_REACHED)

        async def explore(tab: Tab) -> None:
            course.exploration = await self._explored(explorer, course, task, tab)

        return explore

    async def _explored(
        self, explorer: Explorer, course: Course, task: str, tab: Tab
    ) -> Exploration:
        loop = asyncio.get_running_loop()
        started = loop.time()
        log_of = _Log(course)
        one = _One(
            explorer, self._prompts, self._clock, self._budget, course.request.secrets, task, tab
        )
        seconds = min(self._budget.seconds, tab.seconds)
        try:
            async with asyncio.timeout(seconds):
                ended = await one.run(log_of.say)
        except TimeoutError:
            ended = rules.used_up("seconds", seconds)
        except Exception:
            log.exception("the exploration broke")
            ended = rules.BROKEN
        await log_of.say(f"ended: {ended}" if ended else "done")
        return rules.finished(one.so_far(ended, loop.time() - started))


@dataclass
class _Log:
    """What is told of an exploration in the validation's log, while it goes on."""

    course: Course
    offset: int = 0

    async def say(self, text: str) -> None:
        line = f"exploring: {text}\n"
        await self.course.emit(StageOutput(Stage.WEB_EVALUATION, self.offset, line))
        self.offset += len(line)


class _Ended(Exception):
    """The exploration can't go on; the message is the report's."""


@dataclass
class _One:
    """One exploration under way, and what it has come to."""

    explorer: Explorer
    prompts: ExploringPrompts
    clock: Clock
    budget: rules.ExploringBudget
    secrets: Mapping[str, str]
    task: str
    tab: Tab
    steps: list[ExploredStep] = field(default_factory=list)
    findings: list[Remark] = field(default_factory=list)
    not_verified: tuple[str, ...] = ()
    outcome: Outcome | None = None
    dropped: list[str] = field(default_factory=list)
    tokens: int = 0
    model: str = ""

    def __post_init__(self) -> None:
        self._masker = Masker(self.secrets)
        # A secret in a picture can't be masked: where steps were given some, no picture leaves.
        self._pictures = not any(self.secrets.values())

    def _clean(self, text: str) -> str:
        return cleaned(text, self._masker.mask_cut)

    async def run(self, say: Tell) -> str:
        """Explore to the end; why that came before the model was done, empty where it was."""
        try:
            return await self._run(say)
        except TabGone as fault:
            log.info("an exploration ended", gone=fault.gone.value, reason=fault.message)
            return rules.gone(fault.gone)
        except _Ended as ended:
            return str(ended)

    def so_far(self, ended: str, seconds: float) -> Exploration:
        """What it has come to."""
        return Exploration(
            task=self._clean(self.task),
            steps=tuple(self.steps),
            findings=tuple(self.findings),
            not_verified=self.not_verified,
            outcome=self.outcome,
            ended=ended,
            dropped=tuple(dict.fromkeys(self.dropped)),
            seconds=seconds,
            tokens=self.tokens,
            model=self.model,
        )

    async def _run(self, say: Tell) -> str:
        seen = await self._seen(self.tab.open(), "opened the first page", "", say)
        while True:
            answer = await self._answer(seen)
            action, note = answer.proposal.action, self._take(answer)
            if action.kind is ActionKind.DONE:
                return ""
            if len(self.steps) >= self.budget.steps:
                return rules.used_up("steps", self.budget.steps)
            if self.tokens >= self.budget.tokens:
                return rules.used_up("tokens", self.budget.tokens)
            seen = await self._act(action, seen, note, say)

    def _take(self, answer: ExplorerAnswer) -> str:
        """Keep what holds of an answer's words; gives why it wants what it wants."""
        proposal = answer.proposal
        judged = rules.judge(proposal, len(self.steps), self.findings, self._clean, self.budget)
        self.findings += judged.findings
        self.not_verified = judged.not_verified or self.not_verified
        self.dropped += judged.dropped
        self.outcome = proposal.outcome if proposal.action.kind is ActionKind.DONE else None
        self.tokens += answer.tokens
        self.model = answer.model
        return judged.note

    async def _act(self, action: Action, seen: Observation, note: str, say: Tell) -> Observation:
        did = self._clean(rules.words(action, seen))
        if why := rules.refusal(action, seen):
            number = len(self.steps) + 1
            await say(f"step {number}: {did}: {why}")
            self.steps.append(ExploredStep(number, did, why, note, seen.url))
            return seen
        return await self._seen(self.tab.act(action), did, note, say)

    async def _seen(
        self, doing: Awaitable[Observation], did: str, note: str, say: Tell
    ) -> Observation:
        """See what comes of something that is done, and keep it as a step."""
        number = len(self.steps) + 1
        await say(f"step {number}: {did}")
        try:
            seen = rules.cleaned(await doing, self._clean, self.budget)
        except TabGone as fault:
            self.steps.append(ExploredStep(number, did, rules.gone(fault.gone), note))
            raise
        self.steps.append(rules.step(number, did, seen, note))
        return seen

    async def _answer(self, seen: Observation) -> ExplorerAnswer:
        """Ask, and again where a fault passes. Raises _Ended."""
        request = self._request(seen)
        for waited in range(self.budget.waits + 1):
            try:
                return await self.explorer.next(request)
            except ReviewerProblem as problem:
                log.warning("no exploration", fault=problem.fault.value, reason=problem.message)
                self.tokens += problem.tokens
                raise _Ended(rules.unanswered(problem.fault)) from None
            except TryAgain as fault:
                log.warning("the explorer is away", reason=fault.message)
                if waited == self.budget.waits or fault.after > self.budget.seconds:
                    limited = isinstance(fault, Limited)
                    raise _Ended(rules.LIMITED if limited else rules.AWAY) from None
                wait = fault.after
            await self.clock.sleep(wait)
        raise AssertionError  # the loop's last turn returns or raises

    def _request(self, seen: Observation) -> ExplorerRequest:
        shown = self._pictures and bool(seen.content)
        view = ExploringPromptView(
            fence=_fence(self._texts(seen)),
            task=self._clean(self.task),
            steps=tuple(self.steps),
            seen=seen,
            findings=tuple(self.findings),
            steps_left=max(0, self.budget.steps - len(self.steps)),
            has_picture=shown,
        )
        return ExplorerRequest(
            rules=self.prompts.exploring_rules(view),
            text=self.prompts.exploring_prompt(view),
            picture=(seen.media_type, seen.content) if shown else None,
        )

    def _texts(self, seen: Observation) -> Iterator[str]:
        """All that a prompt is made of and others wrote."""
        yield from (self.task, seen.title, seen.url, seen.said, *seen.lines, *seen.complaints)
        for it in self.steps:
            yield from (it.did, it.came, it.note, it.url, *it.complaints)
        yield from (it.text for it in self.findings)


def _fence(texts: Iterator[str]) -> str:
    """A word that nobody could have written."""
    written = "\n".join(texts)
    while (word := secrets.token_hex(8)) in written:
        pass
    return word
