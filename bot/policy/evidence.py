"""What a line of a log says about whose failure it is; the patterns of ``classification.RULES``.

Each is searched for in one line, of bounded length, and repeats nothing without a bound.
"""

from __future__ import annotations

import re

from bot.policy.matchers.manifests import NETWORK, SERVER

__all__ = [
    "BAD_PORT",
    "BROKEN_MANIFEST",
    "CONFLICT",
    "LOCK",
    "MISSING_KEY",
    "MISSING_VARIABLE",
    "NETWORK",
    "NO_MANIFEST",
    "NO_SUCH_ENTRY",
    "NO_SUCH_PACKAGE",
    "NO_SUCH_SCRIPT",
    "NO_SUCH_TOOL",
    "NO_SUCH_VERSION",
    "NO_TESTS",
    "OF_THE_ENVIRONMENT",
    "OUTSIDE",
    "SERVER",
    "SERVICE",
]

_NAME = r"[`'\"]?\$?\{?[A-Z][A-Z0-9]{0,40}(?:_[A-Z0-9]{1,40}){0,8}\}?[`'\"]?"
_SPOKEN_NAME = r"(?<!\w)[A-Z][A-Z0-9]{0,40}(?:_[A-Z0-9]{1,40}){1,8}\}?[`'\"]?"
"""A name that can be nothing else, where no word says that it is a variable."""
_VARIABLE = r"(?i:(?:environment|env)[ -]?var(?:iable)?s?|secret|process\.env\.|config var)"

MISSING_VARIABLE = re.compile(
    r"(?i:missing|required|undefined|unset|provide|set)(?: \w{1,20}){0,3} "
    rf"{_VARIABLE}:? ?{_NAME}"
    rf"|{_VARIABLE} ?{_NAME} (?:\w{{1,10}} ){{0,2}}(?:not|un|missing|required|empty)"
    rf"|{_SPOKEN_NAME} (?:environment variable )?(?:is |was )?(?:not set|unset|missing|required)\b"
    rf"|{_SPOKEN_NAME} (?:environment variable )?must be (?:set|provided|defined)\b"
    r"|^\s{0,8}[A-Z][A-Z0-9]{0,40}(?:_[A-Z0-9]{1,40}){1,8}: Required$"
    r"|The [A-Z][A-Z0-9_]{2,60} setting must not be empty"
)
"""A variable of the environment that a program wants and has not."""

MISSING_KEY = re.compile(r"^(?:E {1,8})?KeyError: '[A-Z][A-Z0-9_]{1,80}'$")
"""As above, in Python, where ``OF_THE_ENVIRONMENT`` stands a few lines before it."""
OF_THE_ENVIRONMENT = re.compile(r"\bos\.environ\b|\benviron\[|\"<frozen os>\"")

NO_SUCH_VERSION = re.compile(
    r"Could not find a version that satisfies the requirement .{1,200}\(from versions: (?!none\b)"
    r"|code ETARGET\b|notarget No matching version|ERR_PNPM_NO_MATCHING_VERSION"
    r"|Couldn't find any versions for"
)
LOCK = re.compile(
    r"`npm ci` can only install packages when|`npm ci` command can only install with an existing"
    r"|ERR_PNPM_OUTDATED_LOCKFILE|ERR_PNPM_NO_LOCKFILE|Your lockfile needs to be updated"
    r"|lockfile would have been modified|code EINTEGRITY\b|ERR_PNPM_TARBALL_INTEGRITY"
    r"|THESE PACKAGES DO NOT MATCH THE HASHES|lock file .{1,80} needs to be updated"
    r"|pyproject\.toml changed significantly since poetry\.lock was last generated"
    r"|updates to go\.(?:mod|sum) needed|missing go\.sum entry|checksum mismatch"
)
CONFLICT = re.compile(
    r"\bERESOLVE\b|\bResolutionImpossible\b|have conflicting dependencies"
    r"|code EBADENGINE\b|ERR_PNPM_(?:UNSUPPORTED_ENGINE|PEER_DEP_ISSUES)"
    r"|The engine \".{1,40}\" is incompatible|requires a different Python"
    r"|failed to select a version for"
)
NO_SUCH_PACKAGE = re.compile(
    r"code E404\b|No matching distribution found|ERR_PNPM_FETCH_404|Couldn't find package"
    r"|no matching package (?:named|found)|no required module provides package"
    r"|is not in the npm registry|Could not find artifact|package .{1,200} is not in (?:GOROOT|std)"
)
NO_MANIFEST = re.compile(
    r"Could not open requirements file|code ENOENT\b|enoent Could not read package\.json"
    r"|ERR_PNPM_NO_PKG_MANIFEST|neither 'setup\.py' nor 'pyproject\.toml' found"
    r"|could not find `Cargo\.toml`|go\.mod file not found"
)
BROKEN_MANIFEST = re.compile(
    r"code EJSONPARSE\b|ERR_PNPM_JSON_PARSE|ERROR: Invalid requirement:|TOMLDecodeError"
    r"|error parsing go\.mod|errors parsing go\.mod|failed to parse manifest"
)
NO_SUCH_SCRIPT = re.compile(
    r"npm (?:error|ERR!) Missing script:|ERR_PNPM_NO_SCRIPT"
    r"|^error Command \".{1,100}\" not found\.$|Error: no test specified"
    r"|No rule to make target '[^']{1,200}'\.\s\sStop"
    r"|No targets specified and no makefile found"
)
NO_SUCH_TOOL = re.compile(
    r"^(?:/bin/)?(?:sh|bash|dash|ash|zsh|[\w./-]{1,100}\.sh): (?:line )?(?:\d{1,6}: )?"
    r"[\w./@-]{1,100}: (?:command )?not found$"
    r"|No module named (?:pytest|unittest|build|flake8|mypy|ruff|gunicorn|uvicorn|tox|nox)$"
    r"|ESLint couldn't find an eslint\.config|ESLint couldn't find a configuration file"
    r"|exec: \".{1,100}\": executable file not found"
)
NO_SUCH_ENTRY = re.compile(
    r"^Error: Cannot find module '/[^']{1,300}'$|can't open file '[^']{1,300}': \[Errno 2\]"
    r"|^Error: Could not find or load main class|Could not find or load main class"
    r"|Error: Unable to access jarfile|^(?:sh|bash): (?:\d{1,6}: )?(?:cannot open|can't open) "
    r"|Could not import module \"[\w.]{1,100}\""
    r"|Error loading ASGI app\. Attribute \"[\w.]{1,100}\" not found in module"
    r"|Failed to find (?:attribute|application object) '[\w.]{1,100}' in '"
)
NO_TESTS = re.compile(
    r"^No tests? (?:files? )?found|No tests found, exiting with code 1|No test files found"
    r"|^=+ no tests ran in |^no tests ran in |^NO TESTS RAN$|Error: No test files found"
)
BAD_PORT = re.compile(
    r"\bEADDRINUSE\b|\bERR_SOCKET_BAD_PORT\b|listen EACCES\b|[Aa]ddress already in use"
    r"|\bEADDRNOTAVAIL\b|port must be 0-65535"
)
_SERVICES = r"(?:5432|3306|6379|27017|5672|9092|9200|11211|1433|4222)"
SERVICE = re.compile(
    rf"ECONNREFUSED (?:127\.0\.0\.1|::1|localhost):{_SERVICES}\b"
    rf"|[Cc]onnection refused.{{0,200}}\b{_SERVICES}\b"
    rf"|\b{_SERVICES}\b.{{0,200}}[Cc]onnection refused"
    r"|MongoServerSelectionError|PrismaClientInitializationError: .{0,40}[Cc]an't reach database"
)
OUTSIDE = re.compile(
    r"\bEAI_AGAIN\b|\bgetaddrinfo ENOTFOUND\b|\bENETUNREACH\b|[Nn]etwork is unreachable"
    r"|Temporary failure in name resolution|Could not resolve host|no such host$"
)
