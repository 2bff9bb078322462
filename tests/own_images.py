"""Images that tests build from Debian's packages: services, and a project's own tools."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from sandbox.engine import Engine, Kind
from sandbox.image_builder import build_context, ensure_base, image_files

FOLDER = Path(__file__).parent / "images"
LABELS = {"codegenapp.test": "image", "codegenapp.kind": Kind.IMAGE.value}
"""`make clean` leaves images alone, `make clean IMAGES=yes` removes them."""


async def own_image(engine: Engine, name: str, scratch: Path) -> str:
    """The tag of ``tests/images/NAME``, built where the engine does not have that content.

    ``scratch`` is a folder for the base system, where that has to be made first.
    """
    digest = hashlib.sha256()
    for path, data in image_files(FOLDER / name).items():
        digest.update(f"{path}\0{len(data)}\0".encode() + data)
    tag = f"codegenapp-test/{name}:{digest.hexdigest()[:12]}"
    if await engine.image(tag) is None:
        base = await ensure_base(engine, scratch, LABELS, _tell)
        context = build_context(FOLDER / name, b"")
        async for line in engine.build(context, tag, labels=LABELS, arguments={"BASE": base}):
            _tell(line)
    return tag


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - shown by pytest
