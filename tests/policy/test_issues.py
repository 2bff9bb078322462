"""Issues that start a run by themselves: a table of issues, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.agent_runs import AgentRun, RunRequest
from bot.domain.commands import Verb
from bot.domain.comments import CommentKind, CommentReference, Impossible, Reaction, Refused
from bot.domain.effects import Decision, LeaveEvent, React, Reply, RequestRun, SpendBudget
from bot.domain.events import AgentRunsTouched, IssueChange, IssueChanged, StatusOutdated
from bot.domain.repo_config import RepoConfig
from bot.domain.repositories import Account, Permission, Repository
from bot.policy.agent_requests import NO_AGENT, Place
from bot.policy.issues import GOAL, IssueFacts, decide, wanted

NOW = datetime(2026, 1, 2, tzinfo=UTC)
REPOSITORY = Repository(7, "octo", "shop", 1, default_branch="trunk")
ALICE = Account(1, "alice")
ISSUE = CommentReference(CommentKind.ISSUE, 500, 3, "https://x/3")
OPENED = IssueChanged(REPOSITORY, ISSUE, IssueChange.OPENED, ALICE)
LABELED = IssueChanged(REPOSITORY, ISSUE, IssueChange.LABELED, ALICE, "agent")
REQUEST = RunRequest(REPOSITORY, 3, GOAL, ALICE, ISSUE, "trunk")
RUN_ID = ISSUE.named("run", 0)
KNOWN = AgentRun("known", REQUEST, NOW, NOW)

ON_OPENED = {"issue_opened": True}
ON_LABEL = {"issue_label": "agent"}


def config(start_on: dict[str, Any], **sections: Any) -> RepoConfig:
    return RepoConfig.model_validate({"agent": {"start_on": start_on}, **sections})


def place(said: RepoConfig, runs: Sequence[AgentRun] = (), **changes: Any) -> Place:
    return replace(Place(REPOSITORY, ISSUE, ALICE, said, NOW, runs=runs), **changes)


def judged(
    event: IssueChanged,
    start_on: dict[str, Any],
    permission: Permission = Permission.WRITE,
    **changes: Any,
) -> Decision:
    return decide(IssueFacts(event, place(config(start_on), **changes), permission))


BEGUN = (
    React(REPOSITORY, ISSUE, Reaction.SEEN),
    SpendBudget(REPOSITORY, RUN_ID, 50),
    RequestRun(RUN_ID, REQUEST),
    LeaveEvent(AgentRunsTouched(REPOSITORY)),
    LeaveEvent(StatusOutdated(REPOSITORY, 3)),
    React(REPOSITORY, ISSUE, Reaction.DONE),
)


@pytest.mark.parametrize(
    ("event", "start_on", "begins"),
    [
        pytest.param(OPENED, {}, False, id="opened, and off by default"),
        pytest.param(LABELED, {}, False, id="labeled, and off by default"),
        pytest.param(replace(LABELED, label=""), {}, False, id="no label is not the empty label"),
        pytest.param(OPENED, ON_OPENED, True, id="opened"),
        pytest.param(OPENED, ON_LABEL, False, id="opened, and a label is wanted"),
        pytest.param(LABELED, ON_LABEL, True, id="the label"),
        pytest.param(LABELED, {"issue_label": "AGENT"}, True, id="the label in other case"),
        pytest.param(
            replace(LABELED, label="Straße"), {"issue_label": "STRASSE"}, True, id="case folded"
        ),
        pytest.param(replace(LABELED, label="bug"), ON_LABEL, False, id="another label"),
        pytest.param(LABELED, ON_OPENED, False, id="a label, and new issues are wanted"),
        pytest.param(OPENED, ON_OPENED | ON_LABEL, True, id="opened, both are wanted"),
        pytest.param(LABELED, ON_OPENED | ON_LABEL, True, id="the label, both are wanted"),
    ],
)
def test_which_issues_start_a_run(
    event: IssueChanged, start_on: dict[str, Any], begins: bool
) -> None:
    assert wanted(event, place(config(start_on))) is begins
    assert judged(event, start_on).effects == (BEGUN if begins else ())


def test_an_issue_is_one_run_whatever_tells_of_it() -> None:
    both = ON_OPENED | ON_LABEL
    assert judged(OPENED, both).effects == judged(LABELED, both).effects


@pytest.mark.parametrize("event", [OPENED, LABELED], ids=["opened", "labeled"])
def test_an_issue_that_has_a_run_gets_no_other(event: IssueChanged) -> None:
    decision = judged(event, ON_OPENED | ON_LABEL, runs=[KNOWN])
    assert (decision.effects, decision.reason) == ((), "the issue has an agent run already")


@pytest.mark.parametrize("permission", [it for it in Permission if not it.allows(Permission.WRITE)])
def test_a_strangers_issue_is_passed_over_in_silence(permission: Permission) -> None:
    decision = judged(OPENED, ON_OPENED, permission)
    assert decision.effects == ()
    assert decision.reason == f"alice may not start a run: {permission}"


def test_who_may_label_but_not_start_is_told() -> None:
    refused = Refused(Verb.RUN, "alice", Permission.TRIAGE, Permission.WRITE)
    decision = judged(LABELED, ON_LABEL, Permission.TRIAGE)
    assert decision.effects == (Reply(REPOSITORY, ISSUE, "alice", (refused,)),)


@pytest.mark.parametrize(
    ("least", "permission", "begins"),
    [
        pytest.param("triage", Permission.TRIAGE, True, id="triage is enough here"),
        pytest.param("maintain", Permission.WRITE, False, id="write is not enough here"),
        pytest.param("maintain", Permission.ADMIN, True, id="more than enough"),
    ],
)
def test_who_may_is_who_may_give_the_command(
    least: str, permission: Permission, begins: bool
) -> None:
    said = config(ON_LABEL, commands={"run": least})
    decision = decide(IssueFacts(LABELED, place(said), permission))
    assert (decision.effects == BEGUN) is begins
    assert (decision.effects[0].kind == "reply") is not begins


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"has_agent": False}, NO_AGENT, id="no agent"),
        pytest.param({"is_open": False}, "this issue is closed", id="closed meanwhile"),
        pytest.param(
            {"config": config(ON_OPENED | ON_LABEL, budgets={"agent_runs_per_day": 0})},
            "no agent runs are allowed here (`budgets.agent_runs_per_day`)",
            id="a budget of none",
        ),
    ],
)
@pytest.mark.parametrize("event", [OPENED, LABELED], ids=["opened", "labeled"])
def test_what_cannot_be_started_is_told_to_who_may(
    event: IssueChanged, changes: dict[str, Any], reason: str
) -> None:
    decision = judged(event, ON_OPENED | ON_LABEL, **changes)
    [reply] = decision.effects
    assert isinstance(reply, Reply)
    [answer] = reply.answers
    assert isinstance(answer, Impossible)
    assert answer.reason == reason
    assert decision.reason == f"no run: {reason}"


def test_an_issue_is_one_run_whenever_it_is_told() -> None:
    later = place(config(ON_LABEL), now=NOW + timedelta(hours=1))
    requested = decide(IssueFacts(LABELED, later, Permission.WRITE)).effects[2]
    assert isinstance(requested, RequestRun)
    assert requested.run_id == RUN_ID
