"""What a GraphQL call costs, as GitHub's documentation reckons it.

Each connection is as many requests as there may be things that have it; a hundred are a point.
https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    parse,
)

REQUESTS_A_POINT = 100
_SIZES = frozenset({"first", "last"})


def cost_of(query: str, variables: Mapping[str, Any]) -> int:
    """The points of a query, one at least."""
    try:
        definitions = parse(query).definitions
    except GraphQLSyntaxError:
        return 1
    fragments = {
        it.name.value: it.selection_set
        for it in definitions
        if isinstance(it, FragmentDefinitionNode)
    }
    requests = sum(
        _requests(it.selection_set, 1, fragments, variables)
        for it in definitions
        if isinstance(it, OperationDefinitionNode)
    )
    return max(1, round(requests / REQUESTS_A_POINT))


def _requests(
    selections: SelectionSetNode | None,
    times: int,
    fragments: Mapping[str, SelectionSetNode],
    variables: Mapping[str, Any],
) -> int:
    """How many requests its connections are, where it is asked for so many things."""
    count = 0
    for it in selections.selections if selections else ():
        if isinstance(it, FieldNode):
            size = _size(it, variables)
            count += times if size is not None else 0
            inside = times if size is None else times * size
            count += _requests(it.selection_set, inside, fragments, variables)
        elif isinstance(it, InlineFragmentNode):
            count += _requests(it.selection_set, times, fragments, variables)
        elif isinstance(it, FragmentSpreadNode):
            count += _requests(fragments.get(it.name.value), times, fragments, variables)
    return count


def _size(field: FieldNode, variables: Mapping[str, Any]) -> int | None:
    """How many things of a connection are asked for; None where it is none."""
    for it in field.arguments or ():
        if it.name.value not in _SIZES:
            continue
        if isinstance(it.value, IntValueNode):
            return int(it.value.value)
        if isinstance(it.value, VariableNode):
            return int(variables.get(it.value.name.value) or 0)
    return None
