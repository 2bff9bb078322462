"""``ValidationPipeline``: from where code comes from to a verdict with its evidence.

The order is always the same: retrieve the tree, read its configuration, plan, prepare, run,
judge, clean up. Whatever happens on the way, one result comes out, and nothing stays behind.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.domain.analysis import AnalysisContext, Screenshot
from bot.domain.config_parser import ParsedConfig, parse
from bot.domain.plan import (
    Cause,
    Plan,
    Stage,
    StageFinished,
    StageNote,
    StageResult,
    StageStarted,
    StageStatus,
)
from bot.domain.repo_config import CONFIG_PATHS, RepoConfig
from bot.domain.validations import (
    Validation,
    ValidationResult,
    ValidationStatus,
)
from bot.policy.analysis import attach
from bot.policy.code_analysis import judge as judge_code
from bot.policy.code_analysis import readable
from bot.policy.config_change import changes
from bot.policy.detect import detect, interesting
from bot.policy.matchers import Matcher, parse_matchers
from bot.policy.plan import NO_BASE, NO_CODE, for_the_browser, make_plan
from bot.ports.clock import Clock
from bot.ports.explorer import Explore
from bot.ports.sandbox import Emit, Environment, Sandbox, SandboxUnavailable, StageEnded
from bot.ports.source import Source, SourceProblem, Tree
from bot.services.analysis import Analyst
from bot.services.exploring import Explorations
from bot.services.validation_course import Course, ValidationRequest
from bot.services.validation_outcome import judged

WORTH_KEEPING_SECONDS = 2.0
"""An install that is quicker than this is not worth a snapshot."""

CLEAN_UP_SECONDS = 3.0
"""How long a clean-up goes on for somebody who does not want to wait for it."""

KEEPING = "keeping the installed dependencies for the next time (Ctrl-C skips)"

Tell = Callable[[ValidationResult], Awaitable[None]]


class ValidationPipeline:
    """The use case of validating one commit; see the product's interface for its four verbs."""

    def __init__(
        self,
        source: Source,
        sandbox: Sandbox,
        clock: Clock,
        analyst: Analyst | None = None,
        explorations: Explorations | None = None,
    ) -> None:
        self._source = source
        self._sandbox = sandbox
        self._clock = clock
        self._analyst = analyst
        self._explorations = explorations

    async def trigger_validation(
        self, request: ValidationRequest, emit: Emit, tell: Tell | None = None
    ) -> ValidationResult:
        """Validate, and clean up; never raises for what the code, the engine or the user does.

        ``tell`` gets the result as soon as it is known; a snapshot is made after that. Cancelling
        the caller's task gives a result with the verdict ``cancelled``.
        """
        environment_id = request.environment_id or str(uuid.uuid4())
        validation = Validation(environment_id, head_sha="", created_at=self._clock.now())
        course = Course(validation, request, emit, self._clock)
        try:
            await self._validate(course, tell)
        except SourceProblem as problem:
            await self._source_fault(course, problem)
        except asyncio.CancelledError:
            await self._cancel(course)
        return await self._conclude(course, tell)

    async def create_snapshot(
        self, environment_id: str, plan: Plan, tree: Tree, request: ValidationRequest, emit: Emit
    ) -> Environment:
        """Make the environment: the tree in a box, everything installed, the network cut."""
        return await self._sandbox.open(
            environment_id,
            plan,
            tree,
            request.secrets,
            emit,
            scope=request.scope,
            kept=request.kept,
        )

    async def run_validation(
        self, environment: Environment, explore: Explore | None = None
    ) -> None:
        """Run the plan's stages in an environment. Raises StageEnded where one did not pass."""
        await self._sandbox.run(environment, explore)

    async def cleanup_environment(self, environment_id: str) -> None:
        """Remove all that an environment has; it may have been removed before."""
        await self._sandbox.close(environment_id)

    async def _validate(self, course: Course, tell: Tell | None) -> None:
        course.go(ValidationStatus.RETRIEVING)
        started = asyncio.get_running_loop().time()
        await course.take(StageStarted(Stage.RETRIEVE, "", self._clock.now().timestamp()))
        async with self._source.open(course.request.origin) as tree:
            await self._retrieved(course, tree, asyncio.get_running_loop().time() - started)
            try:
                await self._in_boxes(course, tree)
            except StageEnded:
                pass  # it has emitted its result, and the verdict is made of those
            except asyncio.CancelledError:
                await self._cancel(course)
            await self._conclude(course, tell)
            await self._keep_snapshot(course, tree)

    async def _retrieved(self, course: Course, tree: Tree, seconds: float) -> None:
        course.validation = replace(course.validation, head_sha=tree.head_sha)
        course.notes.extend(tree.notes)
        course.paths = frozenset(entry.path for entry in tree.entries)
        course.plan = await self._plan(course, tree)
        course.notes.extend(course.plan.notes)
        if course.plan.wants(Stage.RETRIEVE):
            reason = f"{len(course.paths)} files of {tree.head_sha[:12]}"
            result = StageResult(Stage.RETRIEVE, StageStatus.PASSED, reason, seconds=seconds)
            await course.take(StageFinished(result))

    async def _plan(self, course: Course, tree: Tree) -> Plan:
        parsed = ParsedConfig()
        for path in CONFIG_PATHS:
            if path in course.paths and (content := await tree.read(path)) is not None:
                parsed = parse(content.decode("utf-8-sig", errors="replace"), path)
                break
        files = {
            path: content.decode("utf-8", errors="replace")
            for path in interesting(course.paths)
            if (content := await tree.read(path)) is not None
        }
        course.files = files
        request = course.request
        if request.config is not None:
            course.notes.extend(changes(request.config, parsed))
            parsed = request.config
        course.matchers = await self._matchers(course, parsed.config, tree)
        course.missing_secrets = {
            name: steps
            for name, steps in parsed.config.deployment.secrets.items()
            if not request.trusted or name not in request.secrets
        }
        plan = make_plan(
            parsed,
            detect(files, course.paths),
            trusted=request.trusted,
            given_secrets=frozenset(request.secrets),
            maximum_timeout_minutes=request.maximum_timeout_minutes,
            stop_after=request.stop_after,
            no_code_analysis=_no_code_analysis(course),
        )
        if plan.web is not None:
            plan = replace(plan, web=replace(plan.web, base=request.web_base))
        return for_the_browser(plan) if request.for_the_browser else plan

    async def _matchers(
        self, course: Course, config: RepoConfig, tree: Tree
    ) -> tuple[Matcher, ...]:
        """The project's own problem matchers; what is wrong with them becomes a note."""
        found: list[Matcher] = []
        for path in config.validation.problem_matchers:
            content = await tree.read(path)
            if content is None:
                course.notes.append(f"`{path}` of `validation.problem_matchers` is not there")
                continue
            matchers, problems = parse_matchers(content.decode(errors="replace"), path)
            found += matchers
            course.notes += problems
        return tuple(found)

    async def _in_boxes(self, course: Course, tree: Tree) -> None:
        if not course.plan.steps:
            return
        course.go(ValidationStatus.PREPARING)
        course.has_boxes = True
        try:
            course.environment = await self.create_snapshot(
                course.validation.id, course.plan, tree, course.request, course.take
            )
            course.go(ValidationStatus.RUNNING)
            explore = self._explorations.of(course) if self._explorations else None
            await self.run_validation(course.environment, explore)
            await self._analyse_code(course, tree)
        except SandboxUnavailable as fault:
            course.fault = str(fault)
            await self._break_off(course, Cause.INFRASTRUCTURE, course.fault)
        finally:
            if not course.request.kept:
                await self._clean_up(course)

    async def _analyse_code(self, course: Course, tree: Tree) -> None:
        """Hold the code against its base's; what can't be done here is no fault of the change."""
        plan, request, stage = course.plan, course.request, Stage.CODE_ANALYSIS
        if stage in plan.skipped or not plan.wants(stage) or request.base_sha is None:
            return
        await course.take(StageStarted(stage, "", self._clock.now().timestamp()))
        origin = replace(request.origin, ref=request.base_sha)
        try:
            async with self._source.open(origin) as base:
                name = course.validation.id
                found = await self._sandbox.analyse(name, tree, base, course.take)
        except (SourceProblem, SandboxUnavailable) as fault:
            said = f"it could not be done: {fault}"
            await course.take(StageFinished(StageResult(stage, StageStatus.SKIPPED, said)))
            return
        course.code = judge_code(found, plan.required_checks)
        course.notes += course.code.notes
        await course.take(StageFinished(course.code.result))

    async def _clean_up(self, course: Course) -> None:
        """Clean up even while being cancelled; what the engine keeps is for the next sweep."""
        cleaning = asyncio.ensure_future(self.cleanup_environment(course.validation.id))
        cleaning.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            await asyncio.shield(cleaning)
        except asyncio.CancelledError:
            await asyncio.wait({cleaning}, timeout=CLEAN_UP_SECONDS)
            raise
        except SandboxUnavailable as fault:
            course.notes.append(f"not everything could be removed yet: {fault}")

    async def _keep_snapshot(self, course: Course, tree: Tree) -> None:
        install = next((it for it in course.stages if it.stage is Stage.INSTALL), None)
        worth = install is not None and install.status is StageStatus.PASSED
        if install is None or not worth or install.seconds < WORTH_KEEPING_SECONDS:
            return
        environment = course.environment
        if environment is None or environment.snapshot_hit or not environment.snapshot_key:
            return
        if course.fault or course.cancelled:
            return
        try:
            await course.emit(StageNote(Stage.INSTALL, KEEPING))
            await self._sandbox.keep_snapshot(environment, tree)
        except (SandboxUnavailable, SourceProblem):
            return  # a snapshot is a convenience; the next validation installs once more
        except asyncio.CancelledError:
            _carry_on()  # whoever does not want to wait for it has their verdict all the same

    async def _source_fault(self, course: Course, problem: SourceProblem) -> None:
        cause = Cause.INFRASTRUCTURE if problem.ours else Cause.SOURCE
        result = StageResult(Stage.RETRIEVE, StageStatus.ERROR, problem.message, cause)
        await course.take(StageFinished(result))

    async def _cancel(self, course: Course) -> None:
        course.cancelled = True
        _carry_on()
        await self._break_off(course, Cause.CANCELLED, "cancelled while it ran")

    async def _break_off(self, course: Course, cause: Cause, reason: str) -> None:
        """End the stage that is under way, if any, for a reason that is not its own."""
        if (begun := course.under_way) is None:
            return
        seconds = self._clock.now().timestamp() - begun.at
        result = StageResult(
            begun.stage, StageStatus.ERROR, reason, cause, begun.command, seconds=max(0.0, seconds)
        )
        await course.take(StageFinished(result))

    async def _conclude(self, course: Course, tell: Tell | None) -> ValidationResult:
        """Judge and tell, once: whatever happens after that changes no verdict."""
        if course.result is None:
            course.result = judged(course)
        if not course.is_told:
            analyst = None if course.request.for_the_browser else self._analyst
            if analyst is not None and not course.cancelled:
                course.result = await self._analysed(course, course.result, analyst)
            course.is_told = True
            if tell is not None:
                await tell(course.result)
        return course.result

    async def _analysed(
        self, course: Course, result: ValidationResult, analyst: Analyst
    ) -> ValidationResult:
        """The result with what a model says of it: nothing of that changes what was decided."""
        request = course.request
        outcome = await analyst.analyse(
            result,
            AnalysisContext(
                title=request.change.title,
                commit_messages=request.change.commit_messages,
                hunks=request.change.hunks,
                screenshots=tuple(
                    Screenshot(it.stage.value, it.name, it.media_type, it.content)
                    for it in course.attachments
                ),
                paths=course.paths,
                secrets=request.secrets,
            ),
        )
        return replace(attach(result, outcome), analysis=outcome)


def _no_code_analysis(course: Course) -> str:
    """Why the code is not analysed; empty where it is."""
    if course.request.base_sha is None:
        return NO_BASE
    return "" if readable(course.paths) else NO_CODE


def _carry_on() -> None:
    """Take back the cancellation of this task: it has been heard."""
    if task := asyncio.current_task():
        while task.uncancel():
            pass
