"""What `demo` shows on a terminal: a timeline, Markdown, and which facts hold."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

STYLES = {"/success": "green", "/failure": "red"}
_CODE = re.compile(r"</?code>")
_UNSEEN = re.compile(r"</?(?:sub|details|summary)>|<!--.*?-->")


@dataclass
class Play:
    """The terminal of a demo; ``wrong`` are the facts that did not hold."""

    console: Console = field(default_factory=lambda: Console(highlight=False))
    began: float = field(default_factory=time.monotonic)
    wrong: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """A new act."""
        self.console.print()
        self.console.print(Rule(Text(text, style="bold")))

    def say(self, text: str) -> None:
        """A line of the timeline."""
        line = Text(f"{time.monotonic() - self.began:6.1f} s  ", "dim")
        style = next((it for name, it in STYLES.items() if name in text), "")
        self.console.print(line.append(text, style), soft_wrap=True)

    def markdown(self, text: str) -> None:
        """What GitHub would show, without its HTML, which a terminal can't show."""
        text = _UNSEEN.sub("", _CODE.sub("`", text.replace("<br>", " · ")))
        self.console.print()
        self.console.print(Padding(Markdown(text), (0, 0, 0, 2)))
        self.console.print()

    def annotation(self, place: str, message: str) -> None:
        """A line that a check run points at."""
        line = Text(f"  annotation at {place}: ", "bold")
        self.console.print(line.append(message, "not bold"), soft_wrap=True)

    def facts(self, name: str, facts: Mapping[str, bool]) -> None:
        """Tell which facts hold, and keep those that do not."""
        for fact, holds in facts.items():
            mark, style = ("✓", "green") if holds else ("✗", "red")
            self.console.print(Text(f"{mark} {name}: {fact}", style), soft_wrap=True)
            if not holds:
                self.wrong.append(f"{name}: not so: {fact}")

    def end(self, text: str) -> None:
        """The last lines."""
        self.console.print(Rule(style="dim"))
        self.console.print(Text(text), soft_wrap=True)
        for fault in self.wrong:
            self.console.print(Text(f"✗ {fault}", "red"), soft_wrap=True)
