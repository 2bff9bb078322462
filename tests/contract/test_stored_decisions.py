"""A decision that is read back is the one that was stored: another worker carries it out."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.mongo.codec import from_document, to_document
from bot.domain.effects import Decision, Effect, EndRun, LeaveEvent
from bot.domain.events import InternalEvent
from bot.domain.webhooks import INTERNAL, Own, encode, loads, parse

EVENTS = get_args(InternalEvent)
EFFECTS = get_args(Effect)
FEW = settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)


@pytest.mark.parametrize("kind", [pytest.param(it, id=it.__name__) for it in EVENTS])
@FEW
@given(data=st.data())
def test_an_event_that_is_to_be_left(kind: type[InternalEvent], data: st.DataObject) -> None:
    event = data.draw(st.from_type(kind))
    decision = Decision("because", (LeaveEvent(event),))
    assert from_document(Decision, to_document(decision)) == decision
    assert parse(*_sent(event), Own(1, "bot")) == event


@pytest.mark.parametrize("kind", [pytest.param(it, id=it.__name__) for it in EFFECTS])
@FEW
@given(data=st.data())
def test_an_effect(kind: type[Effect], data: st.DataObject) -> None:
    made: st.SearchStrategy[Effect] = st.from_type(kind)
    if kind is EndRun:  # whose data may be anything
        made = st.builds(EndRun, data=st.just({"answer": "Done."}))
    decision = Decision("because", (data.draw(made),))
    assert from_document(Decision, to_document(decision)) == decision


def test_every_event_of_our_own_has_a_kind_of_its_own() -> None:
    kinds = [it.__dataclass_fields__["kind"].default for it in EVENTS]
    assert len(set(kinds)) == len(kinds) == len(INTERNAL)


def _sent(event: InternalEvent) -> tuple[str, object]:
    name, body = encode(event)
    return name, loads(body)
