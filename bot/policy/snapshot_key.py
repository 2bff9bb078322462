"""The key of a snapshot: two installs with the same key would make the same box."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from bot.domain.plan import Step

KEY_LENGTH = 32
_FORM = 1  # to be raised when a snapshot is made otherwise, so that old ones are left behind


def snapshot_key(
    *,
    scope: str,
    trusted: bool,
    image_id: str,
    architecture: str,
    install: Step,
    manifests: Mapping[str, bytes],
) -> str:
    """32 hex digits over everything that decides what an install makes.

    ``scope`` is the repository's id, ``image_id`` the base image's, ``manifests`` maps a path to
    its content. Of secrets only the names count; their values are no part of a step.
    """
    ingredients = {
        "form": _FORM,
        "scope": scope,
        "trusted": trusted,
        "image": image_id,
        "architecture": architecture,
        "command": install.command,
        "variables": dict(install.environment),
        "secrets": sorted(install.secrets),
        "manifests": {
            path: hashlib.sha256(content).hexdigest() for path, content in manifests.items()
        },
    }
    canonical = json.dumps(ingredients, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:KEY_LENGTH]
