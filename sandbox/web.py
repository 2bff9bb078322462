"""The stage ``web_evaluation``: the probe's browser looks at the started application.

What the probe tells is read into ``WebEvaluation``, where a missing answer or one in another shape
is our fault (``ProbeFault``), and judged by ``bot.policy.web``. Pictures are emitted one by one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.domain.bounded_json import NotInShape
from bot.domain.masking import Masker
from bot.domain.plan import (
    Cause,
    HealthCheck,
    Log,
    Stage,
    StageAttachment,
    StageResult,
    StageStatus,
)
from bot.domain.web import WebEvaluation, WebPlan
from bot.policy.web import judge, reason
from sandbox.application import REQUEST_SECONDS, Application
from sandbox.probe import ProbeFault
from sandbox.probe_parts import PICTURES, Parts
from sandbox.web_comparison import COMPARISON_SECONDS, compared

STAGE = Stage.WEB_EVALUATION
LEFT_FOR_STABILITY = 20.0
"""Seconds of the whole validation that the evaluation leaves to the stage after it."""
BEYOND_SECONDS = 60.0
"""How far the last page, flow or component may go beyond the time of the whole."""
HTML = ("text/html", "application/xhtml+xml")
_KINDS = {"page": "pages", "link": "links", "component": "components", "flow": "flows"}


async def evaluate(application: Application, health: HealthCheck, plan: WebPlan) -> StageResult:
    """Look at the application; the result carries what was seen, and is skipped for no page."""
    started = await application.begin(STAGE)
    if not plan.explicit and (why := await _no_page(application, health, plan)):
        if ended := application.ended(STAGE, started):
            return ended
        return StageResult(STAGE, StageStatus.SKIPPED, why, seconds=application.since(started))
    parts = Parts()
    seconds = max(5.0, min(plan.seconds, application.runner.remaining() - LEFT_FOR_STABILITY))
    end = await application.watching(
        application.probe.ask(
            "web",
            seconds=seconds + BEYOND_SECONDS,
            parts=parts,
            port=health.port,
            pages=list(plan.pages),
            follow=plan.follow,
            flows=[it.model_dump(mode="json", exclude_none=True) for it in plan.flows],
            # What a trace has of a page can't be masked.
            traces=not any(application.runner.secrets.values()),
            total=seconds,
            page_seconds=plan.page_seconds,
        )
    )
    if end is None or (ended := application.ended(STAGE, started)):
        return application.ended(STAGE, started) or _gone(application, started)
    # Before anything is made of it that cuts its texts once more.
    seen = read_evaluation(parts, end).masked(Masker(application.runner.secrets).mask_cut)
    for file in parts.files.values():
        attachment = StageAttachment(STAGE, file.name, file.media_type, file.content)
        await application.runner.emit(attachment)
    comparison = await compared(
        application.probe,
        application.runner.emit,
        plan.base,
        seen,
        parts.files,
        min(COMPARISON_SECONDS, application.runner.remaining() - LEFT_FOR_STABILITY),
    )
    return replace(_judged(application, started, seen, plan), comparison=comparison)


def read_evaluation(parts: Parts, end: Mapping[str, Any]) -> WebEvaluation:
    """What a probe has told, typed. Raises ProbeFault where anything of it is not as agreed."""
    told: dict[str, Any] = {name: end.get(name) for name in ("left_out", "browser", "seconds")}
    told |= {name: [] for name in _KINDS.values()}
    sizes: dict[str, Mapping[str, Any]] = {}
    for part in parts.data:
        kind = part.get("part")
        if kind == "picture":
            sizes[str(part.get("name"))] = part
        elif isinstance(kind, str) and kind in _KINDS:
            told[_KINDS[kind]].append({**part, **_frames(part)})
        else:
            raise ProbeFault("the probe box told a part of the evaluation that is not known")
    told["pictures"] = [
        {
            "name": file.name,
            "media_type": file.media_type,
            "size": len(file.content),
            "sha256": hashlib.sha256(file.content).hexdigest(),
            "width": sizes.get(file.name, {}).get("width", 0),
            "height": sizes.get(file.name, {}).get("height", 0),
        }
        for file in parts.files.values()
        if file.media_type in PICTURES
    ]
    try:
        seen = WebEvaluation.from_json(told)
    except NotInShape as fault:
        raise ProbeFault(f"the probe box told an evaluation in another shape: {fault}") from None
    if not seen.pages or not parts.whole:
        raise ProbeFault("the probe box ended the evaluation without all of its parts")
    return seen


def _frames(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part's exceptions, whose frames come as ``[url, line, column]``."""
    exceptions = part.get("exceptions")
    if not isinstance(exceptions, list):
        return {}
    return {"exceptions": [_framed(it) for it in exceptions]}


def _framed(thrown: Any) -> Any:
    if not isinstance(thrown, Mapping) or not isinstance(thrown.get("frames"), list):
        return thrown
    names = ("url", "line", "column")
    frames = [
        dict(zip(names, it, strict=False)) if isinstance(it, list) else it
        for it in thrown["frames"]
    ]
    return {**thrown, "frames": frames}


async def _no_page(application: Application, health: HealthCheck, plan: WebPlan) -> str:
    """Why there is nothing to look at: the first page is none. Empty where there is a page."""
    path = plan.pages[0] if plan.pages else "/"
    answer = await application.watching(
        application.probe.ask(
            "health",
            seconds=REQUEST_SECONDS,
            port=health.port,
            path=path,
            timeout=REQUEST_SECONDS,
            request_timeout=REQUEST_SECONDS,
            patience=0.0,
        )
    )
    if answer is None:
        return "the application ended"
    kind = str(answer.get("content_type", "")).partition(";")[0].strip().lower()
    status = answer.get("status")
    if status in (401, 403, 404, 405, 406, 410, 426):
        return f"no web page: {path} answers {status}"
    if isinstance(status, int) and status < 300 and kind not in HTML:
        return f"no web page: {path} answers with {kind or 'no content type'}"
    return ""


def _judged(
    application: Application, started: float, seen: WebEvaluation, plan: WebPlan
) -> StageResult:
    judgement = judge(seen, plan)
    return StageResult(
        STAGE,
        StageStatus.PASSED if judgement.passed else StageStatus.FAILED,
        reason(seen, judgement),
        None if judgement.passed else Cause.BROKEN_PAGE,
        seconds=application.since(started),
        log=Log() if judgement.passed else application.log,
        evaluation=seen,
        faults=judgement.gates,
        advice=judgement.advice,
    )


def _gone(application: Application, started: float) -> StageResult:
    """The result where the application's end interrupted the evaluation, and nobody knows why."""
    return StageResult(
        STAGE,
        StageStatus.FAILED,
        "the application ended while it was looked at",
        Cause.CRASHED,
        seconds=application.since(started),
        log=application.log,
    )
