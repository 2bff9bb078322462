"""All that people and other Apps do on the stand-in GitHub."""

from __future__ import annotations

from demo.github.check_acts import CheckActs
from demo.github.setting_acts import SettingActs


class Acts(CheckActs, SettingActs):
    """What the server is, but for its serving."""
