"""Addresses of code: which are taken, and what of them may be shown. Pure.

::

    https://[user[:password]@]host[:port]/path    http:// the same
    ssh://[user@]host[:port]/path                 [user@]host:path
    file:///path   /path   ./path   path          a folder of this machine

Everything else is refused: other schemes, ``helper::address`` (git would run
``git-remote-helper``), hosts and users that begin with a dash (ssh would take them for an option),
control characters.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_NAME}|\[[0-9A-Fa-f:.]+\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<user>[^/]*)@)?(?P<host>\[[^\]/]*\]|[^/:@]*)(?::(?P<port>[0-9]{1,5}))?(?P<path>/.*)?"
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SCP = re.compile(r"(?:(?P<user>[^/:@]*)@)?(?P<host>[^/:@]+):(?P<path>.+)")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s'\"]*@")
_FULL_SHA = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_SHORT_SHA = re.compile(r"[0-9a-fA-F]{4,63}")
# What git-check-ref-format(1) forbids, and every character that has a meaning in a refspec.
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|[/.]$|\.lock(?:/|$)|^@$")


class Refused(ValueError):
    """An address or a ref that is not taken; the text is a clause that says why."""


@dataclass(frozen=True)
class Remote:
    """A repository on another machine.

    ``port`` is None where it is the scheme's own; ``scp`` says that ``path`` is one of the form
    ``host:path``. ``authorization`` is the value of the HTTP header that the address's own user and
    password make, empty without them: they are in no other field, so ``url`` may be shown.
    """

    scheme: str
    host: str
    path: str
    port: int | None = None
    user: str = ""
    scp: bool = False
    authorization: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """What git is given: without a password."""
        account = f"{self.user}@" if self.user else ""
        if self.scp:
            return f"{account}{self.host}:{self.path}"
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{account}{self.host}{port}{self.path}"

    @property
    def site(self) -> tuple[str, str, int | None]:
        """What has to be equal for a credential to be sent along."""
        return self.scheme, self.host, self.port


@dataclass(frozen=True)
class LocalPath:
    """A folder of this machine."""

    path: str


def parse_address(location: str) -> Remote | LocalPath:
    """Judge an address. Raises Refused."""
    if not location or _CONTROL.search(location):
        raise Refused("it is empty or has control characters in it")
    if _HELPER.match(location):
        raise Refused("addresses of the form helper::address are not taken")
    if url := _URL.fullmatch(location):
        return _from_url(url)
    if _SCHEME.match(location):
        raise Refused("it is no address that git understands")
    scp = _SCP.fullmatch(location)
    if scp and not location.startswith((".", "/")):
        path = scp["path"]
        if path.startswith("-"):
            raise Refused("its path begins with a dash")
        return Remote("ssh", _host(scp["host"]), path, user=_user(scp["user"]), scp=True)
    if location.startswith("-"):
        raise Refused("it begins with a dash, as an option does")
    return LocalPath(location)


def address_beside(origin: Remote, address: str) -> Remote:
    """Where a submodule of ``origin`` is fetched from: the same host, or Refused.

    A relative address (``../other.git``) is resolved as git does. An ssh address on the host of an
    HTTP origin is fetched as the origin is: ``git@host:path`` is how people write submodules whose
    repositories a token opens. The origin's credentials go to its own site only, and HTTPS never
    falls back to HTTP.
    """
    if address.startswith(("./", "../")):
        return replace(origin, path=_resolved(origin, address))
    found = parse_address(address)
    if isinstance(found, LocalPath):
        raise Refused("its address is a path of a machine")
    if found.host != origin.host:
        raise Refused(f"it is on another host ({found.host})")
    if found.site == origin.site and origin.scheme != "ssh":
        return replace(origin, path=found.path)
    if origin.scheme in ("http", "https") and found.scheme == "ssh":
        return replace(origin, path="/" + found.path.lstrip("/"))
    if found.port != origin.port:
        raise Refused("it is on another port of the host")
    if found.scheme == "http":
        raise Refused("its address is not encrypted, but the repository's is")
    return replace(found, authorization="")


def check_ref(ref: str) -> None:
    """Refuse what is no branch, tag, full ref or commit. Raises Refused."""
    if not ref or len(ref) > 1024 or _BAD_REF.search(ref):
        raise Refused("it is no name that a branch, a tag or a commit can have")


def check_revision(revision: str) -> None:
    """Refuse what git could take for an option; a local repository may be asked for ``HEAD~1``."""
    if not revision or len(revision) > 1024 or revision[0] == "-" or _CONTROL.search(revision):
        raise Refused("it is no name that a branch, a tag or a commit can have")


def is_full_sha(ref: str) -> bool:
    """Whether a ref is a whole object name."""
    return _FULL_SHA.fullmatch(ref) is not None


def is_short_sha(ref: str) -> bool:
    """Whether a ref can be the beginning of an object name."""
    return _SHORT_SHA.fullmatch(ref) is not None and not is_full_sha(ref)


def without_credentials(text: str) -> str:
    """A text with the user and password of every URL in it taken out."""
    return _CREDENTIALS.sub("", text)


def shown(name: str) -> str:
    """A path or name from outside as it may stand in a sentence: one line, at most 80 letters."""
    plain = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in name
    )
    return plain if len(plain) <= 80 else f"{plain[:77]}…"


def _from_url(url: re.Match[str]) -> Remote | LocalPath:
    scheme, path = url["scheme"].lower(), url["path"] or ""
    if "\\" in url[0]:
        raise Refused("it has a backslash in it, which programs read differently")
    if scheme == "file":
        if url["host"] not in ("", "localhost") or not path:
            raise Refused("a file:// address must be a path of this machine")
        return LocalPath(unquote(path))
    if scheme not in _DEFAULT_PORTS:
        raise Refused(f"{scheme}:// is not taken; https, http and ssh are")
    if len(path) < 2 or " " in path:
        raise Refused("its path is missing or has spaces in it")
    port = int(url["port"]) if url["port"] else None
    if port == _DEFAULT_PORTS[scheme]:
        port = None
    host, user = _host(url["host"]), url["user"] or ""
    if scheme == "ssh":
        return Remote(scheme, host, path, port, _user(user.partition(":")[0]))
    return Remote(scheme, host, path, port, authorization=_basic(user))


def _host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise Refused("its host is no host name")
    return host.lower()


def _user(user: str | None) -> str:
    if user and not _USER.fullmatch(user):
        raise Refused("its user is no user name")
    return user or ""


def _basic(userinfo: str) -> str:
    if not userinfo:
        return ""
    user, _, password = userinfo.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _resolved(origin: Remote, address: str) -> str:
    parts = origin.path.rstrip("/").split("/")
    while address.startswith(("./", "../")):
        step, _, address = address.partition("/")
        if step == "..":
            if not any(parts):
                raise Refused("its address leads out of the host's repositories")
            parts.pop()
    rest = address.rstrip("/")
    if not rest or ".." in rest.split("/") or " " in rest or _CONTROL.search(rest):
        raise Refused("its address leads nowhere")
    return "/".join([*parts, rest])
