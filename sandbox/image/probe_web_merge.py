"""Several visits of one page as one: what repeats is told, what does not is told as flaky."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from probe_web_page import Visit

LISTS = ("console", "exceptions", "requests")
VITALS = ("lcp_ms", "cls", "ttfb_ms", "transfer_bytes")
Item = dict[str, Any]


def key(kind: str, item: Item) -> str:
    """What makes two sightings the same: not the place, which a bundler may move."""
    names = {"console": ["text"], "exceptions": ["text"], "requests": ["method", "url", "status"]}
    return json.dumps([kind, *(item.get(name) for name in names[kind])])


def keys(visit: Visit) -> set[str]:
    """All troubles of a visit."""
    found = {key(kind, item) for kind in LISTS for item in visit.heard.get(kind, [])}
    return found | ({json.dumps(["fault", visit.fault["kind"]])} if visit.fault else set())


def merged(visits: Sequence[Visit]) -> tuple[Visit, Item]:
    """The visit that shows the page best, and what the report is told of it.

    ``visits`` are not empty. With one visit only nothing is known to be flaky.
    """
    best = next((it for it in visits if not it.fault), visits[0])
    faults = [it.fault for it in visits if it.fault]
    flaky_fault = bool(faults) and not all(it.fault for it in visits)
    told: Item = {
        "path": best.path,
        "size": best.size,
        "status": best.status,
        "url": best.url,
        "title": best.title,
        "fault": {**faults[0], "flaky": flaky_fault} if faults else None,
        "third_party": max(it.heard.get("third_party", 0) for it in visits),
        "missing": list(dict.fromkeys(it for one in visits for it in one.heard.get("missing", []))),
        "left_out": max(it.heard.get("left_out", 0) for it in visits),
        "violations": next((it.violations for it in visits if it.violations is not None), None),
        "vitals": _median([it.vitals for it in visits if it.vitals is not None]),
        "notes": list(dict.fromkeys(note for it in visits for note in it.notes))[:5],
        "seconds": round(sum(it.seconds for it in visits), 3),
    }
    for kind in LISTS:
        told[kind] = sightings(
            [it.heard.get(kind, []) for it in visits], lambda it, k=kind: key(k, it)
        )
    return best, told


def sightings(lists: Sequence[Sequence[Item]], name: Callable[[Item], str]) -> list[Item]:
    """The items of several visits; one that was seen once in several visits is flaky."""
    first: dict[str, Item] = {}
    counts: dict[str, int] = {}
    for items in lists:
        for item in items:
            first.setdefault(name(item), {k: v for k, v in item.items() if k != "id"})
        for one in {name(item) for item in items}:
            counts[one] = counts.get(one, 0) + 1
    several = len(lists) > 1
    return [{**item, "flaky": several and counts[one] == 1} for one, item in first.items()][:30]


def _median(found: Sequence[Item]) -> Item | None:
    if not found:
        return None
    values: Item = {"runs": len(found)}
    for name in VITALS:
        numbers = [it[name] for it in found if isinstance(it.get(name), int | float)]
        values[name] = round(statistics.median(numbers), 4) if numbers else None
    return values
