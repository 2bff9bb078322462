"""The verbs ``put`` and ``compare``: hold pictures of another commit's pages against ours.

``put``: {name, media_type, part, last, content} -> {}; takes a picture in, in pieces of BASE64.

``compare``: {before, after, changed, timeout} -> {share} or {fault}. ``before`` is the name of a
picture that was put, ``after`` of one that ``web`` has sent. ``share`` is that of the pixels that
differ, from 0 to 1, where what only one of both has room for differs; a picture that marks them is
sent under the name ``changed``. pixelmatch does it, in the browser, which decodes what a page has
made.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from probe_browser import BrowserGone, opened_tab

PIXELMATCH = Path("/opt/codegenapp/pixelmatch/index.js")
MOST_BYTES = 64 * 1024 * 1024
"""Of all pictures that are kept."""
QUALITY = 0.8

_COMPARE = """
async ([before, after, program, quality]) => {
  const decoded = async ([type, content]) => createImageBitmap(new Blob(
    [Uint8Array.from(atob(content), (it) => it.charCodeAt(0))], {type}));
  const [one, two] = [await decoded(before), await decoded(after)];
  const {default: pixelmatch} = await import('data:text/javascript;base64,' + program);
  const width = Math.min(one.width, two.width), height = Math.min(one.height, two.height);
  const pixels = (image) => {
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, width, height);
  };
  const whole = new OffscreenCanvas(Math.max(one.width, two.width),
                                    Math.max(one.height, two.height));
  const marked = new ImageData(width, height);
  const differ = pixelmatch(pixels(one).data, pixels(two).data, marked.data, width, height,
                            {threshold: 0.1, alpha: 0.25});
  const context = whole.getContext('2d');
  context.fillStyle = 'rgb(255, 210, 210)';
  context.fillRect(0, 0, whole.width, whole.height);
  context.putImageData(marked, 0, 0);
  const blob = await whole.convertToBlob({type: 'image/jpeg', quality});
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  const all = whole.width * whole.height;
  return [(differ + all - width * height) / all, btoa(text)];
}
"""


class Say(Protocol):
    """How a verb sends a file while it runs."""

    def artifact(self, name: str, media_type: str, content: bytes) -> None: ...


@dataclass
class Kept:
    """The pictures that are here, by name, each with its media type and BASE64."""

    pictures: dict[str, tuple[str, str]] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def keep(self, name: str, media_type: str, content: bytes) -> None:
        """Keep a picture while there is room; one that finds none can't be compared."""
        if self.size + len(content) <= MOST_BYTES:
            self.size += len(content)
            self.pictures[name] = (media_type, base64.b64encode(content).decode("ascii"))


KEPT = Kept()


async def put(message: dict[str, Any], say: Say) -> dict[str, Any]:  # noqa: ARG001 - a verb
    """Take in a piece of a picture."""
    if message["part"] == 0:
        KEPT.pieces.clear()
    KEPT.pieces.append(base64.b64decode(message["content"], validate=True))
    if message["last"]:
        KEPT.keep(str(message["name"]), str(message["media_type"]), b"".join(KEPT.pieces))
        KEPT.pieces.clear()
    return {}


async def compare(message: dict[str, Any], say: Say) -> dict[str, Any]:
    """Compare two pictures."""
    before, after = (KEPT.pictures.get(str(message[it])) for it in ("before", "after"))
    if before is None or after is None:
        return {"fault": "there was no room for both pictures"}
    program = base64.b64encode(PIXELMATCH.read_bytes()).decode("ascii")
    try:
        async with asyncio.timeout(float(message["timeout"])), opened_tab("desktop") as tab:
            share, marked = await tab.worked_out(_COMPARE, [before, after, program, QUALITY])
    except BrowserGone as gone:
        return {"fault": f"the pictures were not compared: {gone}"[:300]}
    except TimeoutError:
        return {"fault": "the pictures were not compared: the time was over"}
    say.artifact(str(message["changed"]), "image/jpeg", base64.b64decode(marked))
    return {"share": share}
