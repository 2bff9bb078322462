"""What a look at an agent's run means for it: tables of looks and what follows.

What it means for pull requests is in ``test_agent_pull_requests.py``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.agent_runs import (
    AgentRun,
    AgentStep,
    RemoteRun,
    RemoteState,
    ResponseType,
    RunStatus,
)
from bot.domain.effects import EndRun, NoteRun
from bot.policy.agent_answers import (
    AGAIN,
    FAILED,
    FAILURES,
    LONGEST_ANSWER,
    LONGEST_STEP,
    NO_LONGER_KNOWN,
    RESUMED_GRACE,
    plan_of,
    progress_of,
    said_of,
)
from tests.policy.looks import (
    APPROVED,
    BEFORE,
    MARKED,
    NONE_BROUGHT,
    NOW,
    PLANNING,
    PULLS,
    QUEUE,
    RESUMED,
    RUN,
    STEP,
    complete,
    ended,
    going,
    judged,
    look,
    named,
    noted,
    pull,
    remote,
    shown,
)

# ── looks that mean nothing ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [it for it in RunStatus if it is not RunStatus.ACTIVE])
def test_a_look_at_a_run_that_is_not_under_way_is_late(status: RunStatus) -> None:
    decision = look(complete(named()), replace(RUN, status=status), found={12: pull()})
    assert (decision.effects, decision.reason) == ((), f"a late look: the run is {status}")


@pytest.mark.parametrize(
    ("run", "at", "wanted"),
    [
        pytest.param(RUN, BEFORE - timedelta(seconds=1), 0, id="before it was set going"),
        pytest.param(RUN, BEFORE, 1, id="just as it was set going"),
        pytest.param(RESUMED, NOW, 0, id="as it was resumed"),
        pytest.param(RESUMED, NOW + RESUMED_GRACE - timedelta(seconds=1), 0, id="within the grace"),
        pytest.param(RESUMED, NOW + RESUMED_GRACE, 1, id="after the grace"),
        pytest.param(
            replace(RESUMED, started_at=NOW), NOW, 1, id="its message went with its beginning"
        ),
        pytest.param(
            replace(RESUMED, messages=(), sent=0), NOW, 1, id="set going again without a message"
        ),
        pytest.param(
            replace(RESUMED, active_since=None), NOW, 1, id="nobody knows when it was set going"
        ),
    ],
)
@pytest.mark.parametrize(
    "told",
    [
        pytest.param(complete(), id="complete"),
        pytest.param(remote(RemoteState.FAILED, "ERROR"), id="failed"),
        pytest.param(remote(RemoteState.WAITING, "PAUSED"), id="waiting"),
    ],
)
def test_when_an_end_is_believed(told: RemoteRun, run: AgentRun, at: datetime, wanted: int) -> None:
    decision = look(told, run, at=at)
    assert sum(isinstance(it, EndRun) for it in decision.effects) == wanted
    assert bool(decision.effects) is bool(wanted)
    assert decision.reason


def test_a_run_that_goes_on_or_is_gone_needs_no_grace() -> None:
    assert ended(look(None, RESUMED)).status is RunStatus.FAILED
    assert noted(look(going(), RESUMED)).remote_seen == "ACTIVE"


# ── what tells one look from the next ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("told", "other", "same"),
    [
        pytest.param(complete(), complete(), True, id="the same"),
        pytest.param(complete(), replace(complete(), summary="S"), True, id="another summary"),
        pytest.param(complete(), replace(complete(), url="https://x"), True, id="another address"),
        pytest.param(complete(), complete(result="Done!"), False, id="another answer"),
        pytest.param(complete(result=""), complete(), False, id="an answer at last"),
        pytest.param(complete(), complete(named()), False, id="a pull request more"),
        pytest.param(complete(), going(result="Done."), False, id="another status"),
    ],
)
def test_what_is_new_of_a_run(told: RemoteRun, other: RemoteRun, same: bool) -> None:
    assert (told.digest == other.digest) is same


def test_a_digest_says_nothing_of_the_answer() -> None:
    digest = complete(named(), result="a secret " * 9_000).digest
    assert digest.startswith("COMPLETE 1200 ")
    assert "secret" not in digest
    assert len(digest) < 40


# ── the agent's states ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("told", "status", "reason"),
    [
        pytest.param(None, RunStatus.FAILED, f"{NO_LONGER_KNOWN} {AGAIN}", id="no longer known"),
        pytest.param(
            remote(RemoteState.WAITING, "PAUSED"),
            RunStatus.WAITING,
            "The agent waits for an answer. Write `/codegen resume …` with it.",
            id="it waits",
        ),
        *(
            pytest.param(
                remote(RemoteState.FAILED, word),
                RunStatus.FAILED,
                f"{sentence} {AGAIN}",
                id=word.lower(),
            )
            for word, sentence in FAILURES.items()
        ),
        *(
            pytest.param(
                remote(RemoteState.FAILED, word),
                RunStatus.FAILED,
                f"{FAILED} {AGAIN}",
                id=f"{word.lower()}, which says nothing more",
            )
            for word in ("ERROR", "FAILED", "ANOTHER")
        ),
        pytest.param(complete(), RunStatus.COMPLETED, "", id="complete"),
    ],
)
def test_how_a_run_ends(told: RemoteRun | None, status: RunStatus, reason: str) -> None:
    decision = look(told)
    end = ended(decision)
    assert (end.run_id, end.status, end.reason) == ("our-id", status, reason)
    assert decision.effects[1:] == (QUEUE, *shown(3))


def test_the_words_of_failure_are_these() -> None:
    """The facts' list, so that a word that is dropped is missed."""
    words = {"CANCELLED", "STOPPED", "TIMEOUT", "MAX_ITERATIONS_REACHED", "OUT_OF_TOKENS"}
    assert set(FAILURES) == words
    assert len({FAILED, *FAILURES.values()}) == len(words) + 1


def test_what_is_kept_of_an_end() -> None:
    run = replace(RUN, known_pull_requests=(3,), remote_status="ACTIVE", remote_seen="ACTIVE")
    told = remote(RemoteState.FAILED, "ERROR", named(), summary="Sorry.")
    end = ended(look(told, run, found={12: pull()}))
    assert (end.remote_status, end.remote_seen) == ("ERROR", told.digest)
    assert end.known_pull_requests == (3, 1200)
    assert end.data["answer"] == "Sorry."
    assert end.data["pull_requests"] == [f"{PULLS}/12"]
    gone = ended(look(None, run))
    assert (gone.remote_status, gone.remote_seen) == ("ACTIVE", "ACTIVE")
    assert gone.known_pull_requests == (3,)


def test_the_reason_says_nothing_of_what_the_agent_wrote() -> None:
    """Reasons stand in the audit log."""
    secret = replace(complete(result="hunter2"), status="hunter2")
    assert "hunter2" not in look(secret).reason
    step = AgentStep("ACTION", "hunter2", "hunter2")
    assert "hunter2" not in look(going(result="hunter2"), step=step).reason


def test_a_failure_keeps_the_pull_request_that_there_was() -> None:
    run = replace(RUN, pull_request=12, pull_request_url=f"{PULLS}/12")
    decision = look(remote(RemoteState.FAILED, "ERROR"), run)
    end = ended(decision)
    assert (end.pull_request, end.pull_request_url) == (12, f"{PULLS}/12")
    assert decision.effects[1:] == (QUEUE, *shown(3, 12), *judged(12))


def test_the_result_is_the_answer_else_the_summary_and_both_are_cut() -> None:
    both = replace(complete(result="R" * (LONGEST_ANSWER + 5)), summary="S")
    assert ended(look(both)).data["answer"] == "R" * LONGEST_ANSWER
    assert ended(look(replace(both, result=""))).data["answer"] == "S"


# ── plans ────────────────────────────────────────────────────────────────────────────────────

UNMARKED = "The agent did not mark its answer as a plan, so that there is none to approve."


@pytest.mark.parametrize(
    ("run", "result", "kind", "plan", "notes"),
    [
        pytest.param(
            PLANNING, MARKED, ResponseType.PLAN, "1. Read\n2. Write", [], id="with its marker"
        ),
        pytest.param(
            PLANNING,
            "`PLAN our-id`\n1. Read",
            ResponseType.PLAN,
            "1. Read",
            [],
            id="with its marker, first and as code",
        ),
        pytest.param(
            PLANNING, "1. Read", ResponseType.REGULAR, "", [UNMARKED], id="without its marker"
        ),
        pytest.param(
            PLANNING,
            "1. Read\nPLAN another-id",
            ResponseType.REGULAR,
            "",
            [UNMARKED],
            id="with another run's marker",
        ),
        pytest.param(
            PLANNING,
            " \n`PLAN our-id`\n",
            ResponseType.REGULAR,
            "",
            [UNMARKED],
            id="its marker and no plan",
        ),
        pytest.param(
            APPROVED, MARKED, ResponseType.REGULAR, "", NONE_BROUGHT, id="approved already"
        ),
        pytest.param(RUN, MARKED, ResponseType.REGULAR, "", NONE_BROUGHT, id="not asked for"),
    ],
)
def test_plans(run: AgentRun, result: str, kind: ResponseType, plan: str, notes: list[str]) -> None:
    end = ended(look(complete(result=result), run))
    assert (end.response_type, end.data["plan"], end.data["notes"]) == (kind, plan, notes)
    assert (plan_of(run, result) or "") == plan
    is_plan = kind is ResponseType.PLAN
    assert end.status is (RunStatus.WAITING if is_plan else RunStatus.COMPLETED)
    assert ("/codegen approve" in end.reason) is is_plan
    assert end.data["answer"] == ("" if is_plan else result)


# ── on its way ───────────────────────────────────────────────────────────────────────────────


def test_a_step_is_noted() -> None:
    decision = look(going(), step=STEP)
    assert decision.effects == (
        NoteRun("our-id", "ACTIVE", "ACTIVE", 5, "Reading the code"),
        *shown(3),
    )


def test_nothing_new_is_nothing_to_do() -> None:
    run = replace(RUN, current_step="Reading the code", remote_seen="ACTIVE")
    assert look(going(), run, step=STEP).effects == ()
    assert look(going(), run).effects == ()


@pytest.mark.parametrize(
    ("run", "told"),
    [
        pytest.param(
            replace(RUN, current_step="Writing", remote_seen="ACTIVE"), going(), id="another step"
        ),
        pytest.param(
            replace(RUN, current_step="Reading the code", remote_seen="PENDING"),
            going(),
            id="another status",
        ),
        pytest.param(
            replace(RUN, current_step="Reading the code", remote_seen="ACTIVE"),
            going(named()),
            id="another pull request",
        ),
    ],
)
def test_what_is_new_is_noted(run: AgentRun, told: RemoteRun) -> None:
    assert noted(look(told, run, step=STEP)).remote_seen == told.digest


def test_without_a_step_the_last_one_stays() -> None:
    run = replace(RUN, current_step="Reading", progress=20)
    note = noted(look(going(), run))
    assert (note.step, note.progress) == ("Reading", 20)


# ── how far it is ────────────────────────────────────────────────────────────────────────────


def at_work(progress: int, step: str = "Reading the code") -> AgentRun:
    return replace(RUN, progress=progress, current_step=step)


@pytest.mark.parametrize(
    ("run", "step", "has_pull_request", "wanted"),
    [
        pytest.param(at_work(0, ""), None, False, 5, id="begun"),
        pytest.param(at_work(5, ""), STEP, False, 8, id="a new step"),
        pytest.param(at_work(8), STEP, False, 8, id="the same step"),
        pytest.param(at_work(74, ""), STEP, False, 75, id="a new step near the most"),
        pytest.param(at_work(75, ""), STEP, False, 75, id="a new step at the most"),
        pytest.param(at_work(90, ""), STEP, False, 90, id="a new step beyond the most"),
        pytest.param(at_work(8, ""), AgentStep("PLAN_EVALUATION", "", "p"), False, 20, id="a plan"),
        pytest.param(
            at_work(40, ""), AgentStep("PLAN_EVALUATION", "", "p"), False, 43, id="a late plan"
        ),
        pytest.param(
            at_work(8, ""), AgentStep("INITIAL_PR_GENERATION", "", "p"), False, 85, id="opening"
        ),
        pytest.param(at_work(8, ""), AgentStep("FINAL_ANSWER", "", "p"), False, 95, id="answering"),
        pytest.param(at_work(8), STEP, True, 85, id="a pull request is there"),
        pytest.param(
            at_work(95), AgentStep("INITIAL_PR_GENERATION", "", "p"), True, 95, id="never back"
        ),
    ],
)
def test_progress(
    run: AgentRun, step: AgentStep | None, has_pull_request: bool, wanted: int
) -> None:
    assert progress_of(run, step, has_pull_request=has_pull_request) == wanted


def test_progress_never_goes_back_and_is_never_whole_before_the_end() -> None:
    kinds = ("ACTION", "PLAN_EVALUATION", "FINAL_ANSWER", "INITIAL_PR_GENERATION", "ERROR")
    run = at_work(0, "")
    for number in range(300):
        step = AgentStep(kinds[number * 7 % 5], "tool", f"step {number}")
        progress = progress_of(run, step, has_pull_request=number % 11 == 0)
        assert run.progress <= progress < 100
        run = at_work(progress, said_of(step))
    assert run.progress == 95


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        pytest.param(STEP, "Reading the code", id="a thought"),
        pytest.param(AgentStep("ACTION", "ripgrep", " \n "), "ripgrep", id="a tool"),
        pytest.param(AgentStep("PLAN_EVALUATION", "", ""), "plan evaluation", id="its kind"),
        pytest.param(AgentStep("ACTION", "", "one\n\n two"), "one two", id="in one line"),
        pytest.param(AgentStep("ACTION", "", "x" * 120), "x" * LONGEST_STEP, id="just fits"),
        pytest.param(AgentStep("ACTION", "", "x" * 121), f"{'x' * 119}…", id="cut"),
    ],
)
def test_a_step_in_words(step: AgentStep, wanted: str) -> None:
    assert said_of(step) == wanted
