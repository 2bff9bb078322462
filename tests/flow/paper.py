"""A tab whose application is made of paper: a field, a button and a list."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bot.domain.exploring import Action, ActionKind, Observation
from bot.domain.plan import Stage, StageAttachment
from bot.ports.explorer import Gone, TabGone
from bot.ports.sandbox import Emit

JPEG = b"\xff\xd8\xff\xe0 a picture"
Change = Callable[[Observation], Observation]


def unchanged(seen: Observation) -> Observation:
    return seen


@dataclass
class PaperTab:
    """``change`` makes of each observation what is seen; after ``lives`` acts the tab is gone."""

    emit: Emit | None = None
    change: Change = unchanged
    lives: int = 1000
    gone: Gone = Gone.BROWSER
    seconds: float = 60.0
    acts: list[Action] = field(default_factory=list)
    entered: str = ""
    things: list[str] = field(default_factory=list)
    looks: int = 0

    async def open(self) -> Observation:
        self.entered, self.things = "", []
        return await self._seen()

    async def act(self, action: Action) -> Observation:
        self.acts.append(action)
        if len(self.acts) > self.lives:
            raise TabGone(self.gone, "as the test wants it")
        if action.kind is ActionKind.FILL:
            self.entered = action.text
        elif action.kind is ActionKind.CLICK:
            self.things.append(self.entered)
            self.entered = ""
        return await self._seen()

    async def _seen(self) -> Observation:
        self.looks += 1
        name = f"explore-{self.looks:02d}.jpg"
        if self.emit is not None:
            await self.emit(StageAttachment(Stage.WEB_EVALUATION, name, "image/jpeg", JPEG))
        lines = (
            "- main [ref=e1]:",
            f'  - textbox "What" [ref=e2]: {json.dumps(self.entered)}',
            '  - button "Add" [ref=e3]',
            "  - list [ref=e4]:",
            *(f"    - listitem [ref=e{at + 5}]: {it}" for at, it in enumerate(self.things)),
        )
        seen = Observation(
            url="/", title="A list", status=200, lines=lines, picture=name,
            media_type="image/jpeg", content=JPEG,
        )  # fmt: skip
        return self.change(seen)


def saying(text: str) -> dict[str, Change]:
    """A text at every place of a page that a model is shown."""
    quoted = json.dumps(text, ensure_ascii=False)

    def line(seen: Observation, told: str) -> Observation:
        return replace(seen, lines=(*seen.lines, told))

    return {
        "text": lambda seen: line(seen, f"  - paragraph [ref=e90]: {text}"),
        "name": lambda seen: line(seen, f"  - button {quoted} [ref=e91]"),
        "title": lambda seen: replace(seen, title=text),
        "place": lambda seen: replace(seen, url=f"/{text}"),
        "dialog": lambda seen: replace(seen, said=f"a dialog said “{text}” and was accepted"),
        "console": lambda seen: replace(seen, complaints=(f"console error: {text}",)),
    }
