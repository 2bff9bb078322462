"""The stand-in's GraphQL: its schema a part of GitHub's, its answers those of the REST's state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    parse,
    print_ast,
    validate,
)
from graphql.type import is_required_argument, is_required_input_field

from demo.github.graph import schema
from demo.github.graph_cost import cost_of
from tests.contract.github_calls import call, call_at, commit, held_to
from tests.contract.github_events import Webhooks
from tests.contract.github_queries import ALL, ENQUEUE, ONE, ask, published, pull_request
from tests.stand_in import Stage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contract() -> Webhooks:
    return Webhooks()


@pytest.fixture
async def on(tmp_path: Path, contract: Webhooks) -> AsyncIterator[Stage]:
    async with held_to(contract, tmp_path) as it:
        yield it


def foreign(ours: GraphQLNamedType) -> Iterator[str]:
    """What of a type is not GitHub's."""
    theirs = published().type_map.get(ours.name)
    if type(theirs) is not type(ours):
        yield f"{ours.name} is none of GitHub's"
    elif isinstance(ours, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
        yield from (f"{ours.name}.{it}" for it in ours.values if it not in theirs.values)
    elif isinstance(ours, GraphQLUnionType) and isinstance(theirs, GraphQLUnionType):
        known = {it.name for it in theirs.types}
        yield from (f"{ours.name}: {it.name}" for it in ours.types if it.name not in known)
    elif isinstance(ours, GraphQLInputObjectType) and isinstance(theirs, GraphQLInputObjectType):
        yield from differing(ours.name, ours.fields, theirs.fields)
        needed = (name for name, it in theirs.fields.items() if is_required_input_field(it))
        yield from (f"{ours.name} lacks {it}" for it in needed if it not in ours.fields)
    elif isinstance(ours, GraphQLObjectType | GraphQLInterfaceType):
        yield from foreign_fields(ours, theirs)


def foreign_fields(ours: Any, theirs: Any) -> Iterator[str]:
    known = {it.name for it in theirs.interfaces}
    yield from (f"{ours.name}: {it.name}" for it in ours.interfaces if it.name not in known)
    yield from differing(ours.name, ours.fields, theirs.fields)
    for name, field in ours.fields.items():
        if name in theirs.fields:
            of = f"{ours.name}.{name}"
            yield from differing(of, field.args, theirs.fields[name].args)
            needed = (
                key for key, it in theirs.fields[name].args.items() if is_required_argument(it)
            )
            yield from (f"{of} lacks {it}" for it in needed if it not in field.args)


def differing(of: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    for name, it in ours.items():
        if name not in theirs:
            yield f"{of}.{name}"
        elif str(it.type) != str(theirs[name].type):
            yield f"{of}.{name} is {it.type} and not {theirs[name].type}"
        elif default_of(it) != default_of(theirs[name]):
            yield f"{of}.{name} is something else by default"


def default_of(it: Any) -> str:
    default = getattr(it.ast_node, "default_value", None)
    return print_ast(default) if default else ""


def test_the_schema_is_a_part_of_githubs() -> None:
    own = [it for name, it in schema().type_map.items() if not name.startswith("__")]
    assert len(own) > 40
    assert [fault for it in own for fault in foreign(it)] == []


@pytest.mark.parametrize("query", [ONE, ALL, ENQUEUE], ids=["one", "all", "enqueue"])
def test_what_is_asked_may_be_asked_of_github(query: str) -> None:
    assert validate(published(), parse(query)) == []
    assert validate(schema(), parse(query)) == []


async def test_a_pull_request_is_told_with_all_that_a_merge_needs(on: Stage) -> None:
    github, shop = on.github, on.shop
    issue = github.open_issue(shop, author=on.mallory, title="Say it!")
    head = await commit(shop, "main", "It.", to="change")
    pull = await github.open_pull_request(
        shop, "change", author=on.mallory, title="Say it", body=f"Fixes #{issue.number}"
    )
    await github.label_issue(shop, pull, "automerge", sender=on.alice)
    await github.submit_review(shop, pull, "approved", author=on.alice)
    thread = await github.open_thread(shop, pull, "Hm?", author=on.alice)
    await github.open_thread(shop, pull, "Oh!", author=on.alice)
    await github.resolve_thread(shop, thread, sender=on.mallory)
    answered = await ask(on, ONE, number=pull.number)
    assert set(answered) == {"data"}
    assert answered["data"]["rateLimit"]["cost"] == 1
    repository = answered["data"]["repository"]
    found = repository.pop("pullRequest")
    assert repository == {
        "mergeCommitAllowed": True,
        "squashMergeAllowed": True,
        "rebaseMergeAllowed": True,
        "deleteBranchOnMerge": False,
    }
    _, rest = await call(on, "GET", f"pulls/{pull.number}")
    assert (found["id"], found["url"], found["body"]) == tuple(
        rest[it] for it in ("node_id", "html_url", "body")
    )
    assert (found["createdAt"], found["headRefOid"]) == (rest["created_at"], head)
    assert found["baseRefOid"] == found["baseRef"]["target"]["oid"] == await shop.commit("main")
    assert found["author"] == {
        "__typename": "User",
        "login": "mallory",
        "databaseId": on.mallory.id,
    }
    assert (found["mergeable"], found["mergeStateStatus"]) == ("MERGEABLE", "CLEAN")
    assert (found["state"], found["reviewDecision"], found["mergeQueueEntry"]) == (
        "OPEN",
        None,
        None,
    )
    assert found["labels"]["nodes"] == [{"name": "automerge"}]
    review = found["latestOpinionatedReviews"]["nodes"][0]
    assert (review["state"], review["author"]["login"]) == ("APPROVED", "alice")
    assert review["commit"]["oid"] == head
    assert [it["isResolved"] for it in found["reviewThreads"]["nodes"]] == [True, False]
    references = found["closingIssuesReferences"]["nodes"]
    assert references == [{"number": issue.number, "repository": {"databaseId": shop.id}}]
    assert found["commits"]["nodes"] == [{"commit": {"oid": head, "statusCheckRollup": None}}]


async def test_a_merged_one_and_a_bots_name(on: Stage) -> None:
    bot = on.github.state.user("helper[bot]", "Bot")
    await commit(on.shop, "main", "It.", to="change")
    pull = await on.github.open_pull_request(on.shop, "change", author=bot)
    sha = await on.github.merge(on.shop, pull, by=on.alice)
    found = await pull_request(on, pull.number)
    assert (found["state"], found["merged"], found["mergeCommit"]) == ("MERGED", True, {"oid": sha})
    assert (found["mergeable"], found["mergeStateStatus"]) == ("UNKNOWN", "UNKNOWN")
    assert found["author"] == {"__typename": "Bot", "login": "helper", "databaseId": bot.id}
    assert found["baseRefOid"] != found["baseRef"]["target"]["oid"] == sha


async def test_both_words_of_one_look_agree(on: Stage) -> None:
    on.github.state.slow_mergeability = True
    await commit(on.shop, "main", "It.", to="change")
    pull = await on.github.open_pull_request(on.shop, "change", author=on.alice)
    looks = [await pull_request(on, pull.number) for _ in range(2)]
    assert [(it["mergeable"], it["mergeStateStatus"]) for it in looks] == [
        ("UNKNOWN", "UNKNOWN"),
        ("MERGEABLE", "CLEAN"),
    ]


async def test_pages_follow_one_another(on: Stage) -> None:
    for number in range(5):
        await commit(on.shop, "main", str(number), to=f"change-{number}")
        await on.github.open_pull_request(on.shop, f"change-{number}", author=on.alice)
    closed = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
    await on.github.close(on.shop, closed, sender=on.alice)
    await on.github.open_pull_request(on.shop, "typo-in-total", author=on.alice, base="change-1")
    seen: list[int] = []
    more: list[bool] = []
    after: str | None = None
    for _ in range(3):
        answered = await ask(on, ALL, base="main", size=2, after=after)
        page = answered["data"]["repository"]["pullRequests"]
        assert page["totalCount"] == 5
        seen += [it["number"] for it in page["nodes"]]
        more.append(page["pageInfo"]["hasNextPage"])
        after = page["pageInfo"]["endCursor"]
    assert (seen, more) == ([1, 2, 3, 4, 5], [True, True, False])


async def test_a_page_may_be_counted_from_the_end(on: Stage) -> None:
    await commit(on.shop, "main", "One.", to="change")
    shas = [await commit(on.shop, "change", text) for text in ("Two.", "Three.")]
    pull = await on.github.open_pull_request(on.shop, "change", author=on.alice)
    fields = "totalCount pageInfo { hasPreviousPage startCursor } nodes { commit { oid } }"
    asked = f"commits(last: %s) {{ {fields} }}"
    of_pull = f"pullRequest(number: {pull.number}) {{ %s }}"
    answered = await ask(on, OF_ONE % (of_pull % (asked % "2")))
    page = answered["data"]["repository"]["pullRequest"]["commits"]
    assert [it["commit"]["oid"] for it in page["nodes"]] == shas
    assert (page["totalCount"], page["pageInfo"]["hasPreviousPage"]) == (3, True)
    before = f'1, before: "{page["pageInfo"]["startCursor"]}"'
    answered = await ask(on, OF_ONE % (of_pull % (asked % before)))
    page = answered["data"]["repository"]["pullRequest"]["commits"]
    assert [it["commit"]["oid"] in shas for it in page["nodes"]] == [False]
    assert page["pageInfo"]["hasPreviousPage"] is False


OF_ONE = "query ($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { %s } }"


@pytest.mark.parametrize(
    ("asked", "kind", "path", "message"),
    [
        ("pullRequest(number: 9) { id }", "NOT_FOUND", "pullRequest", "with the number of 9."),
        ("pullRequests { totalCount }", "MISSING_PAGINATION_BOUNDARIES", "pullRequests", "`first`"),
        (
            "pullRequests(first: 101) { totalCount }",
            "EXCESSIVE_PAGINATION",
            "pullRequests",
            "exceeds the `first` limit of 100 records.",
        ),
        (
            'pullRequests(first: 1, after: "no") { totalCount }',
            "INVALID_CURSOR_ARGUMENTS",
            "pullRequests",
            "`no` does not appear to be a valid cursor.",
        ),
    ],
)
async def test_what_is_wrong_is_told_beside_the_data(
    on: Stage, asked: str, kind: str, path: str, message: str
) -> None:
    answered = await ask(on, OF_ONE % asked)
    error = answered["errors"][0]
    assert (error["type"], error["path"]) == (kind, ["repository", path])
    assert message in error["message"]
    assert error["locations"]


async def test_who_may_ask(on: Stage) -> None:
    query = OF_ONE % "databaseId"
    assert (await ask(on, query, by=on.mallory))["data"]["repository"]["databaseId"] == on.shop.id
    on.shop.private = True
    hidden = await ask(on, query, by=on.mallory)
    assert hidden["data"] == {"repository": None}
    error = hidden["errors"][0]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["repository"])
    assert error["message"] == "Could not resolve to a Repository with the name 'octo/shop'."
    assert (await ask(on, query, by=on.alice))["data"]["repository"]["databaseId"] == on.shop.id
    status, answered = await call_at(on, "POST", "/graphql", {"query": 1})
    assert (status, answered["message"]) == (
        400,
        "A query attribute must be specified and must be a string.",
    )


async def test_what_the_schema_does_not_have_is_not_executed(on: Stage) -> None:
    answered = await ask(on, OF_ONE % "stars")
    assert "data" not in answered
    assert "stars" in answered["errors"][0]["message"]


@pytest.mark.parametrize(
    ("query", "points"),
    [
        pytest.param("{ rateLimit { cost } }", 1, id="one at least"),
        pytest.param("{ a(first: 100) { b(last: 10) { c } } }", 1, id="101 requests"),
        pytest.param("{ a(first: 100) { b(last: $many) { c(first: 1) { d } } } }", 51, id="5,101"),
        pytest.param("{ a(first: 100) { ...f } } fragment f on A { b(first: 9) }", 1, id="spread"),
        pytest.param("{ a(first: 50) { ... on A { b(last: 4) { c(first: 1) } } } }", 3, id="251"),
        pytest.param("{ no", 1, id="unreadable"),
    ],
)
def test_what_a_query_costs(query: str, points: int) -> None:
    assert cost_of(query, {"many": 50}) == points


async def test_calls_are_counted_by_their_kind(on: Stage) -> None:
    await ask(on, OF_ONE % "id")
    await ask(on, "query { rateLimit { used } }")
    await call(on, "GET", "pulls")
    assert on.github.kinds == {"graphql query": 2, "GET /repos/{owner}/{name}/pulls": 1}
    told = await ask(on, "query { rateLimit { limit used remaining } }")
    assert told["data"]["rateLimit"] == {"limit": 5000, "used": 3, "remaining": 4997}
