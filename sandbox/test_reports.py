"""Fetches the reports that a test run has left in the application box: JUnit's XML, and TAP.

The project's own programs wrote them, and may have written anything: they are read as text, cut to
a size, and only ever add places to a failure that the exit code has told of.
"""

from __future__ import annotations

import asyncio
import shlex

from bot.domain.masking import Masker
from bot.domain.plan import Stage, StageAttachment, StageNote
from bot.policy.paths import matching
from sandbox.engine import EngineFault
from sandbox.equipment import Opened

SECONDS = 15.0
MOST_REPORTS = 20
REPORT_BYTES = 2 * 1024 * 1024
TOTAL_BYTES = 4 * 1024 * 1024
"""Whoever reads them has other work to do: reading a megabyte takes up to a second."""
LIST_BYTES = 4 * 1024 * 1024
MEDIA_TYPE = "text/plain"
"""Whatever it is, nobody's browser shall run it."""

_LIST = (
    "find . -xdev \\( -name node_modules -o -name .git -o -name site-packages \\) -prune "
    f"-o -type f -size -{REPORT_BYTES // 512} -print0 2>/dev/null"
)
_UNREAD = "The test reports could not be fetched from the box: the log alone was read."


async def fetch_reports(opened: Opened) -> None:
    """Emit each report as an attachment of the test stage; raises nothing of the engine's."""
    try:
        async with asyncio.timeout(SECONDS):
            await _fetch(opened)
    except (EngineFault, TimeoutError):
        await opened.runner.emit(StageNote(Stage.TEST, _UNREAD))


async def _fetch(opened: Opened) -> None:
    masker = Masker(opened.runner.secrets)
    listed = (await _said(opened, _LIST, LIST_BYTES)).decode(errors="replace").split("\0")
    names = sorted(it.removeprefix("./") for it in listed[:-1])
    room = TOTAL_BYTES
    for name in matching(names, opened.plan.test_reports)[:MOST_REPORTS]:
        said = await _said(opened, f"cat {shlex.quote(f'./{name}')} 2>/dev/null", REPORT_BYTES)
        if len(said) > room:
            continue
        room -= len(said)
        text = masker.mask(said.decode(errors="replace"))
        attachment = StageAttachment(Stage.TEST, masker.mask(name), MEDIA_TYPE, text.encode())
        await opened.runner.emit(attachment)


async def _said(opened: Opened, command: str, most: int) -> bytes:
    """What a command prints, its first bytes."""
    execution = await opened.box.execute(command, {})
    said = bytearray()
    try:
        while len(said) < most and (chunk := await execution.read()) is not None:
            said += chunk
    finally:
        await execution.close()
    return bytes(said[:most])
