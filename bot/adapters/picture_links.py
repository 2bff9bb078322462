"""What a check run shows of the pictures on its validation's page: links, and one picture itself.

GitHub fetches a picture by its own proxy, without anybody's cookie: one is shown only where all the
world may fetch it.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from bot.adapters.report_view import WebSection

WIDTH = 480


def whole_report(url: str, web: WebSection | None) -> str:
    """A line of links, and below it the picture that tells a failure, where it can be shown."""
    links = [f"[The whole report and log]({url})"]
    pictures = [it for it in web.pictures if it.id] if web else []
    if pictures:
        count = len(pictures)
        links.append(f"[{count} screenshot{'s' if count > 1 else ''}]({url}#web)")
    if web and web.comparison and web.comparison.pictures:
        links.append(f"[before and after]({url}#base)")
    told = next((it for it in pictures if web and it.name == web.telling), None)
    shown = ""
    if told is not None and open_to_all(url):
        shown = f'\n<img width="{WIDTH}" alt="Screenshot" src="{url}/artifacts/{told.id}">\n'
    return f"\n{' · '.join(links)}\n{shown}"


def open_to_all(url: str) -> bool:
    """Whether the address is https, unsigned, and of a host that the world may know."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" or parts.query or "." not in host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return not host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
