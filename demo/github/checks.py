"""Check runs with GitHub's own limits, in its own words where they are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo.github.merging_state import AppState
from demo.github.state import CheckRunState, State, iso, now

LARGEST_TEXT = 65_535
LONGEST_TITLE = 255
MOST_ANNOTATIONS = 50
MOST_ACTIONS = 3
ACTION_LENGTHS = {"label": 20, "description": 40, "identifier": 20}
CONCLUSIONS = frozenset(
    ["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"]
)
STATUSES = frozenset({"queued", "in_progress", "completed"})
LEVELS = frozenset({"notice", "warning", "failure"})


class Invalid(Exception):
    """422: which field, and why."""


def create(
    state: State, repository_id: int, told: Mapping[str, Any], app: AppState | None = None
) -> CheckRunState:
    """Make a check run of the App under test, or another. Raises Invalid."""
    name = _text(told, "name")
    _check(told)
    run = CheckRunState(
        id=next(state.ids),
        repository_id=repository_id,
        name=name,
        head_sha=_text(told, "head_sha"),
        external_id=str(told.get("external_id", "")),
        status="queued",
        started_at=iso(now()) or "",
        app=app,
    )
    _apply(run, told)
    state.check_runs[run.id] = run
    return run


def update(run: CheckRunState, told: Mapping[str, Any]) -> None:
    """Change a check run. Raises Invalid."""
    _check(told)
    wanted = told.get("status", "completed" if told.get("conclusion") else run.status)
    if run.status == "completed" and wanted != "completed":
        raise Invalid("status: a completed check run can't be opened again")
    _apply(run, told)


def _apply(run: CheckRunState, told: Mapping[str, Any]) -> None:
    run.external_id = str(told.get("external_id", run.external_id))
    run.details_url = str(told.get("details_url", run.details_url))
    run.started_at = str(told.get("started_at", run.started_at))
    if told.get("conclusion"):
        run.status, run.conclusion = "completed", str(told["conclusion"])
        run.completed_at = str(told.get("completed_at") or iso(now()))
    elif "status" in told:
        run.status = str(told["status"])
    output = told.get("output")
    if output is not None:
        run.title, run.summary = str(output["title"]), str(output["summary"])
        run.text = output.get("text", run.text)
        run.annotations += output.get("annotations", [])
    run.actions = list(told.get("actions", run.actions))
    stand = f"{run.status}/{run.conclusion}" if run.conclusion else run.status
    run.history.append(f"{stand}: {run.title}")
    if run.text and run.text not in run.texts[-1:]:
        run.texts.append(run.text)
    if (buttons := tuple(it["identifier"] for it in run.actions)) not in run.buttons[-1:]:
        run.buttons.append(buttons)


def _check(told: Mapping[str, Any]) -> None:
    if told.get("status", "queued") not in STATUSES:
        raise Invalid("status: is none")
    if told.get("conclusion") not in {None, *CONCLUSIONS}:
        raise Invalid("conclusion: is none")
    if told.get("status") == "completed" and not told.get("conclusion"):
        raise Invalid("conclusion: is missing")
    url = told.get("details_url", "http://")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise Invalid("details_url: must use http or https")
    _check_actions(told.get("actions", []))
    if "output" in told:
        _check_output(told["output"])


def _check_output(output: Mapping[str, Any]) -> None:
    if len(_text(output, "title")) > LONGEST_TITLE:
        raise Invalid(f"output.title: is longer than {LONGEST_TITLE}")
    for name in ("summary", "text"):
        text = _text(output, name) if name == "summary" or name in output else ""
        if len(text.encode()) > LARGEST_TEXT:
            raise Invalid(f"output.{name}: Only {LARGEST_TEXT} characters are allowed")
    annotations = output.get("annotations", [])
    if len(annotations) > MOST_ANNOTATIONS:
        raise Invalid(f"output.annotations: No more than {MOST_ANNOTATIONS} items are allowed")
    for it in annotations:
        start, end = it.get("start_line"), it.get("end_line")
        if not it.get("path") or not isinstance(start, int) or not isinstance(end, int):
            raise Invalid("output.annotations: path, start_line and end_line are needed")
        if ("start_column" in it or "end_column" in it) and start != end:
            raise Invalid("output.annotations: columns need equal lines")
        if it.get("annotation_level") not in LEVELS or not it.get("message"):
            raise Invalid("output.annotations: annotation_level and message are needed")


def _check_actions(actions: Any) -> None:
    if len(actions) > MOST_ACTIONS:
        raise Invalid(f"actions: No more than {MOST_ACTIONS} items are allowed")
    for action in actions:
        for name, longest in ACTION_LENGTHS.items():
            if not 0 < len(_text(action, name)) <= longest:
                raise Invalid(f"actions.{name}: is longer than {longest}")


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise Invalid(f"{name}: is missing")
    return value
