"""kill -9 of the worker at the moments that tell most, side by side: mostly they wait for a lease.

All the others are long tests, beside how each of them is played.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow import test_agent_killed, test_course_killed, test_worker_killed
from tests.flow.killing import all_of

pytestmark = [pytest.mark.database, pytest.mark.engine]

MOMENTS = {
    "sending the failure: after": test_course_killed.killed_at,
    "merging: after": test_course_killed.killed_at,
    "creating the run: after": test_agent_killed.killed_at,
    "sending the approval: after": test_agent_killed.killed_at,
    "making the check run: done": test_worker_killed.killed_at,
    "building": test_worker_killed.killed_at,
    "the job is ended": test_worker_killed.killed_at,
    "the record is concluded": test_worker_killed.killed_at,
}
"""What can't be repeated, and what only a lease or a look from time to time takes up again."""


@pytest.mark.timeout(900)
async def test_killed_at_telling_moments(tmp_path: Path, docker_host: str | None) -> None:
    await all_of(
        list(MOMENTS),
        lambda moment, n: MOMENTS[moment](moment, tmp_path / str(n), docker_host),
    )
