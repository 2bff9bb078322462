"""What a model is shown of a failure, and what stands of its answer."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.analysis import (
    AnalysisContext,
    Evidence,
    EvidenceKind,
    Malformed,
    Observed,
    Place,
    Review,
    Screenshot,
    Statement,
    parse,
)
from bot.domain.changes import Hunk
from bot.domain.masking import Masker
from bot.domain.plan import Stage
from bot.domain.validations import (
    FailureClass,
    Finding,
    Level,
    Verdict,
)
from bot.policy.analysis import (
    CATEGORIES,
    LONGEST_STATEMENT,
    Budget,
    cleaned,
    judge,
    no_need,
    select,
    unexplained,
)
from bot.ports.reviewer import ReviewerFault
from tests.contract.results import PATHS, failed, result, samples, until
from tests.policy.reviews import REVIEWS, TEXTS, review

SAMPLES = samples()
BUILD = SAMPLES["build"]
EVIDENCE = tuple(Evidence(f"E{n}", EvidenceKind.LOG, text="x") for n in (1, 2, 3))


def same(text: str) -> str:
    return text


# ── what is shown ────────────────────────────────────────────────────────────────────────────


def context() -> AnalysisContext:
    return AnalysisContext(
        title="Add totals",
        commit_messages=("Add totals\n\nAs asked.",),
        hunks=(Hunk("README.md", "@@ -1 +1 @@\n+x"), Hunk("src/app.ts", "@@ -3 +3 @@\n+y")),
        observed=(Observed("web_evaluation", "/", "TypeError: x"),),
        screenshots=(Screenshot("web_evaluation", "/", "image/png", b"png"),),
        paths=PATHS,
    )


def test_what_tells_most_comes_first() -> None:
    chosen = select(BUILD, context(), same)
    kinds = [kind for kind, _ in itertools.groupby(it.kind for it in chosen.evidence)]
    assert kinds == [
        EvidenceKind.STAGE, EvidenceKind.FINDING, EvidenceKind.TITLE, EvidenceKind.LOG,
        EvidenceKind.DIFF, EvidenceKind.PAGE, EvidenceKind.COMMIT_MESSAGE,
        EvidenceKind.SCREENSHOT,
    ]  # fmt: skip
    assert [it.id for it in chosen.evidence] == [f"E{n + 1}" for n in range(len(chosen.evidence))]
    diffs = [it.place for it in chosen.evidence if it.kind is EvidenceKind.DIFF]
    assert diffs == ["src/app.ts", "README.md"], "what is blamed comes first"
    finding = chosen.evidence[1]
    assert finding.label == "finding of build at src/app.ts:3:7"
    assert "TS2322" in finding.text
    assert "exit code 2" in chosen.evidence[0].text
    assert not chosen.left_out


def test_what_does_not_fit_is_counted() -> None:
    hunks = tuple(Hunk(f"src/{n}.ts", "+" * 7_000) for n in range(20))
    chosen = select(BUILD, replace(context(), hunks=hunks), same)
    diffs = [it for it in chosen.evidence if it.kind is EvidenceKind.DIFF]
    assert len(diffs) == 8
    assert "12 diff pieces" in chosen.left_out


def test_a_long_piece_is_cut_and_of_a_log_the_end_is_kept() -> None:
    log = "".join(f"line {n}\n" for n in range(20_000))
    sample = result(*until(Stage.BUILD), failed(Stage.BUILD, log=log, exit_code=1))
    told = replace(context(), hunks=(Hunk("a", "+" * 99_999),), title="t" * 999)
    chosen = select(sample, told, same)
    of = {it.kind: it.text for it in chosen.evidence}
    assert "line 19999" in of[EvidenceKind.LOG]
    assert "left out" in of[EvidenceKind.LOG]
    assert len(of[EvidenceKind.LOG]) <= 16_000
    assert len(of[EvidenceKind.DIFF]) == 8_000
    assert len(of[EvidenceKind.TITLE]) == 300


def test_pictures_are_few_small_and_pictures() -> None:
    good = Screenshot("web_evaluation", "/", "image/png", b"x")
    shots = (
        replace(good, media_type="image/svg+xml"),
        replace(good, content=b""),
        replace(good, content=b"x" * 1_500_001),
        *(replace(good, place=f"/{n}") for n in range(6)),
    )
    chosen = select(BUILD, replace(context(), screenshots=shots), same)
    shown = [it.place for it in chosen.evidence if it.kind is EvidenceKind.SCREENSHOT]
    assert shown == ["/0", "/1", "/2", "/3"]
    assert "5 screenshots" in chosen.left_out


def test_where_steps_were_given_secrets_no_picture_leaves() -> None:
    chosen = select(BUILD, replace(context(), secrets={"TOKEN": "hunter22"}), same)
    assert not [it for it in chosen.evidence if it.kind is EvidenceKind.SCREENSHOT]
    assert "1 screenshot" in chosen.left_out


CONTEXTS = st.builds(
    AnalysisContext,
    title=TEXTS,
    commit_messages=st.lists(TEXTS, max_size=3).map(tuple),
    hunks=st.lists(st.builds(Hunk, TEXTS, TEXTS), max_size=5).map(tuple),
    observed=st.lists(st.builds(Observed, st.just("health"), TEXTS, TEXTS), max_size=3).map(tuple),
    screenshots=st.lists(
        st.builds(Screenshot, st.just("health"), TEXTS, st.just("image/png"), st.just(b"x")),
        max_size=6,
    ).map(tuple),
)


@given(CONTEXTS, TEXTS, st.integers(0, 3_000))
def test_the_budget_holds(told: AnalysisContext, log: str, characters: int) -> None:
    sample = result(*until(Stage.BUILD), failed(Stage.BUILD, log=log, exit_code=1))
    chosen = select(sample, told, same, Budget(characters=characters))
    assert sum(len(it.text) + len(it.place) for it in chosen.evidence) <= characters
    ids = [it.id for it in chosen.evidence]
    assert ids == [f"E{n + 1}" for n in range(len(ids))]
    assert all("\n" not in it.label for it in chosen.evidence)


SECRET = "hunter22-and-more"


@given(CONTEXTS, st.integers(0, len(SECRET)), st.integers(0, 17_000))
def test_no_secret_is_shown_wherever_it_stands_and_whatever_is_cut(
    told: AnalysisContext, at: int, before: int
) -> None:
    broken = f"{SECRET[:at]}\x1b[0m{SECRET[at:]}"
    log = f"{'x' * before} {SECRET}\n{broken} {SECRET.encode().hex()}\n"
    stage = failed(Stage.BUILD, log=log, exit_code=1, reason=f"it said {SECRET}")
    found = Finding("build", f"src/{SECRET}.ts", 1, 1, Level.FAILURE, f"no {SECRET}")
    sample = replace(result(*until(Stage.BUILD), stage), findings=(found,))
    told = replace(
        told,
        title=told.title + SECRET,
        hunks=(*told.hunks, Hunk(SECRET, f"+{'y' * (before // 2)}{SECRET}")),
        observed=(*told.observed, Observed("health", f"/?{SECRET}", broken)),
        secrets={"TOKEN": SECRET},
    )
    masker = Masker({"TOKEN": SECRET})
    chosen = select(sample, told, lambda text: cleaned(text, masker.mask))
    for it in chosen.evidence:
        assert SECRET not in it.text + it.place
        assert SECRET[:12] not in it.text + it.place
        assert "\x1b" not in it.text + it.place


# ── what stands of an answer ─────────────────────────────────────────────────────────────────


def test_a_sound_review_stands_as_it_is() -> None:
    told = judge(review(), EVIDENCE, PATHS)
    assert told.review == review()
    assert not told.dropped


@pytest.mark.parametrize(
    ("changes", "field", "left", "why"),
    [
        pytest.param({"category": Statement("passed", ("E1",))}, "category", None,
                     "the category: it is none of the classes", id="no class"),
        pytest.param({"category": Statement("code", ())}, "category", None,
                     "the category: it names no evidence", id="category of nothing"),
        pytest.param({"where": Place("src/none.ts", 3, ("E1",))}, "where", None,
                     "the place: there is no such file in the tree", id="no such file"),
        pytest.param({"where": Place("../src/app.ts", 3, ("E1",))}, "where", None,
                     "the place: there is no such file in the tree", id="out of the tree"),
        pytest.param({"where": Place("src/app.ts", 3, ("E9",))}, "where", None,
                     "the place: it names no evidence", id="place of nothing"),
        pytest.param({"where": Place("src/app.ts", 0, ("E1",))}, "where",
                     Place("src/app.ts", None, ("E1",)),
                     "the place's line: there is none of that number", id="line 0"),
        pytest.param({"recommended_fix": Statement("", ("E1",))}, "recommended_fix", None,
                     "the recommended fix: it says nothing", id="no fix"),
        pytest.param({"recommended_fix": Statement("x", ("E1", "E8", "E9"))}, "recommended_fix",
                     Statement("x", ("E1",)),
                     "2 references of the recommended fix: there is no such evidence",
                     id="evidence that is none"),
        pytest.param({"confidence": 1.1}, "confidence", None,
                     "the confidence: it is not between 0 and 1", id="too sure"),
        pytest.param({"confidence": math.nan}, "confidence", None,
                     "the confidence: it is not between 0 and 1", id="not a number"),
    ],
)  # fmt: skip
def test_what_is_dropped_and_why(
    changes: dict[str, object], field: str, left: object, why: str
) -> None:
    told = judge(review(**changes), EVIDENCE, PATHS)
    assert told.review is not None
    assert getattr(told.review, field) == left
    assert why in told.dropped
    assert replace(told.review, **{field: getattr(review(), field)}) == review()


@pytest.mark.parametrize(
    "cause", [None, Statement("x"), Statement("x", ("E9",)), Statement("\n", ("E1",))]
)
def test_without_a_cause_that_names_evidence_nothing_stands(cause: Statement | None) -> None:
    assert judge(review(root_cause=cause), EVIDENCE, PATHS).review is None


def test_a_long_statement_is_cut() -> None:
    told = judge(review(root_cause=Statement("x" * 9_999, ("E1",))), EVIDENCE, PATHS)
    assert told.review is not None
    assert told.review.root_cause is not None
    assert len(told.review.root_cause.text) == LONGEST_STATEMENT


@given(REVIEWS)
def test_what_stands_can_be_checked(said: Review) -> None:
    held = judge(said, EVIDENCE, PATHS).review
    if held is None:
        return
    assert held.root_cause is not None
    assert held.category is None or held.category.text in CATEGORIES
    assert held.where is None or held.where.file in PATHS
    assert held.where is None or held.where.line is None or held.where.line >= 1
    assert held.confidence is None or 0 <= held.confidence <= 1
    known = {it.id for it in EVIDENCE}
    for it in (held.category, held.root_cause, held.where, held.recommended_fix):
        assert it is None or (it.references and set(it.references) <= known)


KEYS = st.sampled_from(
    ["category", "root_cause", "where", "recommended_fix", "confidence", "text", "evidence",
     "file", "line"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
).map(json.dumps)


@given(JSON | TEXTS)
def test_no_answer_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(Malformed):
        parse(text)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "9" * 10_000, f'{{"confidence": 1{"0" * 400}}}'], ids=len
)
def test_no_monstrous_answer_breaks_it(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


# ── when, and the sentences ──────────────────────────────────────────────────────────────────


def test_what_is_worth_asking() -> None:
    asked = {name for name, sample in SAMPLES.items() if not no_need(sample)}
    assert asked == {name for name, sample in SAMPLES.items() if sample.verdict is Verdict.FAILED}
    for kind in FailureClass:
        spared = {"infrastructure", "missing_secret", "untrusted_fork"}
        assert bool(no_need(replace(BUILD, failure_class=kind))) is (kind.value in spared)


@pytest.mark.parametrize("fault", ReviewerFault)
def test_every_fault_has_a_sentence_that_says_what_stands(fault: ReviewerFault) -> None:
    assert unexplained(fault).endswith("so the deterministic analysis alone speaks.")
