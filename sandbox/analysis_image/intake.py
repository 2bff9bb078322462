"""Takes a tree from standard input: source files of known languages are kept, others only named.

A tree comes as a tar in frames (four bytes of length, then so many bytes; length 0 ends it). What
is written to disk are regular files that we chose, so a link or a name of the tree leads nowhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

PYTHON, SCRIPT = "python", "typescript"
"""The two grammars; that of TypeScript reads JavaScript too."""

GRAMMARS = {
    ".py": PYTHON,
    ".ts": SCRIPT,
    ".tsx": SCRIPT,
    ".js": SCRIPT,
    ".jsx": SCRIPT,
}
KNOWN = {".py": "Python", ".ts": "TypeScript", ".tsx": "TypeScript", ".js": "JavaScript"}
KNOWN |= {".jsx": "JavaScript"}
UNKNOWN = {
    ".astro": "Astro", ".c": "C", ".cc": "C++", ".cjs": "JavaScript (.cjs)", ".clj": "Clojure",
    ".cpp": "C++", ".cs": "C#", ".cts": "TypeScript (.cts)", ".cu": "CUDA", ".dart": "Dart",
    ".elm": "Elm", ".erl": "Erlang", ".ex": "Elixir", ".exs": "Elixir", ".f90": "Fortran",
    ".fs": "F#", ".go": "Go", ".groovy": "Groovy", ".h": "C", ".hpp": "C++", ".hs": "Haskell",
    ".java": "Java", ".jl": "Julia", ".kt": "Kotlin", ".lua": "Lua", ".m": "Objective-C",
    ".mjs": "JavaScript (.mjs)", ".ml": "OCaml", ".mts": "TypeScript (.mts)", ".nim": "Nim",
    ".php": "PHP", ".pl": "Perl", ".pyx": "Cython", ".r": "R", ".rb": "Ruby", ".rs": "Rust",
    ".scala": "Scala", ".sh": "Shell", ".sol": "Solidity", ".svelte": "Svelte", ".swift": "Swift",
    ".vue": "Vue", ".zig": "Zig",
}  # fmt: skip
CONFIGURATION = re.compile(
    r"(^|/)(package\.json|[tj]sconfig[\w.-]*\.json|pyproject\.toml|setup\.(py|cfg)|meson\.build"
    r"|CMakeLists\.txt|Cargo\.toml|Makefile|\.gitignore|\.gitmodules|MANIFEST\.in|tox\.ini"
    r"|[\w.-]+\.config\.[cm]?[jt]s|Procfile|Dockerfile|[\w.-]+\.ya?ml|requirements[\w.-]*\.txt)$"
)
"""Files that may name a module: what makes it, or where it is run from."""

CONFIGURATION_BYTES = 256 * 1024
CONFIGURATION_FILES = 400
LONGEST_LINE = 20_000
DEEPEST_BRACKETS = 100
DEEPEST_FOLDER = 40
LONGEST_PATH = 400
MOST_FILES = 200_000
PIECE = 256 * 1024
NESTING = re.compile(rb"[][(){}]")


@dataclass(frozen=True)
class Bounds:
    """What a tree may have: lines of known languages in all, bytes of one file, bytes in all."""

    lines: int
    file_bytes: int
    source_bytes: int


@dataclass
class Taken:
    """A tree as it was taken. Paths are relative to it, with ``/``.

    ``digests`` has every path, with the digest of those that were kept; ``links`` are symlinks.
    ``lines`` maps a kept source file to its number of lines, ``languages`` a name to lines and
    files. ``left_out`` are source files that were not kept, each with its reason.
    """

    place: Path
    digests: dict[str, str] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    lines: dict[str, int] = field(default_factory=dict)
    languages: dict[str, tuple[int, int]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, str] = field(default_factory=dict)
    source_bytes: int = 0
    over: bool = False

    @property
    def line_count(self) -> int:
        """Lines of all known languages, those of files that were left out included."""
        known = set(KNOWN.values())
        return sum(lines for name, (lines, _) in self.languages.items() if name in known)

    def text(self, path: str) -> str | None:
        """A kept source file's text; None where it was not kept, or was taken away since."""
        if path not in self.lines:
            return None
        try:
            return (self.place / path).read_text("utf-8", "replace")
        except OSError:
            return None

    def files(self, grammar: str) -> list[str]:
        """The kept source files of a grammar."""
        return [path for path in self.lines if GRAMMARS[PurePosixPath(path).suffix] == grammar]


class Frames(io.RawIOBase):
    """One tree's bytes out of the framed stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._ended:
            return 0
        if self._left == 0:
            self._left = int.from_bytes(exactly(self._stream, 4), "big")
            if self._left == 0:
                self._ended = True
                return 0
        data = self._stream.read(min(len(buffer), self._left))
        if not data:
            raise EOFError
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def drain(self) -> None:
        """Read on to the tree's end."""
        while self.read(PIECE):
            pass


def exactly(stream: BinaryIO, count: int) -> bytes:
    """So many bytes. Raises EOFError where the stream ends before."""
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def take(stream: BinaryIO, place: Path, bounds: Bounds) -> Taken:
    """Take one tree and keep its source files below ``place``."""
    place.mkdir(parents=True, exist_ok=True)
    taken = Taken(place)
    frames = Frames(stream)
    reader = io.BufferedReader(frames, PIECE)
    with tarfile.open(fileobj=reader, mode="r|", encoding="utf-8") as tar:
        for path, member in _members(tar, taken):
            if member.issym():
                taken.links.add(path)
            elif member.isfile():
                content = tar.extractfile(member)
                assert content is not None
                _take_file(taken, path, member.size, content, bounds)
    while reader.read(PIECE):
        pass
    return taken


def _members(tar: tarfile.TarFile, taken: Taken) -> Iterator[tuple[str, tarfile.TarInfo]]:
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # a stream needs no memory of the past
        _, _, path = member.name.partition("/")
        if member.isdir() or not path:
            continue
        if len(taken.digests) >= MOST_FILES:
            taken.over = True
            continue
        taken.digests[path] = ""
        yield path, member


def _take_file(taken: Taken, path: str, size: int, content: IO[bytes], bounds: Bounds) -> None:
    suffix = PurePosixPath(path).suffix
    configures = bool(CONFIGURATION.search(path)) and size <= CONFIGURATION_BYTES
    name = KNOWN.get(suffix) or UNKNOWN.get(suffix.lower())
    if "node_modules" in path.split("/") or not (configures or name):
        return
    if size > bounds.file_bytes:
        if name:
            _count(taken, name, 0)
        if suffix in GRAMMARS:
            taken.left_out[path] = f"larger than {bounds.file_bytes // 1024} KB"
        return
    data = content.read()
    if configures:
        _take_configuration(taken, path, data)
    if name is None:
        return
    lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    _count(taken, name, lines)
    if suffix not in GRAMMARS:
        return
    if why := unfit(path, data):
        taken.left_out[path] = why
    else:
        _keep(taken, path, data, lines, bounds)


def _keep(taken: Taken, path: str, data: bytes, lines: int, bounds: Bounds) -> None:
    taken.source_bytes += len(data)
    if taken.source_bytes > bounds.source_bytes or taken.line_count > bounds.lines:
        taken.over = True
    taken.digests[path] = hashlib.sha256(data).hexdigest()
    if taken.over:
        return
    try:
        (taken.place / path).parent.mkdir(parents=True, exist_ok=True)
        (taken.place / path).write_bytes(data)
    except OSError:
        taken.left_out[path] = "a name that no disk takes"
        return
    taken.lines[path] = lines


def _take_configuration(taken: Taken, path: str, data: bytes) -> None:
    if len(taken.configuration) >= CONFIGURATION_FILES or unsafe(path):
        return
    taken.digests[path] = hashlib.sha256(data).hexdigest()
    text = data.decode("utf-8", "replace")
    taken.configuration[path] = text
    if path.endswith(".json"):
        # The only ones that graph-sitter reads itself.
        with contextlib.suppress(OSError):
            (taken.place / path).parent.mkdir(parents=True, exist_ok=True)
            (taken.place / path).write_text(text, "utf-8")


def _count(taken: Taken, name: str, lines: int) -> None:
    before, files = taken.languages.get(name, (0, 0))
    taken.languages[name] = before + lines, files + 1


def unsafe(path: str) -> str:
    """Why a path is not one to write or to tell; empty where it is."""
    parts = path.split("/")
    if path.startswith("/") or {"", ".", "..", ".git"} & set(parts):
        return "a name that leads elsewhere"
    if len(parts) > DEEPEST_FOLDER or len(path) > LONGEST_PATH:
        return "too deep a folder"
    if not path.isprintable():
        return "a name that is no text"
    return ""


def unfit(path: str, data: bytes) -> str:
    """Why a source file is not analysed; empty where it is."""
    if why := unsafe(path):
        return why
    if b"\0" in data:
        return "not a text"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "not in UTF-8"
    if max(map(len, data.split(b"\n"))) > LONGEST_LINE:
        return f"a line of more than {LONGEST_LINE:,} characters"
    depth = deepest = 0
    for bracket in NESTING.findall(data):
        depth = depth + 1 if bracket in b"([{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return f"nested more than {DEEPEST_BRACKETS} deep" if deepest > DEEPEST_BRACKETS else ""
