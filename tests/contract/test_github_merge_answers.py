"""GitHub's refusals of a merge, its queue and its update: the sentence says which it is."""

from __future__ import annotations

import pytest

from bot.adapters.github.merge_answers import (
    enqueue_refusal,
    forbidden_merge,
    merge_refusal,
    sentence_of,
    update_refusal,
)
from bot.domain.merging import MergeAnswer
from bot.domain.merging import MergeAnswerKind as Kind
from bot.ports.github import GitHubProblem


@pytest.mark.parametrize(
    ("status", "sentence", "kind"),
    [
        pytest.param(
            405,
            "Base branch was modified. Review and try the merge again.",
            Kind.BASE_MOVED,
            id="the base moved",
        ),
        pytest.param(
            409,
            "Head branch is out of date. Review and try the merge again.",
            Kind.BASE_MOVED,
            id="the base moved, and the head must hold it",
        ),
        pytest.param(
            409,
            "Head branch was modified. Review and try the merge again.",
            Kind.HEAD_MOVED,
            id="the head moved",
        ),
        pytest.param(409, "Conflict", Kind.HEAD_MOVED, id="409 without a reason"),
        pytest.param(
            409, "Base branch was modified.", Kind.BASE_MOVED, id="the base moved, told by 409"
        ),
        pytest.param(422, "sha didn't match", Kind.HEAD_MOVED, id="another sha, told by 422"),
        pytest.param(
            422,
            "Expected head sha didn’t match current head ref.",
            Kind.HEAD_MOVED,
            id="another head, told by 422",
        ),
        pytest.param(405, "Pull Request is not mergeable", Kind.CONFLICT, id="a conflict"),
        pytest.param(405, "Merge conflict", Kind.CONFLICT, id="a conflict by its name"),
        *(
            pytest.param(405, sentence, Kind.METHOD_REFUSED, id=sentence)
            for sentence in (
                "Merge commits are not allowed on this repository.",
                "Squash merges are not allowed on this repository.",
                "Rebase merges are not allowed on this repository.",
                "Merge method squash is not allowed by a ruleset.",
                "This branch can't be rebased",
                "This branch must not contain merge commits.",
            )
        ),
        *(
            pytest.param(405, sentence, Kind.REFUSED, id=sentence)
            for sentence in (
                "2 of 2 required status checks are expected.",
                'Required status check "build" is expected.',
                'Required status check "merge conflict" is failing.',
                'Required status check "Base branch was modified" is failing.',
                "At least 1 approving review is required by reviewers with write access.",
                "Repository rule violations found\n\nA conversation must be resolved.",
                "Changes must be made through the merge queue",
                "",
            )
        ),
        pytest.param(422, "Validation Failed", Kind.REFUSED, id="422 for another reason"),
    ],
)
def test_a_refused_merge(status: int, sentence: str, kind: Kind) -> None:
    assert merge_refusal(status, sentence) == MergeAnswer(kind, sentence)


INTEGRATION = "Resource not accessible by integration"


@pytest.mark.parametrize(
    ("sentence", "paths", "said"),
    [
        pytest.param(
            INTEGRATION,
            ["src/a.py", ".github/workflows/ci.yml"],
            f"{INTEGRATION}: the App needs the permission workflows: write.",
            id="workflows changed",
        ),
        pytest.param(
            f"{INTEGRATION}.",
            [".github/workflows.md"],
            f"{INTEGRATION}: the App needs the permission contents: write.",
            id="no workflows changed",
        ),
        pytest.param(
            "refusing to allow a GitHub App to create or update workflow `.github/workflows/a.yml`"
            " without `workflows` permission",
            [".github/workflows/a.yml"],
            "refusing to allow a GitHub App to create or update workflow `.github/workflows/a.yml`"
            " without `workflows` permission",
            id="GitHub names it itself",
        ),
    ],
)
def test_a_merge_that_the_app_may_not_make(sentence: str, paths: list[str], said: str) -> None:
    assert forbidden_merge(sentence, paths) == MergeAnswer(Kind.REFUSED, said)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        pytest.param("Pull request is already in the queue", Kind.QUEUED, id="it is in it"),
        pytest.param("Pull request already queued", Kind.QUEUED, id="it is in it, otherwise put"),
        pytest.param(
            "Head commit does not match the expected head oid", Kind.HEAD_MOVED, id="another head"
        ),
        pytest.param(
            "Pull request Waiting on code owner review", Kind.REFUSED, id="a rule that is not met"
        ),
        pytest.param(
            'Pull request Required status check "already queued" is expected.',
            Kind.REFUSED,
            id="a check, whatever it is called",
        ),
        pytest.param("Pull request is closed", Kind.REFUSED, id="closed"),
    ],
)
def test_a_queue_that_does_not_take_it(sentence: str, kind: Kind) -> None:
    assert enqueue_refusal(sentence) == MergeAnswer(kind, sentence)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        pytest.param(
            "There are no new commits on the base branch.", Kind.MERGED, id="nothing to merge"
        ),
        pytest.param(
            "expected head sha didn’t match current head ref.", Kind.HEAD_MOVED, id="another head"
        ),
        pytest.param("merge conflict between base and head", Kind.CONFLICT, id="a conflict"),
        pytest.param("head ref does not exist", Kind.REFUSED, id="the branch is gone"),
        pytest.param(INTEGRATION, Kind.REFUSED, id="not allowed"),
    ],
)
def test_a_branch_that_is_not_updated(sentence: str, kind: Kind) -> None:
    assert update_refusal(sentence) == MergeAnswer(kind, sentence)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        pytest.param("PUT /repos/o/r/pulls/1/merge: Not: this", "Not: this", id="of a call"),
        pytest.param("Not this", "Not this", id="plain"),
    ],
)
def test_github_s_own_sentence(message: str, sentence: str) -> None:
    assert sentence_of(GitHubProblem(message, 405)) == sentence
