"""How the stand-in answers: objects with ETags, pages, refusals."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aiohttp import web

GRAPHQL = "/graphql"
PER_PAGE = 30
MOST_PER_PAGE = 100


class Refused(Exception):
    """What GitHub answers, with which status, where it will not do a thing."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def answer(request: web.Request, found: Any, *, status: int = 200) -> web.Response:
    """An object, with an ETag; 304 where the caller has it already."""
    text = json.dumps(found)
    if request.method != "GET":
        return web.Response(text=text, status=status, content_type="application/json")
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()}"'
    headers = {"ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def paged(request: web.Request, found: list[Any], key: str = "") -> web.Response:
    """One page of a list, with GitHub's ``Link`` header."""
    size = min(int(request.query.get("per_page", PER_PAGE)), MOST_PER_PAGE)
    page = max(1, int(request.query.get("page", 1)))
    items = found[(page - 1) * size : page * size]
    response = answer(request, {"total_count": len(found), key: items} if key else items)
    if page * size < len(found):
        following = request.url.update_query({"page": str(page + 1)})
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


def problem(status: int, message: str) -> web.Response:
    """A refusal."""
    told = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    return web.json_response(told, status=status)


def not_found() -> web.Response:
    """404."""
    return problem(404, "Not Found")


def number(request: web.Request, name: str) -> int:
    """A number of the path; one that is none is nothing that exists."""
    text = request.match_info[name]
    return int(text) if text.isdigit() else 0


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object that was sent, empty where there is none."""
    sent = await request.read()
    told = json.loads(sent) if sent else {}
    return told if isinstance(told, dict) else {}
