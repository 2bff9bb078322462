"""Reads ports and paths off an application's source text, without running or parsing it."""

from __future__ import annotations

import re

_PORTS = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"(?:env\.PORT|\[.PORT.\]|(?:\.get|getenv)\(.PORT.)\s*(?:\|\||\?\?|,)\s*['\"]?(\d{2,5})\b",
        r"\.listen\(\s*(?:\{\s*port\s*:\s*)?['\"]?(\d{2,5})\b",
        r"\b[Pp](?:ort|ORT)\s*(?::\s*(?:int|number)\s*)?[:=]\s*['\"]?(\d{2,5})\b",
        r"ListenAndServe\(\s*\"[^\"]*:(\d{2,5})\"",
    )
)
_ARGUMENT_PORTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:^|[\s;&])PORT=(\d{2,5})\b",
        r"--(?:port|server\.port)[= ]['\"]?(\d{2,5})\b",
        r"(?:^|\s)-(?:p|l)[= ]?(\d{2,5})\b",
        r"(?:--bind|-b|--listen|--addr)[= ]['\"]?[\w.\[\]]*:(\d{2,5})\b",
        r"\brunserver\s+(?:[\w.]+:)?(\d{2,5})\b",
        r"\bhttp\.server\s+(\d{2,5})\b",
        r"\bphp\s+-S\s+[\w.]+:(\d{2,5})\b",
    )
)
_HEALTH_ROUTE = re.compile(
    r"['\"](/(?:api/)?(?:health|healthz|health[_-]check|livez|readyz|_health)/?)['\"]"
)
_DJANGO_HEALTH = re.compile(r"\bpath\(\s*r?['\"]((?:health|healthz|livez)/?)['\"]")
_ROOT_ROUTE = re.compile(
    r"(?:\.(?:get|all|route|use|api_route)|add_get|Route)\(\s*['\"]/['\"]"
    r"|express\.static|serveStatic|StaticFiles|serve-static"
)
_GET_ROUTE = re.compile(r"(?:\.(?:get|route)|add_get|Route)\(\s*['\"](/[\w./-]+)['\"]")


def port_in_source(source: str) -> int | None:
    """The port that a program listens on by itself."""
    return _first_port(_PORTS, source)


def port_in_command(command: str) -> int | None:
    """The port that a command names."""
    return _first_port(_ARGUMENT_PORTS, command)


def reads_port_variable(source: str) -> bool:
    """Whether a program or command takes its port from the variable PORT."""
    return bool(
        re.search(
            r"env\.PORT\b|env\[.PORT.\]|environ(?:\.get\(|\[).PORT.|getenv\(.PORT.|\$\{?PORT\b",
            source,
            re.IGNORECASE,
        )
    )


def health_route(source: str) -> str | None:
    """The health route that a source names literally."""
    found = _HEALTH_ROUTE.search(source)
    if found:
        return found[1]
    django = _DJANGO_HEALTH.search(source)
    return f"/{django[1]}" if django else None


def other_route(source: str) -> str | None:
    """A plain GET route to ask where the source has none for ``/``."""
    if _ROOT_ROUTE.search(source):
        return None
    found = _GET_ROUTE.search(source)
    return found[1] if found else None


def _first_port(patterns: tuple[re.Pattern[str], ...], text: str) -> int | None:
    for pattern in patterns:
        found = pattern.search(text)
        if found and 0 < int(found[1]) < 65536:
            return int(found[1])
    return None
