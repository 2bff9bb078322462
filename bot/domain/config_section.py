"""What all sections of the configuration file have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A mapping of the file: no key but the named ones, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def conflict(key: str, message: str) -> PydanticCustomError:
    """Two keys of one section contradict each other; ``key`` is the one that gives way."""
    return PydanticCustomError("conflict", "{message}", {"key": key, "message": message})
