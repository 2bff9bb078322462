"""Plans for hostile code: small limits, one or two steps, and what came of them in short."""

from __future__ import annotations

from bot.domain.plan import (
    Cause,
    HealthCheck,
    Limits,
    NetworkAccess,
    Plan,
    Stage,
    StageStatus,
    Step,
)
from tests.sandbox.conftest import Heard

LIMITS = Limits(memory_mb=256, cpus=2, disk_mb=128, pids=64, tmp_mb=32, total_seconds=60)
BRIEF = 12.0
"""The time of a step that never ends by itself: long enough for a busy machine to start it."""

SERVER = """
import http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        body = b"<title>hello</title><h1>Hello</h1>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
def serve():
    http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
if __name__ == "__main__":
    serve()
"""
"""An honest application, for others to be hostile beside."""


def steps(
    *commands: tuple[Stage, str],
    limits: Limits = LIMITS,
    health: HealthCheck | None = None,
    network: NetworkAccess = NetworkAccess.NONE,
    allow_hosts: tuple[str, ...] = (),
    image: str = "",
    secrets: dict[Stage, str] | None = None,
    seconds: float | None = None,
) -> Plan:
    """A plan of these commands; ``secrets`` names the one that a stage gets."""
    given = secrets or {}
    return Plan(
        steps=tuple(
            Step(
                stage,
                command,
                secrets=(given[stage],) if stage in given else (),
                timeout_seconds=seconds,
            )
            for stage, command in commands
        ),
        health=health,
        prepare_network=network,
        allow_hosts=allow_hosts,
        limits=limits,
        image=image,
    )


def application(command: str, *, limits: Limits = LIMITS, deadline: float = 8.0) -> Plan:
    """A plan that starts an application on port 8000 and looks at it."""
    health = HealthCheck(8000, deadline_seconds=deadline, settle_seconds=1.0)
    return steps((Stage.START, command), limits=limits, health=health)


def outcome(heard: Heard) -> tuple[Stage, StageStatus, Cause | None]:
    """The last stage that ended, and how."""
    result = list(heard.results.values())[-1]
    return result.stage, result.status, result.cause


def failed(stage: Stage, cause: Cause) -> tuple[Stage, StageStatus, Cause | None]:
    """What ``outcome`` gives for a stage that failed for this cause."""
    status = StageStatus.TIMED_OUT if cause is Cause.TIMEOUT else StageStatus.FAILED
    return stage, status, cause


def passed(stage: Stage) -> tuple[Stage, StageStatus, Cause | None]:
    """What ``outcome`` gives for a stage that passed."""
    return stage, StageStatus.PASSED, None
