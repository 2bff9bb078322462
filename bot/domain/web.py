"""What a browser saw of a started application (``WebEvaluation``), and what it is to look at.

Places of the application's own origin are path and query; lines and columns count from 1. What is
``flaky`` was seen once and not again when it was tried once more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from bot.domain.bounded_json import mapped, plain, read
from bot.domain.config_web import Flow, WebBudgets


class Size(StrEnum):
    """The windows that pages are looked at in."""

    DESKTOP = "desktop"
    PHONE = "phone"


class FaultKind(StrEnum):
    """How a page can be no page."""

    NOT_LOADED = "not_loaded"
    BLANK = "blank"
    ERROR_PAGE = "error_page"
    CRASHED = "crashed"
    NOT_REACHED = "not_reached"


class FlowOutcome(StrEnum):
    """How a flow ended; ``not_run`` where the time was over before it."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"


class ComponentOutcome(StrEnum):
    """What came of exercising a component."""

    OK = "ok"
    BROKE = "broke"


@dataclass(frozen=True)
class PageFault:
    """Why a page is none; ``reason`` goes on after "it" or the page's path."""

    kind: FaultKind
    reason: str
    flaky: bool = False


@dataclass(frozen=True)
class Frame:
    """A place in a script, from a stack."""

    url: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class ConsoleError:
    """An error in the browser's console that is no failed request."""

    text: str
    url: str = ""
    line: int | None = None
    column: int | None = None
    flaky: bool = False

    @property
    def frame(self) -> Frame:
        """Where it was said."""
        return Frame(self.url, self.line, self.column)


@dataclass(frozen=True)
class Thrown:
    """An exception that nobody caught, the innermost frame first."""

    text: str
    frames: tuple[Frame, ...] = ()
    flaky: bool = False


@dataclass(frozen=True)
class FailedRequest:
    """A request to the application's own origin; ``status`` is None where no answer came."""

    method: str
    url: str
    status: int | None = None
    type: str = ""
    reason: str = ""
    flaky: bool = False


@dataclass(frozen=True)
class Violation:
    """What axe-core objects to; ``impact`` is minor, moderate, serious or critical."""

    rule: str
    impact: str
    help: str = ""
    nodes: int = 1
    selectors: tuple[str, ...] = ()

    @property
    def serious(self) -> bool:
        """Whether it counts against the budget."""
        return self.impact in {"serious", "critical"}


@dataclass(frozen=True)
class Vitals:
    """The median of several visits; times in milliseconds."""

    runs: int = 1
    lcp_ms: float | None = None
    cls: float | None = None
    ttfb_ms: float | None = None
    transfer_bytes: float | None = None


@dataclass(frozen=True)
class PageSeen:
    """One page at one size. ``violations`` is None where accessibility was not examined.

    ``missing`` are the scripts and stylesheets of other hosts, which can't be loaded in the box:
    ``script cdn.example``.
    """

    path: str
    size: Size
    status: int | None = None
    url: str = ""
    title: str = ""
    fault: PageFault | None = None
    console: tuple[ConsoleError, ...] = ()
    exceptions: tuple[Thrown, ...] = ()
    requests: tuple[FailedRequest, ...] = ()
    third_party: int = 0
    missing: tuple[str, ...] = ()
    violations: tuple[Violation, ...] | None = None
    vitals: Vitals | None = None
    configured: bool = False
    picture: str | None = None
    left_out: int = 0
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def was_reached(self) -> bool:
        """Whether it was looked at, though there may have been nothing to see."""
        return self.fault is None or self.fault.kind is not FaultKind.NOT_REACHED


@dataclass(frozen=True)
class BrokenLink:
    """A link of ``page`` to a place of the application that is not there."""

    page: str
    url: str
    text: str = ""
    status: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class ComponentSeen:
    """A button, link, form or input that was exercised."""

    page: str
    kind: str
    selector: str
    label: str
    outcome: ComponentOutcome
    reason: str = ""
    exceptions: tuple[Thrown, ...] = ()
    flaky: bool = False


@dataclass(frozen=True)
class FlowSeen:
    """A flow that was tried; ``step`` counts from 1 and is the last one that was begun.

    ``trace`` is the name of Playwright's trace of the second try, empty where there is none.
    """

    name: str
    outcome: FlowOutcome
    flaky: bool = False
    step: int = 0
    steps: int = 0
    doing: str = ""
    reason: str = ""
    missing: tuple[str, ...] = ()
    exceptions: tuple[Thrown, ...] = ()
    pictures: tuple[str, ...] = ()
    trace: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Picture:
    """A screenshot, by its name in this evaluation; its bytes are kept elsewhere."""

    name: str
    media_type: str = ""
    size: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class WebEvaluation:
    """All that was seen. ``left_out`` says what a bound kept from being looked at."""

    pages: tuple[PageSeen, ...] = ()
    links: tuple[BrokenLink, ...] = ()
    components: tuple[ComponentSeen, ...] = ()
    flows: tuple[FlowSeen, ...] = ()
    pictures: tuple[Picture, ...] = ()
    left_out: tuple[str, ...] = ()
    browser: str = ""
    seconds: float = 0.0

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what ``to_json`` wrote, or a probe sent. Raises NotInShape."""
        return read(cls, value)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        told: dict[str, Any] = plain(self)
        return told

    def masked(self, mask: Callable[[str], str]) -> Self:
        """The same with every text masked."""
        return mapped(self, mask)


@dataclass(frozen=True)
class BasePicture:
    """A screenshot of the base commit, with its bytes."""

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class WebBase:
    """What is known of the base commit: what was seen of it, or the ``reason`` why nothing was.

    ``reason`` goes on after "the base commit". ``pictures`` are by their names in ``evaluation``.
    """

    sha: str
    evaluation: WebEvaluation | None = None
    reason: str = ""
    pictures: Mapping[str, BasePicture] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """Something that only one of two evaluations has; ``kind`` is a word for it, in the singular.

    ``text`` says which one, without a full stop.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class VitalsChange:
    """How a page's vitals differ from the base's; head minus base, None where one is unknown."""

    path: str
    lcp_ms: float | None = None
    cls: float | None = None
    ttfb_ms: float | None = None
    transfer_bytes: float | None = None


@dataclass(frozen=True)
class PictureChange:
    """A page that looks different: ``share`` is that of its pixels, from 0 to 1.

    ``before``, ``after`` and ``changed`` are names of pictures: the base's, the head's, and one
    that marks what differs.
    """

    path: str
    size: Size
    share: float
    before: str
    after: str
    changed: str


@dataclass(frozen=True)
class WebComparison:
    """Head against base; ``reason`` says why they were not compared, empty where they were.

    ``alike`` counts the pictures that show no difference; ``left_out`` says what a bound kept from
    being compared.
    """

    sha: str
    reason: str = ""
    new: tuple[Difference, ...] = ()
    gone: tuple[Difference, ...] = ()
    vitals: tuple[VitalsChange, ...] = ()
    pictures: tuple[PictureChange, ...] = ()
    alike: int = 0
    left_out: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        told: dict[str, Any] = plain(self)
        return told

    def masked(self, mask: Callable[[str], str]) -> Self:
        """The same with every text masked."""
        return mapped(self, mask)


@dataclass(frozen=True)
class WebPlan:
    """What is to be looked at. ``explicit`` where somebody has said that there is a web page.

    Without that the pages that the first one links to are looked at as well, and a first page that
    is none means that there is nothing to look at. ``base`` is None where nothing is compared.
    ``task`` is what an exploring agent is to try afterwards, empty for nothing.
    """

    pages: tuple[str, ...] = ("/",)
    explicit: bool = False
    follow: bool = True
    flows: tuple[Flow, ...] = ()
    budgets: WebBudgets = field(default_factory=WebBudgets)
    base: WebBase | None = None
    seconds: float = 240.0
    page_seconds: float = 20.0
    task: str = ""


_HASHED = re.compile(r"(?<=[-._])(?=[\w-]*\d)[\w-]{8,}(?=\.\w+)")
_NUMBER = re.compile(r"\d+")


def steady(text: str) -> str:
    """A text without what differs from one build to the next: hashes in names, numbers."""
    text = _HASHED.sub("*", text[:500])
    return " ".join(_NUMBER.sub("0", text).split())
