"""Import cycles that the head has and the base has not. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

MOST_NEW_IMPORTS = 2000
"""More new imports than these are a new project, where no cycle is worth telling as new."""


def new_cycles(head: Iterable[Json], base: Iterable[Json]) -> list[Json]:
    """The shortest cycle through each import that closes one, each told once; short ones first."""
    edges, before = _edges(head), _edges(base)
    added = [
        (tail, end, line)
        for tail, ends in edges.items()
        for end, line in ends.items()
        if end not in before.get(tail, ())
    ]
    cycles, told = [], set()
    for tail, end, line in added[:MOST_NEW_IMPORTS]:
        way = _way(edges, end, tail)
        if way and frozenset(way) not in told:
            told.add(frozenset(way))
            cycles.append({"file": tail, "line": line, "files": [tail, *way]})
    return sorted(cycles, key=lambda it: (len(it["files"]), it["file"], it["line"]))


def _edges(imports: Iterable[Json]) -> dict[str, dict[str, int]]:
    """Which file imports which while it is loaded, each with its line."""
    edges: dict[str, dict[str, int]] = {}
    for it in imports:
        file, target = it["file"], it["target"]
        if target and target != file and not it["dynamic"] and not it["type_only"]:
            edges.setdefault(file, {}).setdefault(target, it["line"])
    return edges


def _way(edges: Mapping[str, Mapping[str, int]], start: str, goal: str) -> list[str]:
    """The shortest way from a file to another, both included; empty where there is none."""
    came: dict[str, str] = {start: ""}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        if node == goal:
            way = [node]
            while came[way[-1]]:
                way.append(came[way[-1]])
            return way[::-1]
        for following in edges.get(node, ()):
            if following not in came:
                came[following] = node
                queue.append(following)
    return []
