"""Secrets leave no trace in what a step prints: each form of each becomes ``***``.

The forms of a secret: as it is, each of its lines, escaped for JSON, HTML and URLs, in hexadecimal,
and in base64 (alone, wrapped, or anywhere inside a longer encoding: its three alignments).

Forms are looked for one by one: ``str.find`` runs at memory speed, while an alternation of so many
literals, most of them base64, tries nearly all of them at nearly every character.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 4
"""Shorter values are not masked: hiding every ``1`` of a log hides the log."""
_STUB = 8
_WRAPS = (64, 76)


class Masker:
    """Masks a stream of text, however it is cut into pieces.

    ``feed`` holds back what may be the beginning of a secret; ``flush`` gives the rest at the end.
    Joined, their output is what ``mask`` gives for the whole text at once. One masker serves one
    stream. ``unmaskable`` names the secrets whose values are too short.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        found = {form for value in secrets.values() for form in forms(value)}
        self.unmaskable = tuple(
            name for name, value in secrets.items() if value and len(value.strip()) < SHORTEST
        )
        self._forms = tuple(sorted(found))
        self._stubs = frozenset(
            form[:size] for form in found for size in range(1, min(_STUB, len(form)))
        )
        self._held = ""
        self._covered = 0

    def mask(self, text: str) -> str:
        """A whole text, masked; the stream is left as it is."""
        return self._scan(text, 0, len(text))[0]

    def mask_cut(self, text: str) -> str:
        """A whole text that may have been cut off: the beginning of a form at its end is masked."""
        safe = self._safe_length(text)
        if len(text) - safe < SHORTEST:
            return self.mask(text)
        return self._scan(text, 0, safe)[0] + MASK

    def feed(self, text: str) -> str:
        """The next piece of the stream; gives what is certain by now."""
        if not self._forms:
            return text
        text = self._held + text
        safe = self._safe_length(text)
        masked, end = self._scan(text, self._covered, safe)
        self._held = text[safe:]
        self._covered = max(0, end - safe)
        return masked

    def flush(self) -> str:
        """What was held back; the masker is then as new."""
        masked, _ = self._scan(self._held, self._covered, len(self._held))
        self._held, self._covered = "", 0
        return masked

    def _scan(self, text: str, covered: int, safe: int) -> tuple[str, int]:
        """Mask what starts before ``safe``; the output, and where the last mask ends.

        The first ``covered`` characters belong to a mask that has been written already.
        """
        written: list[str] = []
        end = covered
        for start, stop in self._occurrences(text, safe):
            if start >= end:
                written += (text[end:start], MASK)
            end = max(end, stop)
        written.append(text[end:safe])
        return "".join(written), end

    def _occurrences(self, text: str, safe: int) -> list[tuple[int, int]]:
        """Where forms stand, overlapping ones too, in order."""
        found: list[tuple[int, int]] = []
        for form in self._forms:
            start = text.find(form)
            while -1 < start < safe:
                found.append((start, start + len(form)))
                start = text.find(form, start + 1)
        found.sort()
        return found

    def _safe_length(self, text: str) -> int:
        """How much of a text cannot be the beginning of a form that goes on in the next piece."""
        safe = len(text)
        for form in self._forms:
            start = text.find(form[:_STUB], max(0, len(text) - len(form) + 1))
            while -1 < start < safe:
                if form.startswith(text[start:]):
                    safe = start
                start = text.find(form[:_STUB], start + 1)
        for size in range(_STUB - 1, 0, -1):
            if len(text) - size < safe and text[-size:] in self._stubs and size <= len(text):
                return len(text) - size
        return safe


def forms(value: str) -> frozenset[str]:
    """Every form of a secret's value that is long enough to be told from ordinary text."""
    pieces = {value, value.strip()}
    written = {form for piece in pieces for form in _written(piece)}
    written.update(line.strip() for line in value.splitlines())
    return frozenset(form for form in written if len(form) >= SHORTEST)


def _written(value: str) -> Iterator[str]:
    """A value as programs write it."""
    data = value.encode("utf-8", "surrogatepass")
    if len(value) < SHORTEST:
        return
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield html.escape(value)
    for escaped in (quote(data), quote(data, safe=""), quote_plus(data)):
        yield escaped
        yield _lower_escapes(escaped)
    yield data.hex()
    yield data.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(data).decode("ascii")
        yield alone
        yield alone.rstrip("=")
        for width in _WRAPS:
            for start in range(0, len(alone), width):
                yield alone[start : start + width]
        for shift in range(3):
            shifted = encode(b"\0" * shift + data).decode("ascii")
            # A character carries six bits; those that it shares with a neighbour are not stable.
            yield shifted[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]


def _lower_escapes(text: str) -> str:
    """``%2F`` as ``%2f``, as some programs write it."""
    head, *rest = text.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])
