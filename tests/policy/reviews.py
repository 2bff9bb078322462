"""Reviews as a model may give them, for the tests of what stands of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from bot.domain.analysis import Place, Review, Statement
from bot.policy.analysis import CATEGORIES
from tests.contract.results import PATHS

TEXTS = st.text(max_size=400)


def review(**changes: Any) -> Review:
    whole = Review(
        Statement("code", ("E1",)),
        Statement("It is a typo.", ("E1", "E2")),
        Place("src/app.ts", 3, ("E2",)),
        Statement("Mend it.", ("E2",)),
        0.8,
    )
    return replace(whole, **changes)


REVIEWS = st.builds(
    Review,
    category=st.none()
    | st.builds(Statement, TEXTS | st.sampled_from(CATEGORIES), st.just(("E1", "E7"))),
    root_cause=st.none() | st.builds(Statement, TEXTS, st.just(("E1",))),
    where=st.none()
    | st.builds(
        Place,
        TEXTS | st.sampled_from(sorted(PATHS)),
        st.none() | st.integers(),
        st.just(("E2", "E8")),
    ),
    recommended_fix=st.none() | st.builds(Statement, TEXTS, st.just(("E3",))),
    confidence=st.none() | st.floats(),
)
