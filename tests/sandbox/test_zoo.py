"""The zoo: of each small application what is told is what a good engineer would say.

The whole of it is one tour; ``python -m benchmarks.zoo --told .state/zoo.json`` makes the table in
``docs/performance.md`` of what it left.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks.tables import PAGE
from benchmarks.zoo import Tour, confusion, visited
from bot.domain.plan import Stage
from tests.zoo.animals import Animal, Kind, animals, judge

TOLD = PAGE.parent.parent / ".state" / "zoo.json"
QUICK = (
    "allotment-society",
    "dies-of-a-timer",
    "health-path-that-moved",
    "menu-that-breaks-on-a-phone",
    "price-rounded-down",
    "secret-without-a-value",
    "total-of-a-missing-field",
)
"""A handful that installs nothing and waits for nothing: half a minute in all."""


def _report(made: Tour) -> str:
    return "told wrongly:\n" + "\n".join(made.wrong)


@pytest.mark.engine
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("docker_host")
async def test_a_handful_of_the_zoo_is_told_right() -> None:
    made = await visited(animals(QUICK))
    assert not made.wrong, _report(made)


@pytest.mark.engine
@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("docker_host")
async def test_all_of_the_zoo_is_told_right() -> None:
    made = await visited(animals())
    made.save(TOLD)
    assert not made.wrong, _report(made)
    assert str(confusion(Tour.load(TOLD))) == str(confusion(made))


# ── the zoo itself, without an engine ────────────────────────────────────────────────────────


def test_the_zoo_has_faults_of_every_stage_and_applications_without_any() -> None:
    kinds = Counter(it.kind for it in animals())
    assert kinds[Kind.FAULT] >= 25
    assert kinds[Kind.FAULTLESS] >= 5
    planted = {it.stage for it in animals() if it.kind is Kind.FAULT}
    assert planted == set(Stage) - {Stage.RETRIEVE, Stage.ANALYSIS}


@pytest.mark.parametrize("animal", animals(), ids=lambda it: it.name)
def test_an_application_is_whole_and_small(animal: Animal) -> None:
    files = [it for it in animal.app.rglob("*") if it.is_file()]
    assert 1 < len(files) < 15
    assert sum(it.stat().st_size for it in files) < 20_000
    file, _, line = animal.at.partition(":")
    if file:
        assert 0 < int(line or 1) <= len((animal.app / file).read_text().splitlines())
    assert animal.kind is Kind.FAULTLESS or animal.names or animal.at


(BROKEN,) = animals(["menu-that-breaks-on-a-phone"])
(ADVISED,) = animals(["button-that-throws-when-pressed"])
(FAULTLESS,) = animals(["allotment-society"])


def _result(**more: Any) -> dict[str, Any]:
    stages: list[dict[str, Any]] = [
        {"name": it.value, "status": "passed", "reason": "", "faults": [], "advice": []}
        for it in Stage
    ]
    return {
        "verdict": "passed",
        "reason": "all passed",
        "class": None,
        "class_rule": None,
        "what_to_do": "",
        "findings": [],
        "notes": [],
        "seconds": 1.0,
        "stages": stages,
    } | more


def _failed(stage: Stage, file: str, line: int, reason: str) -> dict[str, Any]:
    result = _result(verdict="failed", reason=reason)
    result["class"] = "code"
    finding = {"file": file, "line": line, "level": "failure", "message": ""}
    for it in result["stages"]:
        if it["name"] == stage:
            it["status"] = "failed"
    return result | {"findings": [finding]}


REASON = "`/`: uncaught exception: TypeError (`/menu.js:5:10`)"


def test_what_is_told_right_is_right() -> None:
    found = _failed(Stage.WEB_EVALUATION, "public/menu.js", 5, REASON)
    told = judge(BROKEN, found)
    assert (told.misses, told.stage, told.place) == ((), Stage.WEB_EVALUATION, "public/menu.js:5")
    advised = _result(
        findings=[{"file": "public/dice.js", "line": 3, "level": "warning", "message": ""}]
    )
    advised["stages"][7]["advice"] = ["/: button “Roll” (`#roll`) breaks: TypeError"]
    assert judge(ADVISED, advised).right
    assert judge(FAULTLESS, _result()).right


@pytest.mark.parametrize(
    ("animal", "result", "miss"),
    [
        (BROKEN, _result(), "verdict passed"),
        (BROKEN, _failed(Stage.HEALTH, "public/menu.js", 5, REASON), "stage health, not web"),
        (BROKEN, _failed(Stage.WEB_EVALUATION, "public/menu.js", 6, REASON), "blames public/menu"),
        (BROKEN, _failed(Stage.WEB_EVALUATION, "public/menu.js", 5, "`/`"), "does not name"),
        (BROKEN, {**_failed(Stage.WEB_EVALUATION, "a", 5, REASON), "class": None}, "class None"),
        (ADVISED, _result(), "no advice names button"),
        (ADVISED, _failed(Stage.WEB_EVALUATION, "public/dice.js", 3, ""), "verdict failed"),
        (FAULTLESS, _failed(Stage.HEALTH, "a", 1, "no"), "alarm: no"),
        (FAULTLESS, _result(stages=[]), "did not run"),
    ],
)
def test_what_is_told_wrongly_is_seen(animal: Animal, result: dict[str, Any], miss: str) -> None:
    assert any(it.startswith(miss) or miss in it for it in judge(animal, result).misses)
