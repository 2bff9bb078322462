"""``POST /graphql``: a part of GitHub's schema, executed by a library over the same state.

As on GitHub the answer is 200 also where something is wrong; ``errors`` then says what.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema, build_schema, graphql

from demo.github import access
from demo.github.acts import Acts
from demo.github.answers import GRAPHQL, Refused, body_of, problem
from demo.github.graph_connections import Wrong
from demo.github.graph_cost import cost_of
from demo.github.graph_pulls import EntryNode, PullRequestNode, RepositoryNode, find_pull
from demo.github.objects import Objects
from demo.github.state import RepositoryState, State, User, iso, now

SCHEMA = Path(__file__).with_name("schema.graphql")
POINTS_AN_HOUR = 5_000
_MUTATION = re.compile(r"^\s*mutation\b", re.MULTILINE)


class Graph:
    """The route, and the points that were spent at it."""

    def __init__(self, state: State, objects: Objects, acts: Acts) -> None:
        self._state = state
        self._objects = objects
        self._acts = acts
        self._used = 0

    def add_to(self, application: web.Application) -> None:
        """Add the route."""
        application.router.add_post(GRAPHQL, self._execute)

    async def _execute(self, request: web.Request) -> web.Response:
        account = access.account_of(self._state, request)
        told = await body_of(request)
        query = told.get("query")
        if not isinstance(query, str):
            return problem(400, "A query attribute must be specified and must be a string.")
        visible = [
            it for it in self._state.repositories.values() if access.sees(self._state, request, it)
        ]
        variables = told.get("variables") or {}
        cost = cost_of(query, variables)
        self._used += cost
        root = Root(
            self._state, self._objects, self._acts, account, visible, cost=cost, used=self._used
        )
        result = await graphql(
            schema(),
            query,
            root_value=root,
            variable_values=variables,
            operation_name=told.get("operationName"),
            field_resolver=_resolve,
            type_resolver=lambda value, _info, _type: str(value.typename),
        )
        answered: dict[str, Any] = {}
        if result.data is not None or not result.errors:
            answered["data"] = result.data
        if result.errors:
            answered["errors"] = [_told(it) for it in result.errors]
        return web.json_response(answered)


@dataclass(frozen=True)
class Root:
    """What a query and a mutation begin with."""

    state: State
    objects: Objects
    acts: Acts
    account: User
    visible: list[RepositoryState]
    cost: int
    used: int

    def repository(self, owner: str, name: str, *, follow_renames: bool) -> RepositoryNode:
        del follow_renames
        found = self.state.named(owner, name)
        if found is None or found not in self.visible:
            told = f"Could not resolve to a Repository with the name '{owner}/{name}'."
            raise Wrong("NOT_FOUND", told)
        return RepositoryNode(self.objects, found)

    def node(self, id: str) -> PullRequestNode:  # noqa: A002  as the schema has it
        return PullRequestNode(self.objects, *self._pull(id))

    async def enqueue_pull_request(self, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
        """The mutation: its argument is called so in the schema."""
        repository, pull = self._pull(input["pullRequestId"])
        if not self.state.may_write(repository, self.account):
            raise access.Forbidden("Resource not accessible by integration")
        expected = str(input.get("expectedHeadOid") or "")
        entry = await self.acts.enqueue(repository, pull, by=self.account, expected=expected)
        # Where its merge turned out to conflict with those before it, it is out again at once.
        is_in = repository.entry_of(pull) is not None
        told = EntryNode(self.objects, repository, pull, entry) if is_in else None
        return {"client_mutation_id": input.get("clientMutationId"), "merge_queue_entry": told}

    def rate_limit(self, *, dry_run: bool) -> dict[str, Any]:
        del dry_run
        reset_at = (now() + timedelta(hours=1)).replace(minute=0, second=0)
        return {
            "cost": self.cost,
            "limit": POINTS_AN_HOUR,
            "node_count": 0,
            "remaining": max(0, POINTS_AN_HOUR - self.used),
            "reset_at": iso(reset_at),
            "used": self.used,
        }

    def _pull(self, wanted: str) -> Any:
        found = find_pull(wanted, self.visible)
        if found is None:
            told = f"Could not resolve to a node with the global id of '{wanted}'"
            raise Wrong("NOT_FOUND", told)
        return found


@cache
def schema() -> GraphQLSchema:
    """The part of GitHub's schema that is served."""
    return build_schema(SCHEMA.read_text())


def kind_of(sent: bytes) -> str:
    """``query`` or ``mutation``: what a body asks for."""
    try:
        query = json.loads(sent).get("query")
    except (ValueError, AttributeError):
        query = None
    return "mutation" if isinstance(query, str) and _MUTATION.search(query) else "query"


def _resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    """A field by its name in Python's spelling: of a mapping, or an attribute, or what it gives."""
    name = _snake(info.field_name)
    value = source[name] if isinstance(source, dict) else getattr(source, name)
    return value(**{_snake(key): it for key, it in arguments.items()}) if callable(value) else value


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _told(error: GraphQLError) -> dict[str, Any]:
    """An error as GitHub has it: its kind beside its message."""
    told: dict[str, Any] = dict(error.formatted)
    cause = error.original_error
    if isinstance(cause, Wrong):
        told = {"type": cause.kind, **told}
    elif isinstance(cause, Refused):
        told = {"type": "UNPROCESSABLE", **told}
    elif isinstance(cause, access.Forbidden):
        told = {"type": "FORBIDDEN", **told}
    elif cause is not None:
        raise cause
    return told
