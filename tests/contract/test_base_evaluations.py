"""What is kept of commits that changes are held against, over a real server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bot.adapters.clock import SystemClock
from bot.adapters.mongo.artifacts import GridFSArtifacts
from bot.adapters.mongo.bases import MongoEvaluatedBases
from bot.adapters.mongo.database import Database
from bot.adapters.mongo.inbox import MongoInbox
from bot.adapters.mongo.jobs import MongoJobs
from bot.domain.base_evaluations import NOT_YET, BaseEvaluation
from bot.domain.effects import EvaluateBase
from bot.domain.plan import Stage, StageAttachment, StageResult, StageStatus
from bot.domain.repositories import Repository
from bot.domain.validations import FailureClass, ValidationResult, Verdict
from bot.domain.web import PageSeen, Size, WebEvaluation
from bot.services.base_evaluations import (
    BASE_EVALUATION,
    MOST_TRIES,
    MOVED_ON,
    BaseEvaluations,
)
from tests.contract.results import passed, result

pytestmark = pytest.mark.database
CLOCK = SystemClock()
KEPT = timedelta(days=1)
SHOP = Repository(7, "octo", "shop", 1, default_branch="main")
SEEN = WebEvaluation(pages=(PageSeen("/", Size.DESKTOP, picture="01.png"),))
PICTURE = StageAttachment(Stage.WEB_EVALUATION, "01.png", "image/png", b"a picture")
OTHER = StageAttachment(Stage.WEB_EVALUATION, "02.png", "image/png", b"of a flow")


@dataclass
class Shelf:
    bases: BaseEvaluations
    store: MongoEvaluatedBases
    jobs: MongoJobs

    async def ended(self, outcome: str = "the engine went away") -> None:
        """Take the next job, and end it."""
        claim = await self.jobs.claim("me", [BASE_EVALUATION])
        assert claim is not None
        await self.jobs.end(claim, {"outcome": outcome}, None)


@pytest.fixture
def shelf(database: Database) -> Shelf:
    jobs = MongoJobs(database, MongoInbox(database, KEPT), KEPT)
    artifacts = GridFSArtifacts(database, KEPT)
    store = MongoEvaluatedBases(database, KEPT)
    return Shelf(BaseEvaluations(store, artifacts, jobs, CLOCK), store, jobs)


def validated(status: StageStatus = StageStatus.PASSED, why: str = "") -> ValidationResult:
    ran = status is not StageStatus.SKIPPED
    stage = StageResult(
        Stage.WEB_EVALUATION, status, why, evaluation=SEEN if ran else None, seconds=1
    )
    return replace(
        result(passed(Stage.BUILD)), stages=(stage,), verdict=Verdict.FAILED, failure_class=None
    )


SHA = validated().head_sha
WANTED = EvaluateBase(SHOP, SHA)


async def test_it_is_queued_once(shelf: Shelf) -> None:
    assert await shelf.bases.request(WANTED) == "queued"
    assert await shelf.bases.request(replace(WANTED, pushed=True)) == "queued before"
    claim = await shelf.jobs.claim("me", [BASE_EVALUATION])
    assert claim is not None
    assert (claim.job.subject, claim.job.repository_id) == (SHA, 7)
    assert await shelf.bases.request(WANTED) == "queued before"
    assert await shelf.jobs.claim("me", [BASE_EVALUATION]) is None


async def test_one_that_came_to_nothing_is_tried_again_but_not_for_ever(shelf: Shelf) -> None:
    for _ in range(MOST_TRIES):
        assert await shelf.bases.request(WANTED) == "queued"
        await shelf.ended()
    assert await shelf.bases.request(WANTED) == f"given up after {MOST_TRIES} tries"


async def test_one_that_the_branch_moved_on_from_is_not_given_up(shelf: Shelf) -> None:
    for _ in range(MOST_TRIES + 1):
        assert await shelf.bases.request(replace(WANTED, pushed=True)) == "queued"
        await shelf.ended(MOVED_ON)
    assert await shelf.bases.request(WANTED) == "queued"


async def test_half_a_character_is_kept_all_the_same(shelf: Shelf) -> None:
    torn = WebEvaluation.from_json({"pages": [{"path": "/", "size": "phone", "title": "a\ud83d"}]})
    kept = replace(validated(), stages=(replace(validated().stages[0], evaluation=torn),))
    await shelf.bases.keep(7, kept, {})
    base = await shelf.bases.of(7, SHA)
    assert base.evaluation is not None
    assert base.evaluation.pages[0].title == "a\ufffd"


async def test_what_was_seen_comes_back_with_its_pictures(shelf: Shelf) -> None:
    files = {it.name: it for it in (PICTURE, OTHER)}
    assert await shelf.bases.keep(7, validated(), files) == "evaluated"
    assert await shelf.bases.keep(7, validated(), files) == "evaluated"
    base = await shelf.bases.of(7, SHA)
    assert (base.sha, base.evaluation, base.reason) == (SHA, SEEN, "")
    assert {name: it.content for name, it in base.pictures.items()} == {"01.png": b"a picture"}
    assert await shelf.bases.request(WANTED) == "known"
    assert (await shelf.bases.of(8, SHA)).reason == NOT_YET


async def test_a_picture_that_is_gone_is_left_out(shelf: Shelf, database: Database) -> None:
    await shelf.bases.keep(7, validated(), {"01.png": PICTURE})
    await database.collection("artifacts.files").delete_many({})
    base = await shelf.bases.of(7, SHA)
    assert (base.evaluation, base.pictures) == (SEEN, {})


async def test_nothing_to_see_is_kept_with_its_reason(shelf: Shelf) -> None:
    await shelf.bases.keep(7, validated(StageStatus.SKIPPED, "no web page: / answers 404"), {})
    base = await shelf.bases.of(7, SHA)
    assert base.evaluation is None
    assert base.reason == "has nothing to look at in a browser: no web page: / answers 404"
    assert await shelf.bases.request(WANTED) == "known"


@pytest.mark.parametrize(
    "never_ran",
    [
        replace(validated(), verdict=Verdict.CANCELLED),
        replace(validated(), verdict=Verdict.ERROR),
        replace(validated(), failure_class=FailureClass.INFRASTRUCTURE),
        replace(validated(), head_sha=""),
    ],
    ids=["interrupted", "error", "the machine's fault", "not fetched"],
)
async def test_what_never_ran_is_not_kept(shelf: Shelf, never_ran: ValidationResult) -> None:
    assert (await shelf.bases.keep(7, never_ran, {})).startswith("nothing to keep")
    assert (await shelf.bases.of(7, SHA)).reason == NOT_YET


async def test_what_another_version_wrote_counts_for_nothing(shelf: Shelf) -> None:
    strange = {"pages": [{"path": 3}]}
    await shelf.store.keep(BaseEvaluation(7, SHA, CLOCK.now(), strange))
    assert (await shelf.bases.of(7, SHA)).reason == NOT_YET
    assert await shelf.bases.request(WANTED) == "queued"
