"""Errors that name no file, and the one that they are mended in."""

from __future__ import annotations

import re

from bot.policy.matchers.shape import Manifest

_NPM = r"npm (?:error|ERR!) "
_PACKAGE = ("package.json",)
_REQUIREMENTS = ("requirements.txt", "pyproject.toml", "setup.py", "setup.cfg")


def _manifest(owner: str, regex: str, files: tuple[str, ...]) -> Manifest:
    return Manifest(owner, re.compile(regex), files)


NETWORK = re.compile(
    r"\b(?:ETIMEDOUT|ECONNRESET|ECONNREFUSED|EAI_AGAIN|ENOTFOUND|ENETUNREACH|EHOSTUNREACH"
    r"|ERR_SOCKET_TIMEOUT|ERR_SOCKET_CLOSED)\b"
    r"|socket hang up|network timeout|Failed to establish a new connection|Read timed out"
    r"|Temporary failure in name resolution|Temporary failure resolving|Connection reset by peer"
    r"|Connection timed out|ConnectTimeoutError|ReadTimeoutError|NewConnectionError"
    r"|TLS handshake timeout|i/o timeout|Could not resolve host|[Nn]etwork is unreachable"
    r"|spurious network error"
)
"""What tools say when they do not reach a host."""

SERVER = re.compile(
    r"\bcode E5\d\d\b|\bERR_PNPM_FETCH_5\d\d\b|\b50[0234] (?:Internal Server Error|Bad Gateway"
    r"|Service Unavailable|Service Temporarily Unavailable|Gateway Time-?out)"
    r"|HTTP [Ee]rror 5\d\d|\b5\d\d Server Error|status(?: code)?:? 50[0234]\b|too many 50\d error"
)
"""What tools say when a registry answers with its own fault."""

MANIFESTS: tuple[Manifest, ...] = (
    _manifest("npm-script", rf"{_NPM}(?P<message>Missing script: .*)", _PACKAGE),
    _manifest("pnpm-script", r"\s?ERR_PNPM_NO_SCRIPT\s+(?P<message>Missing script: .*)", _PACKAGE),
    _manifest("yarn-script", r"error (?P<message>Command \".{1,100}\" not found\.)", _PACKAGE),
    _manifest(
        "npm-json", rf"{_NPM}(?:JSON\.parse )?(?P<message>Invalid package\.json: .*)", _PACKAGE
    ),
    _manifest(
        "npm-lock",
        rf"{_NPM}(?P<message>(?:Missing|Invalid): .{{1,200}} (?:from|in|does not satisfy) .*)",
        ("package-lock.json", "npm-shrinkwrap.json"),
    ),
    _manifest(
        "npm-no-lock",
        rf"{_NPM}(?P<message>The `npm ci` command can only install with an existing .*)",
        _PACKAGE,
    ),
    _manifest("npm-peer", rf"{_NPM}(?P<message>ERESOLVE could not resolve.*)", _PACKAGE),
    _manifest(
        "npm-version", rf"{_NPM}notarget (?P<message>No matching version found for .*)", _PACKAGE
    ),
    _manifest(
        "npm-name",
        rf"{_NPM}404\s+(?P<message>(?:The requested resource )?'.{{1,200}}' "
        r"(?:could not be found|is not in this registry).*)",
        _PACKAGE,
    ),
    _manifest(
        "pnpm-lock",
        r"\s?ERR_PNPM_OUTDATED_LOCKFILE\s+(?P<message>Cannot install .*)",
        ("pnpm-lock.yaml",),
    ),
    _manifest(
        "yarn-lock", r"error (?P<message>Your lockfile needs to be updated.*)", ("yarn.lock",)
    ),
    _manifest("pip", r"ERROR: (?P<message>No matching distribution found for .*)", _REQUIREMENTS),
    _manifest(
        "cargo", r"error: (?P<message>no matching package (?:named|found).*)", ("Cargo.toml",)
    ),
    _manifest(
        "make-recipe",
        r"make(?:\[\d{1,3}\])?: \*\*\* (?P<message>\[[^\s:\]]{1,300}:(?P<line>\d{1,7}): "
        r"[^\]]{1,200}\] Error \d{1,3})",
        ("Makefile", "makefile", "GNUmakefile"),
    ),
    _manifest(
        "make-rule",
        r"make(?:\[\d{1,3}\])?: \*\*\* (?P<message>No rule to make target .{1,300})\s\sStop\.",
        ("Makefile", "makefile", "GNUmakefile"),
    ),
)
