"""GraphQL: where it is, what may be repeated, what its errors mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.adapters.github import graphql
from bot.adapters.github.answers import Answer, Broken, Fine, Limited, Unauthorized, classify_query
from bot.adapters.github.client import repeatable
from bot.ports.github import Forbidden, GitHubProblem, NotFound, Unprocessable

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RESET = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 9)}
SECONDARY = "You have exceeded a secondary rate limit."
TIMEOUT = (
    "Something went wrong while executing your query. This may be the result of a timeout, or it "
    "could be a GitHub bug."
)


@pytest.mark.parametrize(
    ("api_url", "wanted"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://git.example.com/api/v3", "https://git.example.com/api/graphql"),
        ("http://127.0.0.1:1234", "http://127.0.0.1:1234/graphql"),
    ],
)
def test_where_it_is(api_url: str, wanted: str) -> None:
    assert graphql.endpoint_of(api_url) == wanted


def asked(text: str) -> bytes:
    return json.dumps({"query": text, "variables": {}}).encode()


@pytest.mark.parametrize(
    ("method", "path", "body", "wanted"),
    [
        pytest.param("GET", "/repos/o/r", b"", True, id="reading"),
        pytest.param("PUT", "/repos/o/r/pulls/1/merge", b"{}", False, id="merging"),
        pytest.param("PUT", "/repos/o/r/pulls/1/update-branch", b"{}", True, id="updating"),
        pytest.param(
            "DELETE", "/repos/o/r/git/refs/heads/pulls/1/merge", b"", True, id="a branch's end"
        ),
        pytest.param("POST", "/repos/o/r/issues/1/comments", b"{}", False, id="creating"),
        pytest.param("POST", "/app/installations/1/access_tokens", b"{}", True, id="minting"),
        pytest.param("POST", "/graphql", asked(graphql.situations([1])), True, id="situations"),
        pytest.param("POST", "/graphql", asked(graphql.NUMBERS), True, id="numbers"),
        pytest.param("POST", "/graphql", asked(graphql.MORE_THREADS), True, id="threads"),
        pytest.param("POST", "/graphql", asked(graphql.MORE_CONTEXTS), True, id="checks"),
        pytest.param("POST", "/graphql", asked(graphql.ENQUEUE), False, id="a mutation"),
    ],
)
def test_what_may_be_repeated(method: str, path: str, body: bytes, wanted: bool) -> None:
    assert repeatable(method, f"https://api.github.com{path}", body) is wanted


def error(kind: str, message: str, *path: object) -> dict[str, Any]:
    return {"message": message, "path": list(path)} | ({"type": kind} if kind else {})


@pytest.mark.parametrize(
    ("status", "headers", "errors", "wanted"),
    [
        pytest.param(200, {}, [], Fine(), id="fine"),
        pytest.param(200, {}, [error("NOT_FOUND", "No")], Fine(), id="an error of what was asked"),
        pytest.param(
            200,
            RESET,
            [error("RATE_LIMITED", "API rate limit exceeded")],
            Limited(10.0, True, "API rate limit exceeded"),
            id="the primary limit",
        ),
        pytest.param(
            200,
            {"retry-after": "7"},
            [error("", SECONDARY)],
            Limited(7.0, False, SECONDARY),
            id="the secondary limit, told by 200",
        ),
        pytest.param(
            200, {}, [error("", TIMEOUT)], Broken(2.0, TIMEOUT), id="too slow, told by 200"
        ),
        pytest.param(502, {}, [], Broken(2.0, "HTTP 502"), id="too slow, told by 502"),
        pytest.param(401, {}, [], Unauthorized("HTTP 401"), id="the token"),
    ],
)
def test_answers(
    status: int, headers: dict[str, str], errors: list[dict[str, Any]], wanted: Answer
) -> None:
    body = json.dumps({"data": None} | ({"errors": errors} if errors else {})).encode()
    assert classify_query(status, headers, body, NOW) == wanted


def test_an_answer_that_is_no_json() -> None:
    assert classify_query(502, {}, b"<html>", NOW) == Broken(2.0, "HTTP 502")


@pytest.mark.parametrize(
    ("told", "problem", "said"),
    [
        pytest.param(
            {"data": {"repository": None}, "errors": [error("NOT_FOUND", "No", "repository")]},
            NotFound,
            "GraphQL: No",
            id="no such repository",
        ),
        pytest.param(
            {
                "data": {"repository": {"p1": {"commits": None}}},
                "errors": [error("FORBIDDEN", "Resource not…", "repository", "p1", "commits")],
            },
            Forbidden,
            "GraphQL: Resource not…",
            id="a part that the App may not see is not taken for nothing",
        ),
        pytest.param(
            {"data": {"enqueuePullRequest": None}, "errors": [error("UNPROCESSABLE", "Closed")]},
            Unprocessable,
            "GraphQL: Closed",
            id="a mutation that is refused",
        ),
        pytest.param(
            {"errors": [error("", "Field 'x' doesn't exist")]},
            GitHubProblem,
            "GraphQL: Field 'x' doesn't exist",
            id="a query that is none",
        ),
        pytest.param({"message": "odd"}, GitHubProblem, "without data", id="nothing at all"),
    ],
)
def test_errors(told: dict[str, Any], problem: type[GitHubProblem], said: str) -> None:
    with pytest.raises(problem, match=said) as raised:
        graphql.data_of(told)
    assert type(raised.value) is problem


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param([], id="none"),
        pytest.param(
            [error("NOT_FOUND", "No", "repository", "p1")], id="one of several is not there"
        ),
        pytest.param(
            [error("FORBIDDEN", "No", "repository", "p1", "closingIssuesReferences", "nodes", 0)],
            id="an issue elsewhere",
        ),
        pytest.param(
            [error("FORBIDDEN", "No", "repository", "p1", "headRepository")], id="a fork elsewhere"
        ),
    ],
)
def test_errors_that_are_not_in_the_way(errors: list[dict[str, Any]]) -> None:
    data: dict[str, Any] = {"repository": {"p1": None, "p2": {}}}
    assert graphql.data_of({"data": data, "errors": errors}) == data
