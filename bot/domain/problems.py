"""The three failures, and no more: the user's, a passing one, and (everything else) a bug.

Beside them ``AssumptionFailed``, which is no failure: the world moved on between facts and effect.
"""

from __future__ import annotations


class UserProblem(Exception):
    """Something that the user can mend. ``message`` names the fault, ``mend`` what to do."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message if not mend else f"{message} {mend}")
        self.message = message
        self.mend = mend


class TryAgain(Exception):
    """A passing fault of the machine or of an outside system; ``after`` is in seconds."""

    def __init__(self, message: str, after: float = 30.0) -> None:
        super().__init__(message)
        self.message = message
        self.after = after


class Limited(TryAgain):
    """Too much was asked of an outside system: this call has done nothing there."""


class AssumptionFailed(Exception):
    """What an effect took for granted is no longer so: gather the facts and decide anew."""
