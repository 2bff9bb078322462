"""Static sites: a folder with an ``index.html``, served as it is."""

from __future__ import annotations

from bot.policy.detect.found import Detected, Found
from bot.policy.detect.tree import Tree

FOLDERS = ("", "public/", "docs/", "site/", "dist/", "_site/", "www/", "src/")
PORT = 8000


def serve(folder: str, port: int = PORT) -> str:
    """The command that serves a folder; Python is in every image that we make."""
    return f"python3 -m http.server {port} --bind 127.0.0.1 --directory {folder}"


def detect_static(tree: Tree) -> Detected | None:
    """A site without anything to build."""
    folder = next((it for it in FOLDERS if tree.has(f"{it}index.html")), None)
    if folder is None:
        return None
    origin = f"{folder}index.html"
    return Detected(
        stack="static site",
        start=Found(serve(folder.rstrip("/") or "."), origin),
        port=Found(PORT, origin),
        health_path=Found("/", origin),
    )
