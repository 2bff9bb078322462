"""Advice for the report: what a failed stage's log suggests about its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.domain.plan import NetworkAccess, Plan, Stage, StageResult, StageStatus

_LOG_LIMIT = 256 * 1024
_LINE_LIMIT = 1000
_MOST_HOSTS = 5
_NO_NETWORK = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ENETUNREACH|Could not resolve host|Failed to resolve '"
    r"|Temporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|no such host|dial tcp: lookup|establishing a connection while requesting"
)
_HOST = re.compile(
    r"(?<![\w.@/-])(?:https?://)?((?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24})(?![\w.-]|:\s)"
)
_FILE = re.compile(r"\.(?:[cm]?[jt]sx?|py|json|go|rs|rb|php|java|sh|lock|toml|ya?ml|html?|css)$")


def advice(plan: Plan, stages: tuple[StageResult, ...]) -> tuple[str, ...]:
    """A sentence for each failed stage that wanted a network and, by the plan, had none."""
    if plan.build_network is not NetworkAccess.NONE:
        return ()
    return tuple(
        _wants_network(result.stage, sorted(set(_unreached(result.log.text))))
        for result in stages
        if result.stage in (Stage.BUILD, Stage.TEST)
        and result.status in (StageStatus.FAILED, StageStatus.TIMED_OUT)
        and _NO_NETWORK.search(result.log.text[-_LOG_LIMIT:])
    )


def _wants_network(stage: Stage, hosts: list[str]) -> str:
    named = f" ({', '.join(hosts[:_MOST_HOSTS])})" if hosts else ""
    return (
        f"{stage} tried to reach the network{named}, and has none here; where it must, set "
        "`sandbox.build_network: registries`, and name further hosts in `sandbox.allow_hosts`"
    )


def _unreached(log: str) -> Iterator[str]:
    """The hosts on the lines that tell of no network; what looks like a file is none."""
    for line in log[-_LOG_LIMIT:].splitlines():
        if _NO_NETWORK.search(line[:_LINE_LIMIT]):
            found: list[str] = _HOST.findall(line[:_LINE_LIMIT])
            yield from (it for it in found if not _FILE.search(it))
