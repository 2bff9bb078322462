"""Whose failure it is: one row a rule."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.plan import Cause, Log, Plan, Stage, StageResult, StageStatus
from bot.domain.validations import FailureClass, Finding, Level
from bot.policy.classification import RULES, Classification, FailureFacts, classify
from bot.policy.validation import ValidationFacts, decide

UNSATISFIED = (
    "WARNING: Retrying after Read timed out\n"
    "ERROR: Could not find a version that satisfies the requirement x==9 (from versions: {})\n"
    "ERROR: No matching distribution found for x==9"
)
FINDING = Finding("test", "src/a.js", 3, 7, Level.FAILURE, "no")
C = FailureClass


def decided(
    stage: Stage,
    log: str = "",
    *,
    cause: Cause | None = Cause.EXIT_CODE,
    code: int | None = 1,
    reason: str = "",
    **more: Any,
) -> Classification:
    result = StageResult(stage, StageStatus.FAILED, reason, cause, exit_code=code)
    plan = Plan(trusted=more.pop("trusted", True))
    return classify(FailureFacts(plan, result, log, **more))


@pytest.mark.parametrize(
    ("stage", "log", "rule", "of"),
    [
        (Stage.INSTALL, "npm error code E503", "registry-failed", C.INFRASTRUCTURE),
        (Stage.INSTALL, "HTTP error 502 while getting x", "registry-failed", C.INFRASTRUCTURE),
        (Stage.INSTALL, "npm ERR! code ETIMEDOUT", "network-failed", C.INFRASTRUCTURE),
        (Stage.INSTALL, "npm error errno ECONNRESET", "network-failed", C.INFRASTRUCTURE),
        (Stage.INSTALL, "getaddrinfo EAI_AGAIN registry", "network-failed", C.INFRASTRUCTURE),
        (Stage.INSTALL, "dial tcp: i/o timeout", "network-failed", C.INFRASTRUCTURE),
        (Stage.INSTALL, UNSATISFIED.format("1.0, 2.0"), "version-not-there", C.DEPENDENCY),
        (Stage.INSTALL, UNSATISFIED.format("none"), "network-failed", C.INFRASTRUCTURE),
        (Stage.INSTALL, "npm error code ERESOLVE", "versions-conflict", C.DEPENDENCY),
        (Stage.INSTALL, "npm error code E404", "package-not-there", C.DEPENDENCY),
        (Stage.INSTALL, "npm error code EJSONPARSE", "manifest-broken", C.CODE),
        (Stage.INSTALL, "ERR_PNPM_OUTDATED_LOCKFILE  no", "lock-out-of-date", C.DEPENDENCY),
        (Stage.INSTALL, "missing go.sum entry for module", "lock-out-of-date", C.DEPENDENCY),
        (Stage.INSTALL, "npm error code ENOENT", "no-manifest", C.CONFIGURATION),
        (Stage.INSTALL, "something else", "install-failed", C.DEPENDENCY),
        (Stage.BUILD, 'npm error Missing script: "build"', "script-missing", C.CONFIGURATION),
        (Stage.TEST, "Error: no test specified", "script-missing", C.CONFIGURATION),
        (Stage.BUILD, "sh: 1: hugo: not found", "tool-not-found", C.CONFIGURATION),
        (
            Stage.START,
            'ERROR:    Error loading ASGI app. Attribute "app" not found in module "main".',
            "started-file-missing",
            C.CONFIGURATION,
        ),
        (
            Stage.START,
            "Failed to find attribute 'app' in 'main'.",
            "started-file-missing",
            C.CONFIGURATION,
        ),
        (Stage.TEST, "GET /a: not found", "command-failed", C.CODE),
        (
            Stage.START,
            "Error: Cannot find module '/w/a.js'",
            "started-file-missing",
            C.CONFIGURATION,
        ),
        (Stage.TEST, "NO TESTS RAN", "no-tests", C.CONFIGURATION),
        (Stage.START, "listen EADDRINUSE: :::80", "port-not-to-be-had", C.CONFIGURATION),
        (Stage.START, "listen EACCES: permission denied", "port-not-to-be-had", C.CONFIGURATION),
        (
            Stage.TEST,
            "Error: connect ECONNREFUSED 127.0.0.1:5432",
            "service-not-there",
            C.CONFIGURATION,
        ),
        (Stage.TEST, "getaddrinfo EAI_AGAIN api.io", "network-is-cut", C.CONFIGURATION),
        (
            Stage.START,
            "Error: Missing required environment variable: DATABASE_URL",
            "variable-missing",
            C.MISSING_SECRET,
        ),
        (Stage.START, "DATABASE_URL is not set", "variable-missing", C.MISSING_SECRET),
        (Stage.START, "API_KEY must be set", "variable-missing", C.MISSING_SECRET),
        (Stage.START, "  API_KEY: Required", "variable-missing", C.MISSING_SECRET),
        (
            Stage.START,
            "ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
            "variable-missing",
            C.MISSING_SECRET,
        ),
        (
            Stage.START,
            '    url = os.environ["DB"]\n  File "<frozen os>", line 679\nKeyError: \'DB\'',
            "variable-missing",
            C.MISSING_SECRET,
        ),
        (Stage.START, "    x = settings[name]\nKeyError: 'DB'", "command-failed", C.CODE),
        (Stage.TEST, "AssertionError: ID is required", "command-failed", C.CODE),
        (Stage.BUILD, "NameError: name 'MAX_SIZE' is not defined", "command-failed", C.CODE),
        (Stage.BUILD, "a.go:3:5: undefined: MAX_SIZE", "command-failed", C.CODE),
        (Stage.TEST, "Error: Cannot find module 'express'", "package-not-declared", C.DEPENDENCY),
        (Stage.TEST, "Error: Cannot find module '@a/b'", "package-not-declared", C.DEPENDENCY),
        (Stage.TEST, "Error: Cannot find module './b'", "command-failed", C.CODE),
        (
            Stage.TEST,
            "ModuleNotFoundError: No module named 'flask'",
            "package-not-declared",
            C.DEPENDENCY,
        ),
        (Stage.TEST, "", "command-failed", C.CODE),
    ],
)
def test_what_a_log_tells(stage: Stage, log: str, rule: str, of: FailureClass) -> None:
    told = decided(stage, f"before\n{log}\nafter")
    assert (told.rule, told.failure_class) == (rule, of)


@pytest.mark.parametrize(
    ("told", "rule", "of"),
    [
        (decided(Stage.TEST, passed_on_repeat=True), "passed-on-repeat", C.FLAKY),
        (decided(Stage.TEST, cause=Cause.INFRASTRUCTURE), "our-fault", C.INFRASTRUCTURE),
        (decided(Stage.INSTALL, cause=Cause.HOST_REFUSED), "host-refused", C.CONFIGURATION),
        (decided(Stage.START, cause=Cause.CONFIGURATION), "configured-wrongly", C.CONFIGURATION),
        (decided(Stage.INSTALL, cause=Cause.OUT_OF_MEMORY), "limit-reached", C.CODE),
        (
            decided(Stage.HEALTH, missing_secrets={"DB": ("start",)}, trusted=False),
            "secret-withheld-from-fork",
            C.UNTRUSTED_FORK,
        ),
        (
            decided(Stage.HEALTH, missing_secrets={"DB": ("start",)}),
            "secret-not-given",
            C.MISSING_SECRET,
        ),
        (decided(Stage.BUILD, missing_secrets={"DB": ("start",)}), "command-failed", C.CODE),
        (decided(Stage.BUILD, code=127), "command-not-found", C.CONFIGURATION),
        (decided(Stage.BUILD, code=126), "not-executable", C.CONFIGURATION),
        (decided(Stage.HEALTH, cause=Cause.PORT_CLOSED), "port-wrong", C.CONFIGURATION),
        (decided(Stage.PORTS, cause=Cause.CRASHED, code=None), "command-failed", C.CODE),
        (
            decided(Stage.HEALTH, cause=Cause.UNHEALTHY, reason="`/up` answered 404 (9 attempts)"),
            "health-path-wrong",
            C.CONFIGURATION,
        ),
        (
            decided(Stage.HEALTH, cause=Cause.UNHEALTHY, reason="`/up` answered 500 (9 attempts)"),
            "command-failed",
            C.CODE,
        ),
        (
            decided(Stage.STABILITY, cause=Cause.UNHEALTHY, reason="`/up` answered 404 (9)"),
            "command-failed",
            C.CODE,
        ),
        (decided(Stage.TEST, findings=(FINDING,)), "line-blamed", C.CODE),
        (decided(Stage.INSTALL, findings=(FINDING,)), "install-failed", C.DEPENDENCY),
        (decided(Stage.TEST, code=137), "killed", C.INCONCLUSIVE),
        (decided(Stage.TEST, code=139), "command-failed", C.CODE),
        (decided(Stage.TEST, cause=Cause.TIMEOUT, code=None), "command-failed", C.CODE),
        (decided(Stage.HEALTH, cause=Cause.UNHEALTHY, code=None), "command-failed", C.CODE),
        (decided(Stage.TEST, cause=None, code=None), "nothing-conclusive", C.INCONCLUSIVE),
        (
            decided(
                Stage.TEST,
                "ModuleNotFoundError: No module named 'shop.basket'",
                paths=frozenset({"src/shop/cart.py"}),
            ),
            "command-failed",
            C.CODE,
        ),
    ],
)
def test_what_was_measured(told: Classification, rule: str, of: FailureClass) -> None:
    assert (told.rule, told.failure_class) == (rule, of)


def test_a_classification_shows_what_it_saw() -> None:
    assert decided(Stage.TEST, findings=(FINDING,)).evidence == "src/a.js:3: no"
    assert decided(Stage.HEALTH, missing_secrets={"DB": ("start",)}).evidence == "DB"
    named = "npm error notarget No matching version found for ms@99."
    assert decided(Stage.INSTALL, f"npm error code ETARGET\n{named}").evidence == named
    long = decided(Stage.INSTALL, "npm error code ERESOLVE " + "x" * 900).evidence
    assert long.startswith("npm error code ERESOLVE")
    assert len(long) == 200


def test_every_class_has_a_rule_and_every_rule_a_name_and_a_sentence_of_its_own() -> None:
    assert {rule.failure_class for rule in RULES} == set(FailureClass)
    assert (
        len({rule.name for rule in RULES}) == len({rule.sentence for rule in RULES}) == len(RULES)
    )
    assert all(rule.sentence.endswith(".") for rule in RULES)


def test_the_verdict_carries_the_class_with_its_rule() -> None:
    failed = StageResult(Stage.TEST, StageStatus.FAILED, cause=Cause.EXIT_CODE, exit_code=1)
    facts = ValidationFacts(Plan(), (failed,), findings=(FINDING,))
    decision = decide(facts)
    assert decision.classification is not None
    assert decision.classification.rule == "line-blamed"
    assert decision.failure_class is decision.classification.failure_class
    assert decide(ValidationFacts(Plan(), cancelled=True)).classification is None


def test_a_log_of_the_application_tells_why_it_is_not_well() -> None:
    started = StageResult(Stage.START, StageStatus.PASSED, log=Log("API_KEY is not set\n"))
    unwell = StageResult(Stage.HEALTH, StageStatus.FAILED, cause=Cause.UNHEALTHY)
    decision = decide(ValidationFacts(Plan(), (started, unwell)))
    assert decision.failure_class is C.MISSING_SECRET


@pytest.mark.parametrize(
    "line", ["A" * 1999, "A_" * 999, "missing a " * 199, "5432 " * 399, "No module named '" * 120]
)
def test_hostile_logs_take_linear_time(line: str) -> None:
    started = time.process_time()
    decided(Stage.TEST, (line + "\n") * 130)
    assert time.process_time() - started < 5


@given(
    st.sampled_from(Stage),
    st.text(max_size=200),
    st.one_of(st.none(), st.sampled_from(Cause)),
    st.one_of(st.none(), st.integers(0, 255)),
)
def test_there_is_always_a_class(
    stage: Stage, log: str, cause: Cause | None, code: int | None
) -> None:
    assert decided(stage, log, cause=cause, code=code).rule
