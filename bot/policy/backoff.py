"""How long to wait before the next attempt: exponential, with jitter that needs no dice."""

from __future__ import annotations

import hashlib

FIRST_SECONDS = 2.0
LONGEST_SECONDS = 3600.0
JITTER = 0.25
"""Up to this share of the delay is taken off, a different one for each seed and attempt."""


def delay(
    attempt: int,
    seed: str,
    *,
    first: float = FIRST_SECONDS,
    longest: float = LONGEST_SECONDS,
) -> float:
    """Seconds before the next attempt after ``attempt`` failed ones (1 for the first failure)."""
    whole = min(first * 2.0 ** min(max(attempt - 1, 0), 64), longest)
    digest = hashlib.sha256(f"{seed}\x1f{attempt}".encode()).digest()
    return whole * (1.0 - JITTER * digest[0] / 255)
