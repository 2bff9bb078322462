"""What became of an attempt to fix, and which paths are no mend: tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.agent_runs import AgentRun, RunStatus
from bot.domain.pull_request_records import FixOutcome
from bot.policy.fix_outcome import AttemptFacts, is_test_or_workflow, judge
from tests.policy.fixes import FAILURE, HEAD, NUMBER, attempt, attempt_id, message, run

MESSAGES = {"messages": (message(),), "sent": 1}
"""The attempt's message is there."""
CODE, TEST, WORKFLOW = "src/list.ts", "src/list.test.ts", ".github/workflows/ci.yml"
OTHER_URL = "https://github.com/octo/shop/pull/21"
OWN_URL = "https://github.com/octo/shop/pull/20"


def going(status: RunStatus, **changes: Any) -> AgentRun:
    return run(status, **MESSAGES | changes)


def of_its_own(*urls: str) -> AgentRun:
    """A run that the attempt began, and that names pull requests."""
    own = run(RunStatus.COMPLETED, id=attempt_id(1), response_data={"pull_requests": [*urls]})
    return replace(own, request=replace(own.request, number=NUMBER, is_pull_request=True))


@pytest.mark.parametrize(
    ("agent_run", "pushed", "outcome", "said"),
    [
        pytest.param(going(RunStatus.QUEUED), False, None, "under way", id="it waits its turn"),
        pytest.param(going(RunStatus.ACTIVE), False, None, "under way", id="it goes on"),
        pytest.param(
            going(RunStatus.COMPLETED),
            False,
            FixOutcome.NO_PUSH,
            f"without a push. It still fails: {FAILURE}",
            id="it ended without a push",
        ),
        pytest.param(
            going(RunStatus.WAITING, reason="The agent waits for an answer. Write one."),
            False,
            FixOutcome.NO_PUSH,
            "Nothing was pushed. The agent waits for an answer. Write one.",
            id="it waits for an answer",
        ),
        pytest.param(
            going(RunStatus.WAITING),
            False,
            FixOutcome.NO_PUSH,
            "The agent waits for an answer.",
            id="it waits, and does not say for what",
        ),
        pytest.param(
            going(RunStatus.FAILED, reason="The agent ran out of tokens."),
            False,
            FixOutcome.AGENT_FAILED,
            "The agent ran out of tokens.",
            id="it failed",
        ),
        pytest.param(
            going(RunStatus.FAILED), False, FixOutcome.AGENT_FAILED, "failed", id="it failed mutely"
        ),
        pytest.param(
            going(RunStatus.CANCELLED), False, FixOutcome.CANCELLED, "cancelled", id="cancelled"
        ),
        pytest.param(None, False, FixOutcome.AGENT_FAILED, "gone", id="the run's record is lost"),
        pytest.param(
            going(RunStatus.COMPLETED, sent=0),
            False,
            None,
            "under way",
            id="it ended before it got the message, which is yet to be sent",
        ),
        pytest.param(
            going(RunStatus.WAITING, sent=0), False, None, "under way", id="it waited before it"
        ),
        pytest.param(
            going(RunStatus.FAILED, sent=0),
            False,
            FixOutcome.AGENT_FAILED,
            "failed",
            id="the message could not be sent",
        ),
        pytest.param(
            going(RunStatus.CANCELLED, sent=0),
            False,
            FixOutcome.CANCELLED,
            "cancelled",
            id="cancelled before the message was sent",
        ),
        pytest.param(
            going(RunStatus.COMPLETED, pull_request=21),
            False,
            FixOutcome.SECOND_PULL_REQUEST,
            "`#21`",
            id="another pull request instead",
        ),
        pytest.param(
            going(RunStatus.ACTIVE, pull_request=21),
            False,
            None,
            "under way",
            id="another pull request, and it goes on: it may push here yet",
        ),
        pytest.param(
            going(RunStatus.COMPLETED, pull_request=None),
            False,
            FixOutcome.NO_PUSH,
            "without a push",
            id="it names none",
        ),
        pytest.param(
            of_its_own(OWN_URL, OTHER_URL),
            False,
            FixOutcome.SECOND_PULL_REQUEST,
            "`#21`",
            id="its own run names this one and another",
        ),
        pytest.param(
            of_its_own(OWN_URL), False, FixOutcome.NO_PUSH, "without", id="its own run names this"
        ),
        pytest.param(
            of_its_own("https://github.com/octo/other/pull/21", "nonsense"),
            False,
            FixOutcome.NO_PUSH,
            "without",
            id="one of another repository is not ours to judge",
        ),
        pytest.param(
            going(RunStatus.COMPLETED, response_data={"pull_requests": [OTHER_URL]}),
            False,
            FixOutcome.NO_PUSH,
            "without",
            id="a run that was there before may have named others then",
        ),
        pytest.param(
            going(RunStatus.COMPLETED), [CODE, TEST], FixOutcome.PUSHED, "pushed", id="a push"
        ),
        pytest.param(
            going(RunStatus.ACTIVE), [CODE], FixOutcome.PUSHED, "pushed", id="a push on the way"
        ),
        pytest.param(
            going(RunStatus.FAILED), [CODE], FixOutcome.PUSHED, "pushed", id="a push, then it fails"
        ),
        pytest.param(
            going(RunStatus.CANCELLED), [CODE], FixOutcome.PUSHED, "pushed", id="a push, cancelled"
        ),
        pytest.param(None, [CODE], FixOutcome.PUSHED, "pushed", id="a push, and the run is lost"),
        pytest.param(
            going(RunStatus.COMPLETED), None, None, "not known yet", id="a push nobody looked at"
        ),
        pytest.param(None, None, None, "not known yet", id="the same, and the run is lost"),
        pytest.param(
            going(RunStatus.COMPLETED), [], FixOutcome.EMPTY_PUSH, "changes nothing", id="empty"
        ),
        pytest.param(None, [], FixOutcome.EMPTY_PUSH, "changes nothing", id="empty, run lost"),
        pytest.param(
            going(RunStatus.ACTIVE), [], None, "under way", id="empty so far: the rest may come"
        ),
        pytest.param(
            going(RunStatus.COMPLETED),
            [TEST, WORKFLOW],
            FixOutcome.ONLY_TESTS,
            f"(`{TEST}`, `{WORKFLOW}`)",
            id="nothing but tests and workflows",
        ),
        pytest.param(
            going(RunStatus.COMPLETED),
            ["tests/1", "tests/2", "tests/3", "tests/4"],
            FixOutcome.ONLY_TESTS,
            "(`tests/1`, `tests/2`, `tests/3` and 1 more)",
            id="many tests",
        ),
        pytest.param(
            going(RunStatus.QUEUED), [TEST], None, "under way", id="tests so far: the rest may come"
        ),
        pytest.param(
            going(RunStatus.ACTIVE, pull_request=21),
            [CODE],
            FixOutcome.SECOND_PULL_REQUEST,
            "`#21`",
            id="a push, and another pull request",
        ),
        pytest.param(
            going(RunStatus.COMPLETED, pull_request=21),
            None,
            FixOutcome.SECOND_PULL_REQUEST,
            "`#21`",
            id="another pull request, and a push nobody looked at",
        ),
    ],
)
def test_outcomes(
    agent_run: AgentRun | None, pushed: Any, outcome: FixOutcome | None, said: str
) -> None:
    moved = pushed is not False
    judged = judge(
        AttemptFacts(attempt(), agent_run, NUMBER, HEAD, moved, pushed if moved else None)
    )
    assert judged.outcome is outcome
    assert said in judged.sentence


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".github/codegenapp.yml",
        "test/a.js",
        "tests/unit/a.py",
        "src/tests/data.json",
        "src/__tests__/a.tsx",
        "spec/models/a.rb",
        "packages/web/specs/a.js",
        "e2e/login.ts",
        "cypress/support/index.js",
        "fixtures/a.json",
        "src/__snapshots__/a.snap",
        "Tests/AppTests.swift",
        "src/test/java/octo/AppTest.java",
        "test_app.py",
        "pkg/app_test.py",
        "pkg/app_test.go",
        "a.test.ts",
        "a.test.mjs",
        "src/a.spec.tsx",
        "a.spec.component.ts",
        "conftest.py",
        "pkg/conftest.py",
        "lib/a_spec.rb",
        "lib/a_test.exs",
        "src/AppTests.cs",
        "src/UserTest.php",
        "pytest.ini",
        "tox.ini",
        "jest.config.js",
        "web/vitest.config.ts",
        "playwright.config.ts",
        "cypress.config.js",
        "karma.conf.js",
        ".mocharc.json",
        "a.snap",
    ],
)
def test_a_test_or_a_workflow(path: str) -> None:
    assert is_test_or_workflow(path)


@pytest.mark.parametrize(
    "path",
    [
        "src/app.ts",
        "test.py",
        "testing.py",
        "src/latest.py",
        "src/contest/a.py",
        "src/Latest.java",
        "src/protest.go",
        "src/test_bench.ts",
        "attest/a.go",
        "package.json",
        "src/.github/workflows/ci.yml",
        ".github",
        "github/a.yml",
        "src/specification.ts",
        "src/specs.ts",
        "docs/tests.md",
        "setup.cfg",
        "vite.config.ts",
        "src/my_conftest.py",
        "",
    ],
)
def test_neither(path: str) -> None:
    assert not is_test_or_workflow(path)
