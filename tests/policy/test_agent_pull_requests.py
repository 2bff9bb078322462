"""What a look at an agent's run means for pull requests: which one counts, and what is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import pytest

from bot.domain.agent_runs import (
    AgentRun,
    RemotePullRequest,
    RemoteRun,
    RemoteState,
    ResponseType,
    RunStatus,
)
from bot.domain.repositories import PullRequest
from bot.policy.agent_answers import fresh
from tests.policy.looks import (
    APPROVED,
    HEAD,
    IN_PULL,
    MARKED,
    NEXT,
    NONE_BROUGHT,
    PLANNING,
    PULLS,
    QUEUE,
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
    seen,
    shown,
)

# ── that it names ─────────────────────────────────────────────────────────────────────────────────

ELSEWHERE = "It opened a pull request in another repository, which is not followed."
FORK = "Its pull request `#12` is of a fork, which is not followed."
WRONG_BASE = (
    "Its pull request `#12` goes into `release`, not into `main`, and is not followed: "
    "change its base, or close it."
)
UNKNOWN = "It names `#12`, and GitHub knows no such pull request."
NO_ADDRESS = "It names a pull request without an address, which is not followed."


def test_a_pull_request_that_is_brought() -> None:
    decision = look(complete(named()), found={12: pull()})
    end = ended(decision)
    assert (end.status, end.response_type) == (RunStatus.COMPLETED, ResponseType.PULL_REQUEST)
    assert (end.pull_request, end.pull_request_url) == (12, f"{PULLS}/12")
    assert (end.known_pull_requests, end.data["notes"]) == ((1200,), [])
    assert decision.effects[1:] == (QUEUE, seen(12), *shown(3, 12))


def test_of_two_the_first_counts_in_whatever_order_they_are_named() -> None:
    decision = look(complete(named(13), named(12)), found={12: pull(), 13: pull(13)})
    end = ended(decision)
    assert (end.pull_request, end.known_pull_requests) == (12, (1200, 1300))
    [note] = end.data["notes"]
    assert note.startswith("It opened a second pull request, `#13`: the first one, `#12`, counts.")
    assert decision.effects[1:] == (QUEUE, seen(12), *shown(3, 12))


def test_one_that_is_named_twice_is_one() -> None:
    again = RemotePullRequest(9, f"{PULLS}/12/files")
    end = ended(look(complete(named(), again), found={12: pull()}))
    assert (end.pull_request, end.data["notes"]) == (12, [])


@pytest.mark.parametrize(
    ("told", "found", "note", "is_settled"),
    [
        pytest.param(
            named(), {12: pull(base_branch="release")}, WRONG_BASE, False, id="wrong base"
        ),
        pytest.param(named(), {12: pull(head_repository_id=8)}, FORK, True, id="from a fork"),
        pytest.param(
            named(),
            {12: pull(head_repository_id=8, base_branch="release")},
            FORK,
            True,
            id="from a fork, with a wrong base",
        ),
        pytest.param(
            named(), {12: pull(head_repository_id=None)}, FORK, True, id="from a fork that is gone"
        ),
        pytest.param(
            named(url="https://github.com/octo/other/pull/12"),
            {12: pull()},
            ELSEWHERE,
            True,
            id="in another repository of the same number",
        ),
        pytest.param(
            named(url="https://github.com/octo/shop/issues/12"),
            {12: pull()},
            ELSEWHERE,
            True,
            id="an address that is none of a pull request",
        ),
        pytest.param(named(), {12: None}, UNKNOWN, False, id="unknown to GitHub"),
        pytest.param(named(), {}, UNKNOWN, False, id="not looked up"),
        pytest.param(RemotePullRequest(5, "", "Fix"), {}, NO_ADDRESS, True, id="no address"),
    ],
)
def test_pull_requests_that_do_not_count(
    told: RemotePullRequest,
    found: Mapping[int, PullRequest | None],
    note: str,
    is_settled: bool,
) -> None:
    """Those that may be judged otherwise later stay unknown, and are looked at again then."""
    decision = look(complete(told), found=found)
    end = ended(decision)
    assert (end.response_type, end.pull_request) == (ResponseType.REGULAR, None)
    assert end.data["notes"] == [note]
    assert end.known_pull_requests == ((told.id,) if is_settled else ())
    assert decision.effects[1:] == (QUEUE, *shown(3))


@pytest.mark.parametrize("found", [{12: None}, {12: pull(base_branch="release")}])
def test_one_that_did_not_count_counts_at_the_next_end(
    found: Mapping[int, PullRequest | None],
) -> None:
    first = ended(look(complete(named()), found=found))
    run = replace(RUN, known_pull_requests=first.known_pull_requests)
    assert ended(look(complete(named()), run, found={12: pull()})).pull_request == 12


def test_notes_say_no_address_and_name_no_repository() -> None:
    """An address in a comment makes a reference there, and may be nobody's here to see."""
    odd = [
        named(10, "https://github.com/secret/place/pull/10"),
        named(11),
        named(13),
        named(14),
        named(15),
        RemotePullRequest(5, "", "secret title"),
    ]
    found = {
        11: None,
        13: pull(13, head_repository_id=8),
        14: pull(14, base_branch="release"),
        15: pull(15),
    }
    for told in (complete(*odd), complete(*odd, named(16))):
        notes = ended(look(told, found=found | {16: pull(16)})).data["notes"]
        said = "\n".join(notes)
        assert len(notes) == len(told.pull_requests) - 1
        assert "http" not in said
        assert "secret" not in said
        assert "octo/" not in said
        assert re.findall(r"#\d+", said) == re.findall(r"(?<=`)#\d+(?=`)", said)


ENDS = [
    pytest.param(complete, RunStatus.COMPLETED, id="complete"),
    pytest.param(partial(remote, RemoteState.FAILED, "ERROR"), RunStatus.FAILED, id="failed"),
    pytest.param(partial(remote, RemoteState.WAITING, "PAUSED"), RunStatus.WAITING, id="waiting"),
]


@pytest.mark.parametrize(("told", "status"), ENDS)
def test_pull_requests_are_judged_whatever_ends_a_run(
    told: Callable[..., RemoteRun], status: RunStatus
) -> None:
    forked = pull(13, head_repository_id=8)
    decision = look(told(named(), named(13)), found={12: pull(head_sha=NEXT), 13: forked})
    end = ended(decision)
    assert end.status is status
    assert (end.pull_request, end.pull_request_url) == (12, f"{PULLS}/12")
    assert (end.head_sha, end.known_pull_requests) == (NEXT, (1200, 1300))
    assert any("`#13` is of a fork" in note for note in end.data["notes"])
    assert decision.effects[1:] == (QUEUE, seen(12), *shown(3, 12))


@pytest.mark.parametrize(("told", "status"), ENDS)
def test_the_head_that_was_looked_at_is_kept_whatever_ends_a_run(
    told: Callable[..., RemoteRun], status: RunStatus
) -> None:
    run = replace(RUN, pull_request=12, head_sha=HEAD, known_pull_requests=(1200,))
    end = ended(look(told(named()), run, here=pull(head_sha=NEXT)))
    assert (end.status, end.pull_request, end.head_sha) == (status, 12, NEXT)
    assert end.data["pushed"] is True
    same = ended(look(told(named()), run, here=pull()))
    assert (same.head_sha, same.data["pushed"]) == (HEAD, False)
    assert ended(look(told(named()), run)).head_sha == "", "GitHub did not tell"


def test_one_that_does_not_count_is_told_beside_one_that_does() -> None:
    found = {11: pull(11, base_branch="release"), 12: pull()}
    end = ended(look(complete(named(11), named(12)), found=found))
    assert end.pull_request == 12
    [note] = end.data["notes"]
    assert "`#11` goes into `release`" in note
    assert end.known_pull_requests == (1200,)


def test_a_repository_is_the_same_in_any_case() -> None:
    told = named(url="https://github.com/Octo/SHOP/pull/12")
    assert ended(look(complete(told), found={12: pull()})).pull_request == 12


@pytest.mark.parametrize("name", ["octo/shop", "octo/store", "Octo/STORE"])
def test_a_repository_goes_by_the_names_that_it_had(name: str) -> None:
    told = named(url=f"https://github.com/{name}/pull/12")
    names = ("octo/shop", "octo/store")
    assert ended(look(complete(told), found={12: pull()}, names=names)).pull_request == 12


def test_one_that_it_brought_before_is_not_brought_again() -> None:
    run = replace(RUN, known_pull_requests=(1200,), pull_request=12, pull_request_url=f"{PULLS}/12")
    assert fresh(run, complete(named(), named(13))) == (named(13),)
    decision = look(complete(named()), run, found={12: pull()})
    end = ended(decision)
    assert (end.response_type, end.pull_request) == (ResponseType.REGULAR, 12)
    assert seen(12) not in decision.effects


# ── plans, and on its way ─────────────────────────────────────────────────────────────────────────


def test_a_pull_request_counts_though_a_plan_was_asked_for() -> None:
    end = ended(look(complete(named(), result=MARKED), PLANNING, found={12: pull()}))
    assert (end.status, end.response_type) == (RunStatus.COMPLETED, ResponseType.PULL_REQUEST)
    assert end.data["notes"] == ["A plan was asked for; the agent went on to a pull request."]
    approved = ended(look(complete(named()), APPROVED, found={12: pull()}))
    assert approved.data["notes"] == []


def test_a_plan_tells_of_a_pull_request_that_does_not_count() -> None:
    elsewhere = named(url="https://github.com/octo/other/pull/12")
    end = ended(look(complete(elsewhere, result=MARKED), PLANNING))
    assert end.response_type is ResponseType.PLAN
    assert len(end.data["notes"]) == 1


def test_a_pull_request_is_linked_while_the_run_goes_on() -> None:
    decision = look(going(named()), found={12: pull()}, step=STEP)
    note = noted(decision)
    assert (note.pull_request, note.pull_request_url, note.progress) == (12, f"{PULLS}/12", 85)
    assert decision.effects[1:] == (seen(12), *shown(3, 12))
    after = replace(RUN, pull_request=12, pull_request_url=f"{PULLS}/12", progress=85)
    again = look(going(named()), after, found={12: pull()}, step=STEP)
    assert noted(again).pull_request == 12
    assert seen(12) not in again.effects


def test_one_that_does_not_count_is_not_linked_on_the_way() -> None:
    note = noted(look(going(named()), found={12: pull(base_branch="release")}))
    assert (note.pull_request, note.progress) == (None, 5)


# ── asked for in a pull request ───────────────────────────────────────────────────────────────────

PUSHED = pull(20, head_branch="change", head_sha=NEXT)
NOT_PUSHED = pull(20, head_branch="change")
LATER = "c" * 40


@pytest.mark.parametrize(
    ("told", "found", "here", "kind", "notes"),
    [
        pytest.param(
            complete(),
            {},
            PUSHED,
            ResponseType.REGULAR,
            [f"The head of `#20` is `{NEXT[:12]}` now."],
            id="pushed to",
        ),
        pytest.param(
            complete(),
            {},
            NOT_PUSHED,
            ResponseType.REGULAR,
            ["Nothing was pushed to `#20`."],
            id="not pushed to",
        ),
        pytest.param(complete(), {}, None, ResponseType.REGULAR, NONE_BROUGHT, id="gone"),
        pytest.param(
            complete(named(20)),
            {20: PUSHED},
            PUSHED,
            ResponseType.PULL_REQUEST,
            [],
            id="the agent names it",
        ),
        pytest.param(
            complete(named(20)),
            {20: replace(PUSHED, base_branch="release", head_repository_id=8)},
            PUSHED,
            ResponseType.PULL_REQUEST,
            [],
            id="the agent names it, whatever its base and head",
        ),
        pytest.param(
            complete(named(21)),
            {21: pull(21)},
            NOT_PUSHED,
            ResponseType.PULL_REQUEST,
            ["It opened `#21` instead of pushing to this pull request."],
            id="another one was opened",
        ),
    ],
)
def test_runs_of_a_pull_request(
    told: RemoteRun,
    found: Mapping[int, PullRequest | None],
    here: PullRequest | None,
    kind: ResponseType,
    notes: list[str],
) -> None:
    end = ended(look(told, IN_PULL, found=found, here=here))
    assert (end.status, end.response_type) == (RunStatus.COMPLETED, kind)
    assert end.data["notes"] == notes
    assert end.data["pushed"] is (here == PUSHED)


@pytest.mark.parametrize(
    ("run", "number"),
    [
        pytest.param(IN_PULL, 20, id="where it was asked for"),
        pytest.param(
            replace(RUN, pull_request=12, known_pull_requests=(1200,)), 12, id="that it brought"
        ),
    ],
)
def test_a_push_is_told_by_the_head_that_the_run_saw_last(run: AgentRun, number: int) -> None:
    """Not by the one that was there when it was asked for: a round that pushes nothing says so."""
    told = complete(named(number))
    again = replace(run, head_sha=NEXT, known_pull_requests=(number * 100,))
    still = ended(look(told, again, here=pull(number, head_sha=NEXT)))
    assert still.data["notes"] == [f"Nothing was pushed to `#{number}`."]
    assert (still.data["pushed"], still.head_sha) == (False, NEXT)
    more = ended(look(told, again, here=pull(number, head_sha=LATER)))
    assert more.data["notes"] == [f"The head of `#{number}` is `{LATER[:12]}` now."]
    assert (more.data["pushed"], more.head_sha) == (True, LATER)


def test_what_was_known_of_its_own_pull_request_is_not_looked_at_again() -> None:
    decision = look(complete(named(20)), IN_PULL, found={20: PUSHED}, here=PUSHED)
    assert decision.effects[1:] == (QUEUE, *shown(20), *judged(20))


def test_another_one_is_told_in_both() -> None:
    decision = look(complete(named(21)), IN_PULL, found={21: pull(21)}, here=NOT_PUSHED)
    assert decision.effects[1:] == (QUEUE, seen(21), *shown(20, 21), *judged(20))
