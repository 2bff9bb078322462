"""What a program printed, as a person may safely read it.

``plain`` leaves what a terminal would show and makes every character visible that could make text
look like other text (CVE-2021-42574, "Trojan Source"). ``excerpt`` keeps head and tail. Both take
time linear in the text, whatever it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPE = re.compile(
    r"""
    (?P<erase> \x1b\[ [0-2]? K )                       # erase in line: counts when overwriting
    | (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]          # CSI: colours, cursor
    | (?: \x1b[\]PX^_] | [\x90\x98\x9d-\x9f] ) [^\x07\x1b\x9c\n]* (?: \x07 | \x1b\\ | \x9c )?  # OSC
    | \x1b [ -/]* [0-Z\\`-~]                           # two-character escapes, character sets
    | (?P<move> [\r\b] )
    """,
    re.VERBOSE,
)
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and newline
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff"  # lone surrogates, which no encoding can write
    "\U000e0000-\U000e007f]"
)
_LINE_LIMIT = 600


def plain(text: str) -> str:
    r"""A text without escape sequences, overwritten lines and invisible characters.

    Lines end in ``\n`` alone. A carriage return and a backspace overwrite, as on a terminal.
    """
    lines = (_settled(line) for line in text.split("\n"))
    return visible("\n".join(lines))


def visible(text: str) -> str:
    """A text whose control and bidirectional characters are spelt out: ``␀``, ``[U+202E]``."""
    return _UNSEEN.sub(_spelt, text)


def one_line(text: str) -> str:
    """A plain text with every run of white space as one blank."""
    return " ".join(plain(text).split())


def _spelt(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"[U+{code:04X}]"


def _settled(line: str) -> str:
    """A line as it stands on a terminal after all of it was written."""
    line = line.rstrip("\r")
    if "\r" not in line and "\b" not in line:
        return _ESCAPE.sub("", line)
    shown: list[str] = []
    column = 0
    last = 0
    for match in _ESCAPE.finditer(line):
        column = _write(shown, column, line[last : match.start()])
        last = match.end()
        if match[0] == "\r":
            column = 0
        elif match[0] == "\b":
            column = max(0, column - 1)
        elif match["erase"]:
            del shown[0 if match[0].endswith("2K") else column :]
            shown.extend(" " * (column - len(shown)))
    _write(shown, column, line[last:])
    return "".join(shown)


def _write(shown: list[str], column: int, text: str) -> int:
    shown[column : column + len(text)] = text
    return column + len(text)


def excerpt(text: str, head_lines: int = 10, tail_lines: int = 40, max_bytes: int = 12_000) -> str:
    """The first and the last lines of a text, at most about ``max_bytes`` of UTF-8.

    A line says how many are missing between them; very long lines are shortened. The tail, where
    failures are told, may take three quarters of the room.
    """
    lines = [_shortened(line) for line in text.strip("\n").split("\n")]
    if len(lines) <= head_lines + tail_lines + 1 and _size(lines) <= max_bytes:
        return "\n".join(lines)
    tail_lines = max(1, min(tail_lines, len(lines)))
    tail = _fitting(reversed(lines[-tail_lines:]), max_bytes * 3 // 4)[::-1]
    before = lines[: len(lines) - len(tail)]
    head = _fitting(before[:head_lines], max_bytes - _size(tail))
    missing = len(before) - len(head)
    if not missing:
        return "\n".join(head + tail)
    said = f"… {missing:,} line{'s' if missing > 1 else ''} left out …"
    return "\n".join([*head, said, *tail])


def _fitting(lines: Iterable[str], max_bytes: int) -> list[str]:
    kept: list[str] = []
    room = max_bytes
    for line in lines:
        room -= _size([line])
        if room < 0:
            break
        kept.append(line)
    return kept


def _shortened(line: str) -> str:
    if len(line) <= _LINE_LIMIT:
        return line
    return f"{line[:_LINE_LIMIT]}… {len(line) - _LINE_LIMIT:,} characters left out …"


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode("utf-8", "surrogatepass")) + 1 for line in lines)
