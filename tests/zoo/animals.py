"""The zoo: small applications with one planted fault each, or none, and what must be told of them.

An animal is a folder of ``apps``: ``app/`` is the application, ``base/`` (where the fault is one of
the change) the files as they were before it, and ``expected.yml`` what a good engineer would say:

    fault: one sentence; ``faultless`` in its place for an application that has none
    verdict: failed, or passed where the fault is advice by design
    stage: the stage that tells of it; ``stages`` for a faultless one: those that must have passed
    class: whose failure it is
    at: file:line of the finding that comes first; empty where a browser finds no line
    names: what the report must name: a path, a selector, a step, a port, a variable
    secrets: those that the repository's owner has stored; the code is then trusted
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bot.domain.plan import Stage
from bot.domain.validations import FailureClass, Verdict

APPS = Path(__file__).resolve().parent / "apps"
_NOT_PASSED = frozenset({"failed", "timed_out", "error"})


class Kind(StrEnum):
    """What is planted."""

    FAULT = "fault"
    ADVICE = "advice"
    FAULTLESS = "faultless"


@dataclass(frozen=True)
class Animal:
    """One application, and what must be told of it."""

    name: str
    kind: Kind
    what: str
    verdict: Verdict
    stage: Stage | None = None
    failure_class: FailureClass | None = None
    at: str = ""
    names: tuple[str, ...] = ()
    stages: frozenset[Stage] = frozenset()
    secrets: Mapping[str, str] | None = None

    @property
    def app(self) -> Path:
        """The application's folder."""
        return APPS / self.name / "app"

    @property
    def base(self) -> Path | None:
        """The files as they were before the change; None where the fault is no change."""
        folder = APPS / self.name / "base"
        return folder if folder.is_dir() else None

    @property
    def place(self) -> str:
        """Where the fault is, in short."""
        return self.at or next(iter(self.names), "")


@dataclass(frozen=True)
class Told:
    """What a validation said. ``stage`` is None where nothing was told.

    ``misses`` says in which points that is not what was to be told.
    """

    stage: Stage | None
    place: str
    reason: str
    seconds: float
    misses: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether it is what a good engineer would say."""
        return not self.misses


def animals(names: Iterable[str] = ()) -> tuple[Animal, ...]:
    """Those of these names, or all, by name."""
    wanted = set(names)
    folders = sorted(it for it in APPS.iterdir() if not wanted or it.name in wanted)
    missing = wanted - {it.name for it in folders}
    if missing:
        raise ValueError(f"no such application: {', '.join(sorted(missing))}")
    return tuple(_load(it) for it in folders)


@cache
def _load(folder: Path) -> Animal:
    given: dict[str, Any] = yaml.safe_load((folder / "expected.yml").read_text())
    verdict = Verdict(given.pop("verdict"))
    faultless = given.pop("faultless", "")
    stage = given.pop("stage", None)
    failure_class = given.pop("class", None)
    kind = Kind.FAULT if verdict is Verdict.FAILED else Kind.ADVICE
    animal = Animal(
        folder.name,
        Kind.FAULTLESS if faultless else kind,
        faultless or given.pop("fault"),
        verdict,
        Stage(stage) if stage else None,
        FailureClass(failure_class) if failure_class else None,
        given.pop("at", ""),
        tuple(given.pop("names", ())),
        frozenset(Stage(it) for it in given.pop("stages", ())),
        given.pop("secrets", None),
    )
    if given or bool(animal.stage) is bool(faultless) or bool(animal.stages) is not bool(faultless):
        raise ValueError(f"{folder.name}: {sorted(given) or 'its stage or stages'}")
    return animal


def judge(animal: Animal, result: Mapping[str, Any]) -> Told:
    """Hold a validation's public JSON against what is expected."""
    if animal.kind is Kind.FAULTLESS:
        misses = _false_alarms(animal, result)
    else:
        lacks = _found if animal.kind is Kind.FAULT else _advised
        misses = [*_common(animal, result), *lacks(animal, result)]
    stage = _stage_told(animal, result)
    place = _place_told(animal, result) if stage else ""
    reason = str(result["reason"])
    return Told(stage, place, reason, float(result["seconds"]), tuple(misses))


def _common(animal: Animal, result: Mapping[str, Any]) -> list[str]:
    misses = []
    if result["verdict"] != animal.verdict:
        misses.append(f"verdict {result['verdict']}: {result['reason']}")
    if result["class"] != animal.failure_class:
        misses.append(f"class {result['class']}, not {animal.failure_class}")
    told = _stage_told(animal, result)
    if told is not animal.stage:
        misses.append(f"stage {told}, not {animal.stage}")
    return misses


def _found(animal: Animal, result: Mapping[str, Any]) -> list[str]:
    """What a failure's report lacks."""
    said = _said(result)
    misses = [f"does not name {it}" for it in animal.names if it not in said]
    first = _first_finding(result, "failure")
    if animal.at and first != animal.at:
        misses.append(f"blames {first or 'no line'}, not {animal.at}")
    return misses


def _advised(animal: Animal, result: Mapping[str, Any]) -> list[str]:
    """What the advice of a passed validation lacks."""
    said = "\n".join(it for stage in result["stages"] for it in stage["advice"])
    misses = [f"no advice names {it}" for it in animal.names if it not in said]
    first = _first_finding(result, "warning")
    if animal.at and first != animal.at:
        misses.append(f"advice at {first or 'no line'}, not {animal.at}")
    return misses


def _false_alarms(animal: Animal, result: Mapping[str, Any]) -> list[str]:
    """What is told of an application that has no fault, and what was not looked at."""
    alarms = [] if result["verdict"] == animal.verdict else [f"alarm: {result['reason']}"]
    alarms += [f"remark: {it}" for stage in result["stages"] for it in stage["advice"]]
    alarms += [f"finding: {it['message']}" for it in result["findings"]]
    passed = {it["name"] for it in result["stages"] if it["status"] == "passed"}
    alarms += [f"{it} did not run" for it in animal.stages if it.value not in passed]
    return alarms


def _said(result: Mapping[str, Any]) -> str:
    """What a report says before its logs: the reasons, the rule's evidence, findings and notes."""
    rule = result["class_rule"] or {"sentence": "", "evidence": ""}
    bad = [it for it in result["stages"] if it["status"] in _NOT_PASSED]
    return "\n".join(
        [
            result["reason"],
            *(it["reason"] for it in bad),
            *(fault for it in bad for fault in it["faults"]),
            *(advice for it in bad for advice in it["advice"]),
            rule["sentence"],
            rule["evidence"],
            result["what_to_do"],
            *(it["message"] for it in result["findings"]),
            *result["notes"],
        ]
    )


def _stage_told(animal: Animal, result: Mapping[str, Any]) -> Stage | None:
    """The stage that did not pass; of a passed validation the first one with advice."""
    stages = result["stages"]
    bad = next((it for it in stages if it["status"] in _NOT_PASSED), None)
    if bad is None and animal.kind is not Kind.FAULT:
        bad = next((it for it in stages if it["advice"]), None)
    return Stage(bad["name"]) if bad else None


def _place_told(animal: Animal, result: Mapping[str, Any]) -> str:
    """The first finding's line, or what was to be named and is."""
    level = "warning" if animal.kind is Kind.ADVICE else "failure"
    if animal.at or not animal.names:
        return _first_finding(result, level)
    said = _said(result) + "\n".join(it for stage in result["stages"] for it in stage["advice"])
    return next((it for it in animal.names if it in said), "")


def _first_finding(result: Mapping[str, Any], level: str) -> str:
    found = next((it for it in result["findings"] if it["level"] == level), None)
    if found is None:
        return ""
    return f"{found['file']}:{found['line']}" if found["line"] else str(found["file"])
