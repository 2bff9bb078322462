"""Advice, a row a kind of log."""

from __future__ import annotations

import pytest

from bot.domain.plan import Log, NetworkAccess, Plan, Stage, StageResult, StageStatus
from bot.policy.advice import advice

NEXT = """\
There was an issue establishing a connection while requesting https://fonts.googleapis.com/css2?f=a
Failed to fetch `Geist` from Google Fonts.
"""
MEND = (
    ", and has none here; where it must, set `sandbox.build_network: registries`, and name "
    "further hosts in `sandbox.allow_hosts`"
)


def _failed(stage: Stage, log: str) -> StageResult:
    return StageResult(stage, StageStatus.FAILED, exit_code=1, log=Log(log))


@pytest.mark.parametrize(
    ("stage", "log", "expected"),
    [
        pytest.param(
            Stage.BUILD, NEXT, "build tried to reach the network (fonts.googleapis.com)", id="Next"
        ),
        pytest.param(
            Stage.TEST,
            "Error: getaddrinfo ENOTFOUND api.example.com\n  at dns.js:120:26 EAI_AGAIN\n",
            "test tried to reach the network (api.example.com)",
            id="node; a file is no host",
        ),
        pytest.param(
            Stage.TEST,
            "socket.gaierror: [Errno -3] Temporary failure in name resolution\n",
            "test tried to reach the network",
            id="Python names no host",
        ),
    ],
)
def test_a_stage_that_wanted_a_network(stage: Stage, log: str, expected: str) -> None:
    assert advice(Plan(), (_failed(stage, log),)) == (expected + MEND,)


@pytest.mark.parametrize(
    ("plan", "result"),
    [
        pytest.param(Plan(), _failed(Stage.TEST, "assert 1 == 2"), id="another failure"),
        pytest.param(
            Plan(),
            StageResult(Stage.BUILD, StageStatus.PASSED, log=Log(NEXT)),
            id="it passed all the same",
        ),
        pytest.param(Plan(), _failed(Stage.INSTALL, NEXT), id="install has the proxy's own words"),
        pytest.param(
            Plan(build_network=NetworkAccess.REGISTRIES),
            _failed(Stage.BUILD, NEXT),
            id="it had a network",
        ),
    ],
)
def test_no_advice(plan: Plan, result: StageResult) -> None:
    assert advice(plan, (result,)) == ()


def test_hostile_logs_are_quick() -> None:
    log = "ENOTFOUND " + "a." * 500_000 + "\n" + "a-" * 500_000
    assert len(advice(Plan(), (_failed(Stage.BUILD, log),))) <= 1
