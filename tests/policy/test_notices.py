"""Which notices are wanted, and that a stop and a merge give one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.effects import Notify
from bot.policy.merge import decide
from bot.policy.notices import notify
from tests.policy.merges import facts
from tests.policy.places import NOW, PULL, REPOSITORY, config

URL = "https://hooks.example.com/x"


@pytest.mark.parametrize(
    ("notifications", "wanted"),
    [
        pytest.param({}, False, id="no address"),
        pytest.param({"webhook_url": URL}, False, id="not among the events"),
        pytest.param({"webhook_url": URL, "webhook_events": ["needs_human"]}, True, id="wanted"),
        pytest.param({"webhook_events": ["needs_human"]}, False, id="wanted, and nowhere to"),
    ],
)
def test_what_is_wanted(notifications: dict[str, Any], wanted: bool) -> None:
    told = notify(
        config(notifications=notifications), REPOSITORY, PULL, "needs_human", "x", "Look.", NOW
    )
    assert bool(told) is wanted


def test_the_same_thing_has_the_same_name() -> None:
    said = config(notifications={"webhook_url": URL, "webhook_events": ["needs_human"]})

    def name(about: str) -> str:
        (told,) = notify(said, REPOSITORY, PULL, "needs_human", about, "Look.", NOW)
        assert isinstance(told, Notify)
        return told.notice.id

    assert name("x") == name("x") != name("y")


def test_a_merge_is_told_once() -> None:
    wanted = config(notifications={"webhook_url": URL})
    found = facts(
        situation={"merged": True, "merge_sha": "f" * 40, "merged_at": NOW},
        pull={"is_open": False},
    )
    found = replace(found, config=wanted)
    (told,) = [it for it in decide(found).effects if isinstance(it, Notify)]
    assert (told.webhook_url, told.notice.event) == (URL, "merge_complete")
    assert told.notice.sentence == f"`octo/shop#{PULL.number}` merged as `{'f' * 12}`."
    noted = replace(found, record=replace(found.record, merged_at=NOW))
    assert not [it for it in decide(noted).effects if isinstance(it, Notify)]
