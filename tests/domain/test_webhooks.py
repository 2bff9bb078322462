from __future__ import annotations

import contextlib
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.commands import Command, Verb
from bot.domain.events import (
    CheckActionRequested,
    CheckRerequested,
    CommandsGiven,
    CommitJudged,
    CommitsPushed,
    Event,
    Ignored,
    InstallationChange,
    InstallationChanged,
    MergeGroupDestroyed,
    MergeGroupFormed,
    Pinged,
    PullRequestChange,
    PullRequestChanged,
    PullRequestTouched,
    RepositoryChange,
    RepositoryChanged,
    ValidationAsked,
    ValidationEnded,
    key,
)
from bot.domain.repositories import Account, Repository
from bot.domain.unheard import UNHEARD
from bot.domain.webhooks import HEARD, MalformedPayload, Own, encode, loads, parse
from tests.octokit import examples

OWN = Own(app_id=7, login="codegenapp[bot]")
REPOSITORY = Repository(11, "octo", "shop", 5, private=True, default_branch="main")
PERSON = Account(3, "ada")


def payload(**fields: Any) -> dict[str, Any]:
    return {
        "repository": {
            "id": 11,
            "name": "shop",
            "private": True,
            "default_branch": "main",
            "owner": {"login": "octo"},
        },
        "installation": {"id": 5, "account": {"login": "octo"}},
        "sender": {"id": 3, "login": "ada", "type": "User"},
    } | fields


def check(**fields: Any) -> dict[str, Any]:
    return {"head_sha": "a" * 40, "external_id": "v", "app": {"id": 7}} | fields


ABOUT = {"number": 7}
REVIEW = {"id": 21, "html_url": "https://x/21", "body": "Looks good."}
OURS = {"id": 9, "login": OWN.login, "type": "Bot"}
GROUP = {
    "head_sha": "b" * 40,
    "head_ref": "refs/heads/q/1",
    "base_sha": "c",
    "base_ref": "refs/heads/main",
}


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        *(
            pytest.param(
                "pull_request",
                {"action": change.value, "number": 4, "changes": {"base": {}}},
                PullRequestChanged(REPOSITORY, 4, change, PERSON),
                id=f"pull request {change.value}",
            )
            for change in PullRequestChange
            if change is not PullRequestChange.SEEN
        ),
        pytest.param(
            "pull_request",
            {"action": "opened", "number": 4, "sender": OURS},
            PullRequestChanged(
                REPOSITORY, 4, PullRequestChange.OPENED, Account(9, OWN.login, True)
            ),
            id="pull request of our own",
        ),
        pytest.param(
            "push",
            {"ref": "refs/heads/a/b", "after": "d" * 40},
            CommitsPushed(REPOSITORY, "a/b", "d" * 40),
            id="push",
        ),
        pytest.param(
            "push",
            {"ref": "refs/heads/a", "after": "0" * 40, "deleted": True},
            CommitsPushed(REPOSITORY, "a", ""),
            id="push that deletes",
        ),
        pytest.param(
            "check_run",
            {"action": "rerequested", "check_run": check()},
            CheckRerequested(REPOSITORY, "a" * 40, PERSON),
            id="check run rerequested",
        ),
        pytest.param(
            "check_run",
            {
                "action": "requested_action",
                "check_run": check(),
                "requested_action": {"identifier": "fix"},
            },
            CheckActionRequested(REPOSITORY, "a" * 40, "v", "fix", PERSON),
            id="check run button",
        ),
        pytest.param(
            "check_suite",
            {"action": "rerequested", "check_suite": check()},
            CheckRerequested(REPOSITORY, "a" * 40, PERSON),
            id="check suite rerequested",
        ),
        pytest.param(
            "installation",
            {"action": "suspend"},
            InstallationChanged(5, "octo", InstallationChange.SUSPENDED),
            id="installation suspended",
        ),
        pytest.param(
            "installation_repositories",
            {"action": "added"},
            InstallationChanged(5, "octo", InstallationChange.REPOSITORIES_CHANGED),
            id="repositories added",
        ),
        pytest.param(
            "repository",
            {"action": "renamed"},
            RepositoryChanged(REPOSITORY, RepositoryChange.RENAMED),
            id="repository renamed",
        ),
        pytest.param(
            "merge_group",
            {"action": "checks_requested", "merge_group": GROUP},
            MergeGroupFormed(REPOSITORY, "b" * 40, "refs/heads/q/1", "c", "main"),
            id="merge group",
        ),
        pytest.param(
            "merge_group",
            {"action": "destroyed", "merge_group": GROUP, "reason": "dequeued"},
            MergeGroupDestroyed(REPOSITORY, "b" * 40, "dequeued"),
            id="merge group destroyed",
        ),
        pytest.param(
            "pull_request",
            {"action": "labeled", "number": 7},
            PullRequestTouched(REPOSITORY, 7),
            id="a label",
        ),
        pytest.param(
            "pull_request",
            {"action": "edited", "number": 7, "changes": {"title": {"from": "WIP"}}},
            PullRequestTouched(REPOSITORY, 7),
            id="another title",
        ),
        pytest.param(
            "pull_request_review",
            {"action": "submitted", "pull_request": ABOUT, "review": REVIEW},
            PullRequestTouched(REPOSITORY, 7),
            id="a review without commands",
        ),
        pytest.param(
            "pull_request_review",
            {"action": "dismissed", "pull_request": ABOUT, "review": REVIEW},
            PullRequestTouched(REPOSITORY, 7),
            id="a review dismissed",
        ),
        pytest.param(
            "pull_request_review_thread",
            {"action": "resolved", "pull_request": ABOUT},
            PullRequestTouched(REPOSITORY, 7),
            id="a conversation resolved",
        ),
        pytest.param(
            "check_run",
            {"action": "completed", "check_run": check() | {"app": {"id": 99}}},
            CommitJudged(REPOSITORY, "a" * 40),
            id="another App's check run",
        ),
        pytest.param(
            "check_suite",
            {"action": "completed", "check_suite": check() | {"app": {"id": 99}}},
            CommitJudged(REPOSITORY, "a" * 40),
            id="another App's check suite",
        ),
        pytest.param(
            "status", {"sha": "a" * 40}, CommitJudged(REPOSITORY, "a" * 40), id="a status"
        ),
        pytest.param("ping", {"hook_id": 12}, Pinged(12), id="ping"),
    ],
)
def test_heard(name: str, fields: dict[str, Any], expected: Event) -> None:
    assert parse(name, payload(**fields), OWN) == expected


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("pull_request", {"action": "labeled", "number": 7}),
        ("pull_request_review", {"action": "submitted", "pull_request": ABOUT, "review": REVIEW}),
        ("status", {"sha": "a" * 40}),
        ("check_run", {"action": "completed", "check_run": check()}),
        ("check_suite", {"action": "completed", "check_suite": check()}),
    ],
)
def test_what_we_do_ourselves_is_no_news(name: str, fields: dict[str, Any]) -> None:
    assert isinstance(parse(name, payload(**fields, sender=OURS), OWN), Ignored)


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("pull_request", {"action": "assigned", "number": 7}, "changes nothing"),
        ("pull_request", {"action": "seen", "number": 7}, "changes nothing"),
        ("pull_request", {"action": "edited", "number": 7}, "its base and title stayed"),
        ("push", {"ref": "refs/tags/v1"}, "no branch"),
        ("check_run", {"action": "completed", "check_run": check()}, "nobody asks"),
        ("check_run", {"action": "rerequested", "check_run": check(app={"id": 8})}, "another App"),
        ("check_run", {"action": "rerequested", "check_run": check(app=None)}, "another App"),
        ("check_run", {"action": "rerequested", "check_run": check(), "sender": OURS}, "our own"),
        (
            "check_suite",
            {"action": "rerequested", "check_suite": check(), "sender": OURS},
            "our own",
        ),
        ("check_suite", {"action": "requested", "check_suite": check()}, "nobody asks"),
        ("repository", {"action": "created"}, "the installation's events"),
        ("merge_group", {"action": "unknown", "merge_group": GROUP}, "asks for nothing"),
        ("watch", {}, "no code"),
        ("brand_new_event", {}, "no such event is known"),
    ],
)
def test_ignored_with_its_reason(name: str, fields: dict[str, Any], reason: str) -> None:
    found = parse(name, payload(**fields), OWN)
    assert isinstance(found, Ignored)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("name", "broken", "path"),
    [
        ("pull_request", {"action": "opened"}, "number"),
        ("pull_request", {"action": "opened", "number": 2**60}, "number"),
        ("pull_request", {"action": "opened", "number": True}, "number"),
        ("pull_request", {"action": 4}, "action"),
        ("pull_request", {"action": "opened", "number": 1, "repository": None}, "repository"),
        ("push", {"ref": "refs/heads/a", "repository": {"id": "x"}}, "repository"),
        ("check_run", {"action": "rerequested"}, "check_run"),
        ("merge_group", {"action": "destroyed", "merge_group": []}, "merge_group"),
    ],
)
def test_malformed_says_where(name: str, broken: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedPayload, match=path):
        parse(name, payload(**broken), OWN)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000], ids=["", "{", "ff", "deep"])
def test_no_json(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        loads(body)


@pytest.mark.parametrize(
    "event",
    [
        PullRequestChanged(REPOSITORY, 4, PullRequestChange.SEEN, PERSON),
        PullRequestChanged(REPOSITORY, 4, PullRequestChange.SEEN),
        InstallationChanged(5, "octo", InstallationChange.SEEN),
        ValidationAsked(REPOSITORY, 4, "a" * 40, PERSON),
        ValidationEnded(REPOSITORY, None, "v", "j"),
    ],
)
def test_our_own_events_come_back(event: Event) -> None:
    name, body = encode(event)
    assert parse(name, json.loads(body), OWN) == event


@pytest.mark.parametrize("broken", [{}, [], {"number": "x"}, {"repository": {}}, None])
def test_our_own_events_malformed(broken: Any) -> None:
    with pytest.raises(MalformedPayload):
        parse("codegenapp.validation_asked", broken, OWN)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (PullRequestChanged(REPOSITORY, 4, PullRequestChange.SEEN), "11:4"),
        (ValidationAsked(REPOSITORY, 4, "a", PERSON), "11:4"),
        (ValidationEnded(REPOSITORY, 4, "v", "j"), "11:4"),
        (ValidationEnded(REPOSITORY, None, "v", "j"), "11:0"),
        (CommitsPushed(REPOSITORY, "main", "a"), "11:0"),
        (InstallationChanged(5, "octo", InstallationChange.SEEN), "installation:5"),
        (Pinged(1), "app"),
    ],
)
def test_key(event: Event, expected: str) -> None:
    assert key(event) == expected


def test_every_real_payload_is_heard_or_ignored_for_a_reason() -> None:
    found = examples()
    outcomes = Counter((it.name, type(parse(it.name, it.payload, OWN)).__name__) for it in found)
    assert len(found) == 329
    names = {it.name for it in found}
    assert names <= HEARD | set(UNHEARD)
    assert not HEARD & set(UNHEARD)
    assert {name for name, outcome in outcomes if outcome != "Ignored"} == HEARD - {
        "issue_comment",  # none has a command
        "pull_request_review_comment",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "action",
                    "number",
                    "repository",
                    "sender",
                    "id",
                    "login",
                    "check_run",
                    "app",
                    "ref",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(name=st.sampled_from(sorted(HEARD)), body=JSON)
def test_nothing_else_is_ever_raised(name: str, body: Any) -> None:
    with contextlib.suppress(MalformedPayload):
        parse(name, body, OWN)


@pytest.mark.parametrize("name", ["issue_comment", "pull_request_review_comment"])
def test_commands_of_a_real_comment(name: str) -> None:
    """Each real payload of a new comment, as if its writer had asked for something."""
    found = [it.payload for it in examples() if it.name == name]
    new = [it for it in found if it["action"] == "created" and it["sender"]["type"] != "Bot"]
    assert new
    for payload in new:
        payload["comment"]["body"] = "Hello\r\n/codegen status\r\n"
        event = parse(name, payload, OWN)
        assert isinstance(event, CommandsGiven)
        assert event.commands == (Command(Verb.STATUS),)
        assert event.comment.id == payload["comment"]["id"]
        edited = payload | {"action": "edited"}
        assert isinstance(parse(name, edited, OWN), Ignored)
        by_bot = payload | {"sender": payload["sender"] | {"type": "Bot"}}
        assert isinstance(parse(name, by_bot, OWN), Ignored)
        mention = payload | {"comment": payload["comment"] | {"body": "@x y"}}
        assert isinstance(parse(name, mention, Own(1, "")), CommandsGiven), "the door can't tell"
