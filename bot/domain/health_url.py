"""``deployment.health_check_url``: a path, or a URL on the application's own port."""

from __future__ import annotations

from urllib.parse import urlsplit


def port_of(url: str) -> int | None:
    """The port that a health check's URL names; None where it is a path or names none."""
    return urlsplit(url).port if "://" in url.partition("?")[0] else None


def path_of(url: str) -> str:
    """The path and query to ask, ``/`` where there is neither."""
    if url.startswith("/"):
        return url
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
