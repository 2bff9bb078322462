"""Our own validation and other Apps' checks as criteria: tables of facts and how they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.check_runs import CHECK_NAME
from bot.domain.merging import CommitCheck, RequiredCheck
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import FailureClass, ValidationStatus, Verdict
from bot.policy.merge import criteria
from bot.policy.merge_checks import OWN_NAMES
from tests.policy.merges import (
    ACTIONS,
    OLD_HEAD,
    OWN_APP,
    RED,
    RUNNING,
    check,
    facts,
    named,
    required,
    validated,
)
from tests.policy.places import HEAD, REPOSITORY

OTHER_REPOSITORY = replace(validated().order, repository=replace(REPOSITORY, id=8))


@pytest.mark.parametrize(
    ("of_head", "state", "value", "mend"),
    [
        pytest.param([validated()], "met", "Passed", "", id="green"),
        pytest.param([RED, validated()], "met", "Passed", "", id="the newest one counts"),
        pytest.param(
            [validated(), RED], "unmet", "npm run build", "/codegen fix", id="green, then red"
        ),
        pytest.param([validated(), RUNNING], "waiting", "it is running", "", id="validated again"),
        pytest.param(
            [replace(RUNNING, status=ValidationStatus.REQUESTED)],
            "waiting",
            "it is queued",
            "ended",
            id="queued",
        ),
        pytest.param([], "waiting", "not validated yet", "by itself", id="none"),
        pytest.param(
            [validated(OLD_HEAD)], "waiting", "not validated yet", "", id="of another commit"
        ),
        pytest.param(
            [validated(order=OTHER_REPOSITORY)],
            "waiting",
            "not validated yet",
            "",
            id="of another repository",
        ),
        pytest.param(
            [validated(), validated(OLD_HEAD, verdict=Verdict.FAILED)],
            "met",
            "Passed",
            "",
            id="one of another commit does not hide it",
        ),
        pytest.param(
            [validated(verdict=Verdict.NEUTRAL, title="Neutral: nothing to run")],
            "unmet",
            "nothing to run",
            "/codegen validate",
            id="neutral is not green",
        ),
        pytest.param(
            [validated(status=ValidationStatus.CANCELLED, verdict=Verdict.CANCELLED, title="")],
            "unmet",
            "it ended as cancelled",
            "/codegen validate",
            id="cancelled",
        ),
        pytest.param(
            [validated(status=ValidationStatus.ERROR, verdict=Verdict.ERROR, title="", reason="r")],
            "unmet",
            "r",
            "/codegen validate",
            id="our own fault",
        ),
        pytest.param(
            [validated(status=ValidationStatus.ERROR)],
            "unmet",
            "Passed",
            "",
            id="a verdict without the end that belongs to it",
        ),
        pytest.param(
            [validated(status=ValidationStatus.RUNNING)],
            "waiting",
            "it is running",
            "",
            id="a verdict before its end",
        ),
        pytest.param(
            [
                validated(
                    verdict=Verdict.NEUTRAL,
                    title="a fork",
                    failure_class=FailureClass.UNTRUSTED_FORK,
                )
            ],
            "unmet",
            "a fork",
            f"/codegen trust {HEAD[:12]}",
            id="a fork's that nobody trusts",
        ),
    ],
)
def test_validation(of_head: list[ValidationRecord], state: str, value: str, mend: str) -> None:
    found = named(facts(of_head=of_head), "validation")
    assert found.state == state
    assert value in found.value
    assert mend in found.mend
    assert found.holds or found.mend, "it says what would change it"


def test_a_check_of_our_name_by_somebody_else_is_no_validation() -> None:
    forged = (check(CHECK_NAME), check(CHECK_NAME, app_id=None, required=True))
    found = facts(of_head=(), situation={"checks": forged})
    assert named(found, "validation").state == "waiting"


@pytest.mark.parametrize(
    ("outcome", "strictly", "by_github", "value"),
    [
        pytest.param("success", "met", "met", "it succeeded", id="success"),
        pytest.param(
            "neutral", "unmet", "met", "it was neutral; it has to have succeeded", id="neutral"
        ),
        pytest.param(
            "skipped", "unmet", "met", "it was skipped; it has to have run", id="skipped"
        ),
        pytest.param("pending", "waiting", "waiting", "it is pending", id="pending"),
        pytest.param("failure", "unmet", "unmet", "it failed", id="failure"),
        pytest.param("cancelled", "unmet", "unmet", "it was cancelled", id="cancelled"),
        pytest.param("timed_out", "unmet", "unmet", "it ran out of time", id="timed out"),
        pytest.param(
            "action_required",
            "unmet",
            "unmet",
            "it waits for somebody's action",
            id="action required",
        ),
        pytest.param(
            "stale", "unmet", "unmet", "GitHub gave it up: it had not ended within 14 days",
            id="stale",
        ),
    ],
)  # fmt: skip
def test_every_outcome_of_a_required_check(
    outcome: str, strictly: str, by_github: str, value: str
) -> None:
    there = {"checks": (check("lint", outcome),)}
    ours = named(facts(situation=there, validation={"required_checks": ["lint"]}), "lint")
    theirs = named(facts(situation=there, rules={"checks": (required("lint"),)}), "lint")
    told = named(facts(situation={"checks": (check("lint", outcome, required=True),)}), "lint")
    assert (ours.state, theirs.state, told.state) == (strictly, by_github, by_github)
    assert ours.value == value
    assert theirs.value == told.value == value.partition(";")[0]
    assert (ours.source, theirs.source, told.source) == (
        "`validation.required_checks`",
        "ruleset `main`",
        "GitHub's rules",
    )
    for found in (ours, theirs, told):
        assert found.holds or found.mend
    assert ours.holds or "/codegen override lint REASON…" in ours.mend
    assert "/codegen override" not in theirs.mend + told.mend


STATUS = check("lint", app_id=None)
EVIL = check("lint", app_id=666, app_slug="evil")


@pytest.mark.parametrize(
    ("rule", "checks", "state", "value"),
    [
        pytest.param(required("lint"), [], "waiting", "has not reported", id="missing"),
        pytest.param(required("lint"), [check("test")], "waiting", "not reported", id="another"),
        pytest.param(
            required("lint"), [EVIL], "unmet",
            "from the App `evil`, not from the App with id 15368",
            id="another App's",
        ),
        pytest.param(
            required("lint"),
            [EVIL, check("test")],
            "unmet",
            "from the App `evil`, not from the App `github-actions`",
            id="another App's, and the name of the expected one is known",
        ),
        pytest.param(
            required("lint"), [STATUS], "unmet", "anybody who may push can write a status",
            id="a status in its place",
        ),
        pytest.param(
            required("lint"), [replace(STATUS, required=True)], "unmet", "a commit status",
            id="a status that GitHub marks as required does not stand for the App's check",
        ),
        pytest.param(
            required("lint"), [check("lint"), replace(EVIL, outcome=check("x", "failure").outcome)],
            "met", "it succeeded",
            id="another App's failure beside the expected one's success",
        ),
        pytest.param(
            required("lint"), [check("lint", "failure"), EVIL, STATUS], "unmet", "it failed",
            id="another App's success beside the expected one's failure",
        ),
        pytest.param(
            required("lint"), [check("lint"), check("lint", "failure", None, required=True)],
            "unmet", "it failed",
            id="what GitHub requires beside it has to be there too",
        ),
        pytest.param(
            required("lint", None), [STATUS], "met", "it succeeded", id="any App: a status will do"
        ),
        pytest.param(
            required("lint", None), [STATUS, check("lint", "failure")], "unmet", "it failed",
            id="any App: the worst of them counts",
        ),
        pytest.param(
            required("lint", None), [STATUS, check("lint", "pending")], "waiting", "it is pending",
            id="any App: one is not ready",
        ),
        pytest.param(
            required("lint", None),
            [check("lint", "skipped"), check("lint", "cancelled", 5), check("lint", "pending", 6)],
            "unmet", "it was cancelled",
            id="any App: a bad one outweighs a pending one",
        ),
        pytest.param(
            required(CHECK_NAME, 666), [], "waiting", "has not reported",
            id="our name, but of another App: it is not ours",
        ),
    ],
)  # fmt: skip
def test_from_the_expected_app(
    rule: RequiredCheck, checks: list[CommitCheck], state: str, value: str
) -> None:
    found = named(facts(situation={"checks": tuple(checks)}, rules={"checks": (rule,)}), rule.name)
    assert found.state == state
    assert value in found.value


def names(**changes: Any) -> list[str]:
    """The names of those criteria that are other people's checks."""
    return [it.name for it in criteria(facts(**changes)) if it.name not in OWN_NAMES]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        pytest.param({}, [], id="the stages of our own validation are none"),
        pytest.param(
            {"validation": {"required_checks": ["tests_pass", "lint"]}}, ["lint"], id="configured"
        ),
        pytest.param(
            {
                "validation": {"required_checks": ["lint"]},
                "rules": {"checks": (required("lint"), required("test"), required("lint"))},
                "situation": {"checks": tuple(check(it, required=True) for it in ("lint", "doc"))},
            },
            ["lint", "test", "doc"],
            id="told by several, each is there once",
        ),
        pytest.param(
            {"rules": {"checks": tuple(required("lint", it) for it in (1, 2, None))}},
            ["lint (the App with id 1)", "lint (the App with id 2)"],
            id="of two Apps, and no App means either",
        ),
        pytest.param(
            {
                "validation": {"required_checks": [CHECK_NAME]},
                "rules": {"checks": (required(CHECK_NAME, OWN_APP), required(CHECK_NAME, None))},
                "situation": {"checks": (check(CHECK_NAME, app_id=OWN_APP, required=True),)},
            },
            [],
            id="ours never waits for itself",
        ),
        pytest.param(
            {
                "validation": {"required_checks": ["hold"]},
                "rules": {"checks": (required("title"),)},
            },
            ["check:hold", "check:title"],
            id="named as one of our own criteria",
        ),
        pytest.param({"situation": {"checks": (check("lint"),)}}, [], id="not required"),
    ],
)  # fmt: skip
def test_which_checks_are_required(changes: dict[str, Any], wanted: list[str]) -> None:
    assert names(**changes) == wanted


def test_configured_and_ruled_the_stricter_word_counts_from_the_expected_app() -> None:
    asked: dict[str, Any] = {
        "validation": {"required_checks": ["lint"]},
        "rules": {"checks": (required("lint"), required("lint", source="branch protection"))},
    }
    skipped = named(facts(situation={"checks": (check("lint", "skipped"),)}, **asked), "lint")
    assert skipped.state == "unmet"
    assert skipped.source == "`validation.required_checks`, ruleset `main` and branch protection"
    assert named(facts(situation={"checks": (STATUS,)}, **asked), "lint").state == "unmet"
    assert check("lint").app_id == ACTIONS


def test_the_names_of_all_criteria_are_known_to_be_taken() -> None:
    several: list[dict[str, Any]] = [
        {
            "rules": {"conversations": True},
            "validation": {"require_up_to_date": True},
        },
        {"pull": {"is_open": False}},
        {"situation": {"in_merge_queue": True}},
    ]
    told = {it.name for changes in several for it in criteria(facts(**changes))}
    assert told == OWN_NAMES - {"github_rules"}
