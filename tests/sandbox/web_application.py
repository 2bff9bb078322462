"""A small web application for a box: what it answers is told as data, path by path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bot.domain.plan import HealthCheck, NetworkAccess, Plan, Stage, Step
from bot.domain.web import WebPlan

SERVER = """
import http.server, json, sys, time

PAGES = json.load(open("pages.json"))
COUNTS = {}

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        path = self.path.partition("?")[0]
        page = PAGES.get(path, {"status": 404, "body": "<h1>Not found</h1>"})
        if isinstance(page, list):
            at = COUNTS[path] = COUNTS.get(path, -1) + 1
            page = page[min(at, len(page) - 1)]
        time.sleep(page.get("after", 0))
        self.send_response(page.get("status", 200))
        self.send_header("Content-Type", page.get("type", "text/html; charset=utf-8"))
        for name, value in page.get("headers", {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write((page.get("body", "") * page.get("times", 1)).encode())

    do_POST = do_GET

    def log_message(self, *arguments):
        pass

for line in PAGES.get("says", []):
    print(line, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", 3000), Handler).serve_forever()
"""

Pages = Mapping[str, Any]


def page(body: str, *, head: str = "", **more: Any) -> dict[str, Any]:
    """A page that axe has nothing against, with this in its main part."""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{head}</head><body><main><h1>Welcome</h1>{body}</main></body></html>"
    )
    return {"body": text, **more}


def script(body: str) -> dict[str, Any]:
    return {"type": "text/javascript", "body": body}


def files(pages: Pages) -> dict[str, str]:
    """The tree of such an application."""
    health = {"/up": {"type": "text/plain", "body": "OK"}}
    return {"server.py": SERVER, "pages.json": json.dumps({**health, **pages})}


def plan(web: WebPlan | None = None) -> Plan:
    """Starts it and looks at it in a browser."""
    return Plan(
        steps=(Step(Stage.START, "exec python3 server.py"),),
        health=HealthCheck(port=3000, path="/up", settle_seconds=0.1),
        web=web or WebPlan(),
        prepare_network=NetworkAccess.NONE,
    )
