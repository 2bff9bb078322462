"""What git complains of, in words that its user understands, and whose fault it is. Pure."""

from __future__ import annotations

import re

from bot.adapters.git.address import without_credentials
from bot.ports.source import SourceProblem

_NO_REF = re.compile(r"couldn't find remote ref|not our ref|no such remote ref", re.IGNORECASE)
_UNADVERTISED = re.compile(r"does not allow request for unadvertised object")
_OTHER_FORMAT = re.compile(r"mismatched algorithms: client \w+; server (sha1|sha256)")
_PREFIX = re.compile(r"^(?:fatal|error|warning|remote|ssh): *", re.MULTILINE)

# ssh's and git's standing advice, which says nothing of what happened.
_ADVICE = re.compile(
    r"could not read from remote repository|please make sure you have|and the repository exists",
    re.IGNORECASE,
)

# (what git says, what we say of {url}, ours). The first that fits is taken.
_MEANINGS = [
    (
        r"repository .*not found|returned error: 404|does not exist|not appear to be a git repo",
        "There is no repository at {url}, or it is private and nothing here may read it",
        False,
    ),
    (
        r"could not read (user|pass)|authentication failed|error: 40[13]|denied \(|host key",
        "Access to {url} was denied, or there is no such repository",
        False,
    ),
    (
        r"not valid: is this a git repository|invalid index-pack output|protocol error",
        "There is no git repository at {url}",
        False,
    ),
    (
        r"returned error: 30\d|unable to update url base|redirect",
        "{url} redirects elsewhere; give the address that it redirects to",
        False,
    ),
    (r"could not resolve|not known|name resolution", "The host of {url} could not be found", True),
    (r"returned error: (5\d\d|429)", "The host of {url} answered with a fault", True),
    (r"no space left|disk quota", "The disk is full", True),
    (r"cannot run ssh|unable to fork", "Git could not start what fetches from {url}", True),
    (
        r"connect|timed out|too slow|unreachable|empty reply|early eof",
        "The host of {url} could not be reached",
        True,
    ),
    (r"ssl|certificate|tls", "The host of {url} could not be trusted", True),
]
_COMPILED = [(re.compile(said, re.IGNORECASE), words, ours) for said, words, ours in _MEANINGS]


def is_missing_ref(complaint: str) -> bool:
    """Whether the server has no such ref or object."""
    return _NO_REF.search(complaint) is not None


def is_unadvertised(complaint: str) -> bool:
    """Whether the server gives only the commits that its refs point at."""
    return _UNADVERTISED.search(complaint) is not None


def other_format(complaint: str) -> str:
    """The object format of the server where it is another than ours, else empty."""
    found = _OTHER_FORMAT.search(complaint)
    return found[1] if found else ""


def fetch_problem(complaint: str, url: str) -> SourceProblem:
    """The problem that a failed fetch is; ours where git's words are unknown to us."""
    for said, words, ours in _COMPILED:
        if said.search(complaint):
            return SourceProblem(f"{words.format(url=url)}: {brief(complaint)}.", ours=ours)
    return SourceProblem(f"Git could not fetch {url}: {brief(complaint)}.", ours=True)


def brief(complaint: str) -> str:
    """The last two lines of a complaint in one, without credentials, at most 300 letters."""
    lines = [line.strip().rstrip(".") for line in _PREFIX.sub("", complaint).splitlines()]
    telling = [line for line in lines if line and not _ADVICE.search(line)]
    told = "; ".join(telling[-2:]) or "git said nothing"
    printable = "".join(letter for letter in without_credentials(told) if letter.isprintable())
    return printable if len(printable) <= 300 else f"{printable[:297]}…"
