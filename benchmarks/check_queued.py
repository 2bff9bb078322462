"""From a delivery to its check run being queued, and the memory of web and worker at rest.

Reach: under 100 ms plus GitHub's own time.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.tables import Machine, Table, arguments, publish
from bot.adapters.clock import SystemClock
from demo.github.faults import Fault
from sandbox.docker import DockerEngine
from tests.flow.serving import Served, served, small_repository
from tests.stand_in import stage

CLOCK = SystemClock()
REACH = 0.1
REMARK = """\
{rounds} pull requests, one after the other; `serve` as two processes, `mongod` and the stand-in
for GitHub on the same machine. The time is from sending the webhook until the check run is
asked for, what GitHub took for the calls before that included. Reach: under 100 ms, and
GitHub's own time.{missed}"""


async def main() -> int:
    """Measure, and write the table."""
    given = arguments(__doc__, rounds=30)
    engine = DockerEngine(None)
    machine = await Machine.look(engine)
    await engine.close()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        git_folder = await asyncio.to_thread(small_repository, folder / "repository")
        async with (
            stage(folder, git_folder=git_folder) as on,
            served(on, folder / "bot", None) as it,
        ):
            await CLOCK.sleep(5)
            memory = [resident(it.web.process.pid), resident(it.worker.process.pid)]
            times = [await queued(it, number) for number in range(given.rounds)]
    ours = sorted(times)
    median, worst = statistics.median(ours), ours[int(len(ours) * 0.95)]
    rows = [
        ("delivery to check run queued, ms", f"{median * 1000:.0f}", f"{worst * 1000:.0f}"),
        ("memory at rest, MB: web", f"{memory[0]:.0f}", ""),
        ("memory at rest, MB: worker", f"{memory[1]:.0f}", ""),
    ]
    missed = "" if median <= REACH else " **Missed** on this machine."
    remark = REMARK.format(rounds=given.rounds, missed=missed)
    table = Table(("", "median", "95th percentile"), rows, (remark,))
    publish(
        "check_queued", "python -m benchmarks.check_queued", machine, table, page=not given.no_page
    )
    return 0


async def queued(it: Served, number: int) -> float:
    """Seconds from a webhook to its check run, without what GitHub took."""
    shop, github = it.on.shop, it.on.github
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.com")
    said = await shop.git(*identity, "commit-tree", "main^{tree}", "-p", "main", "-m", str(number))
    branch = f"branch-{number}"
    await shop.git("update-ref", f"refs/heads/{branch}", said.decode().strip())
    pull = await github.open_pull_request(shop, branch, author=it.on.alice, silent=True)
    made = asyncio.Event()
    clock = asyncio.get_running_loop().time

    def choose(_number: int, method: str, path: str) -> Fault | None:
        if method == "POST" and path.endswith("/check-runs"):
            made.set()
        return None

    github.faults.choose = choose
    began = clock()
    sending = asyncio.ensure_future(github.tell_of(shop, pull, "opened", it.on.alice))
    async with asyncio.timeout(60):
        await made.wait()
    seconds = clock() - began
    await sending
    await github.close(shop, pull, sender=it.on.alice)
    await CLOCK.sleep(1)
    return seconds


def resident(pid: int) -> float:
    """Megabytes that a process and its children hold."""
    total = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(
                line.split(":", 1) for line in status.read_text().splitlines() if ":" in line
            )
        except OSError:
            continue
        if str(pid) in (fields["Pid"].strip(), fields["PPid"].strip()):
            command = fields["Name"].strip()
            if command != "mongod":
                total += int(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    return total


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
