"""The effective configuration: every key's value and where it comes from.

A later source wins, key by key: default, detected, file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.config_parser import ParsedConfig, Source
from bot.domain.health_url import port_of
from bot.policy.detect import Detected, Found
from bot.policy.detect.source_code import port_in_command

COMMANDS = ("install_command", "build_command", "test_command", "start_command")


@dataclass(frozen=True)
class Setting:
    """A key's value. ``origin`` is the file that it comes from, empty for a default."""

    key: str
    value: Any
    source: Source
    origin: str = ""


def effective(parsed: ParsedConfig, detected: Detected) -> Mapping[str, Setting]:
    """Every key of the schema, dotted, with its value and source."""
    settings: dict[str, Setting] = {}
    for key, source in parsed.sources.items():
        origin = parsed.path if source is Source.FILE else ""
        settings[key] = Setting(key, _value(parsed.config, key), source, origin)
    for name, found in _usable(detected, parsed.config.sandbox.image).values():
        _fill(settings, f"deployment.{name}", found)
    _settle_port(settings, detected)
    return settings


def without_tools(detected: Detected, image: str) -> bool:
    """Whether the commands that were found need tools that the box does not have."""
    return bool(detected.needs_image) and not image


def _usable(detected: Detected, image: str) -> Detected:
    return Detected() if without_tools(detected, image) else detected


def _value(config: Any, key: str) -> Any:
    """A key's value; None below a section that is not there."""
    for part in key.split("."):
        config = getattr(config, part, None)
    return config


def _fill(settings: dict[str, Setting], key: str, found: Found[str] | Found[int]) -> None:
    if settings[key].source is Source.DEFAULT:
        settings[key] = Setting(key, found.value, Source.DETECTED, found.origin)


def _settle_port(settings: dict[str, Setting], detected: Detected) -> None:
    """The port: as the file says it in any way, else as its start command, else as detected."""
    key, start = "deployment.port", settings["deployment.start_command"]
    url = settings["deployment.health_check_url"]
    named = port_of(url.value) if url.source is Source.FILE else None
    if named is not None:
        settings[key] = Setting(key, named, Source.FILE, url.origin)
    elif settings[key].source is not Source.FILE:
        variable = settings["deployment.environment_variables"].value.get("PORT", "")
        own = port_in_command(start.value) if start.source is Source.FILE else None
        if own is not None:
            settings[key] = Setting(key, own, Source.DETECTED, "deployment.start_command")
        elif re.fullmatch("[1-9][0-9]{0,4}", variable) and int(variable) < 65536:
            origin = "deployment.environment_variables"
            settings[key] = Setting(key, int(variable), Source.DETECTED, origin)
    port = settings[key].value
    if start.source is Source.DETECTED and detected.port and port != detected.port.value:
        moved = re.sub(rf"(?<!\d){detected.port.value}(?!\d)", str(port), start.value)
        settings[start.key] = replace(start, value=moved)
