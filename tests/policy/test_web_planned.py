"""What the plan says of the web evaluation, and what the verdict makes of its stage."""

from __future__ import annotations

import pytest

from bot.domain.config_parser import parse
from bot.domain.plan import HealthCheck, Plan, Stage, StageResult, StageStatus, Step
from bot.domain.validations import Check, CheckState, Verdict
from bot.domain.web import WebPlan
from bot.policy.detect import Detected
from bot.policy.plan import make_plan
from bot.policy.validation import ValidationFacts, decide


def planned(text: str = "") -> Plan:
    commands = "deployment: {install_command: a, start_command: b, port: 3000}\n"
    return make_plan(
        parse(commands + text, ".github/codegenapp.yml"),
        Detected(),
        trusted=True,
        given_secrets=frozenset(),
        maximum_timeout_minutes=30,
    )


def test_the_first_page_and_what_it_links_to_unless_pages_are_named() -> None:
    web = planned().web
    assert web is not None
    assert (web.pages, web.explicit, web.follow) == (("/",), False, True)
    web = planned("web_evaluation: {pages: [/a, /b], budgets: {lcp_ms: 1}}").web
    assert web is not None
    assert (web.pages, web.explicit, web.follow) == (("/a", "/b"), True, False)
    assert web.budgets.lcp_ms == 1
    web = planned("web_evaluation: {flows: [{name: x, steps: [{goto: /}]}]}").web
    assert web is not None
    assert (web.explicit, web.follow, len(web.flows)) == (True, True, 1)


@pytest.mark.parametrize(
    "text", ["web_evaluation: {enabled: false}", "features: {web_evaluation: false}"]
)
def test_what_is_switched_off_is_not_planned(text: str) -> None:
    plan = planned(text)
    assert plan.web is None
    assert plan.skipped[Stage.WEB_EVALUATION].startswith("switched off by ")


RUN = (
    Stage.RETRIEVE,
    Stage.INSTALL,
    Stage.START,
    Stage.HEALTH,
    Stage.PORTS,
    Stage.WEB_EVALUATION,
    Stage.STABILITY,
)
PLAN = Plan(
    steps=(Step(Stage.INSTALL, "a"), Step(Stage.START, "b")),
    health=HealthCheck(3000),
    web=WebPlan(),
    required_checks=("web_evaluation_pass",),
    skipped=dict.fromkeys(
        (Stage.BUILD, Stage.TEST, Stage.CODE_ANALYSIS, Stage.ANALYSIS), "nothing to do"
    ),
)


@pytest.mark.parametrize(
    ("status", "verdict", "state"),
    [
        pytest.param(StageStatus.PASSED, Verdict.PASSED, CheckState.PASSED, id="passed"),
        pytest.param(StageStatus.FAILED, Verdict.FAILED, CheckState.FAILED, id="failed"),
        pytest.param(StageStatus.SKIPPED, Verdict.PASSED, CheckState.NOT_APPLICABLE, id="no page"),
        pytest.param(None, Verdict.ERROR, CheckState.NOT_RUN, id="silent"),
    ],
)
def test_the_verdict_of_a_planned_evaluation(
    status: StageStatus | None, verdict: Verdict, state: CheckState
) -> None:
    results = [StageResult(stage, StageStatus.PASSED) for stage in RUN]
    results = [it for it in results if it.stage is not Stage.WEB_EVALUATION]
    if status is not None:
        results.append(StageResult(Stage.WEB_EVALUATION, status, "no web page: / answers 404"))
    decision = decide(ValidationFacts(PLAN, tuple(results)))
    assert decision.verdict is verdict
    assert decision.checks[Check.WEB_EVALUATION_PASS] is state
    if status is StageStatus.SKIPPED:
        assert "web_evaluation_pass" in decision.title
        assert "web evaluation: no web page: / answers 404" in decision.not_verified
