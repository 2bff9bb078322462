"""What a validation will do (``Plan``) and what each of its stages found (``StageResult``).

A plan is plain data made by ``bot.policy.plan``; a sandbox carries it out and answers with one
``StageResult`` for each stage that it reached. Times are seconds, sizes are in the unit that the
field's name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bot.domain.web import WebComparison, WebEvaluation, WebPlan


class Stage(StrEnum):
    """The stages of a validation, in the order in which they run and are reported."""

    RETRIEVE = "retrieve"
    INSTALL = "install"
    BUILD = "build"
    TEST = "test"
    START = "start"
    HEALTH = "health"
    PORTS = "ports"
    WEB_EVALUATION = "web_evaluation"
    CODE_ANALYSIS = "code_analysis"
    STABILITY = "stability"
    ANALYSIS = "analysis"


class StageStatus(StrEnum):
    """How a stage ended; ``error`` is ours or the machine's fault, never the author's."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_REACHED = "not_reached"
    TIMED_OUT = "timed_out"
    ERROR = "error"


class Cause(StrEnum):
    """Why a stage did not pass, as the sandbox could tell it apart."""

    EXIT_CODE = "exit_code"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    PROCESS_LIMIT = "process_limit"
    HOST_REFUSED = "host_refused"
    UNHEALTHY = "unhealthy"
    PORT_CLOSED = "port_closed"
    CRASHED = "crashed"
    BROKEN_PAGE = "broken_page"
    CONFIGURATION = "configuration"
    SOURCE = "source"
    CANCELLED = "cancelled"
    INFRASTRUCTURE = "infrastructure"


class NetworkAccess(StrEnum):
    """What a phase of the validation may reach; ``internet`` is the proxy without its host list."""

    NONE = "none"
    REGISTRIES = "registries"
    INTERNET = "internet"


@dataclass(frozen=True)
class Step:
    """One shell command of a stage.

    ``secrets`` are names; their values are handed to the sandbox apart from the plan, so that a
    plan can be stored and shown.
    """

    stage: Stage
    command: str
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class HealthCheck:
    """How the started application is asked whether it is well.

    ``path`` is on the application's own ``port``; ``fallback_path`` is asked where ``path`` was
    only assumed and answers 404. ``deadline_seconds`` bounds the wait for the first good answer,
    ``settle_seconds`` is the least time between it and the stability check.
    """

    port: int
    path: str = "/"
    fallback_path: str | None = None
    deadline_seconds: float = 60.0
    settle_seconds: float = 5.0


@dataclass(frozen=True)
class Service:
    """A container beside the application, on its 127.0.0.1 (a database, a queue)."""

    name: str
    image: str
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_command: str = ""
    memory_mb: int = 512
    ready_seconds: float = 60.0


@dataclass(frozen=True)
class Limits:
    """What one validation may use. ``disk_mb`` is the box's writable layer."""

    memory_mb: int = 2048
    cpus: float = 2.0
    disk_mb: int = 4096
    pids: int = 512
    tmp_mb: int = 512
    total_seconds: float = 1800.0
    log_bytes: int = 1024 * 1024


@dataclass(frozen=True)
class SnapshotRecipe:
    """What decides whether an installed box can be used again (see ``snapshot_key``).

    ``manifests`` are the paths of every manifest, lock and package-manager file; ``locked`` says
    whether a lock file pins them; ``needs_source`` whether install reads more of the tree than
    the manifests, so that it must run again, offline, on top of a snapshot.
    """

    manifests: tuple[str, ...] = ()
    locked: bool = False
    needs_source: bool = False


@dataclass(frozen=True)
class Plan:
    """All that a validation will do, decided before anything runs.

    ``steps`` are the shell commands in order (install, build, test, start); a stage without a
    step stands in ``skipped`` with its reason. ``web`` is None where nothing is looked at in a
    browser. ``image`` is empty for the product's own. ``notes``
    are sentences for the report (a problem of the configuration file, a hint of detection).
    ``test_reports`` are patterns of files that a test run may leave behind.
    """

    steps: tuple[Step, ...] = ()
    skipped: Mapping[Stage, str] = field(default_factory=dict)
    health: HealthCheck | None = None
    web: WebPlan | None = None
    image: str = ""
    prepare_network: NetworkAccess = NetworkAccess.REGISTRIES
    build_network: NetworkAccess = NetworkAccess.NONE
    allow_hosts: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    limits: Limits = Limits()
    snapshot: SnapshotRecipe | None = None
    trusted: bool = True
    stop_after: Stage | None = None
    required_checks: tuple[str, ...] = ()
    test_reports: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    not_verified: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def step(self, stage: Stage) -> Step | None:
        """The step of a stage, or None where the stage has no command of its own."""
        return next((step for step in self.steps if step.stage is stage), None)

    def with_cpus(self, cpus: float) -> Plan:
        """The same plan on a machine with no more cores than these."""
        return replace(self, limits=replace(self.limits, cpus=cpus))

    def wants(self, stage: Stage) -> bool:
        """Whether the run goes as far as this stage."""
        order = list(Stage)
        return self.stop_after is None or order.index(stage) <= order.index(self.stop_after)


@dataclass(frozen=True)
class Log:
    """What a step printed, masked: its head and its tail, and how many bytes fell out between."""

    head: str = ""
    tail: str = ""
    dropped_bytes: int = 0

    @property
    def text(self) -> str:
        """Head and tail as one text, with a line that says what is missing between them."""
        if not self.dropped_bytes:
            return self.head + self.tail
        return f"{self.head}\n… {self.dropped_bytes:,} bytes left out …\n{self.tail}"


@dataclass(frozen=True)
class StageResult:
    """What one stage found. ``reason`` is a sentence for the author, empty where it passed.

    ``evaluation`` is what a browser saw, in the web evaluation's result only, and ``comparison``
    what of it changed since the base, None where there is no base. ``faults`` are all sentences of
    what failed the stage, where there may be several; ``advice`` is what did not.
    """

    stage: Stage
    status: StageStatus
    reason: str = ""
    cause: Cause | None = None
    command: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    log: Log = Log()
    evaluation: WebEvaluation | None = None
    comparison: WebComparison | None = None
    faults: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageStarted:
    """A stage began; ``at`` is the time since the epoch."""

    stage: Stage
    command: str
    at: float


@dataclass(frozen=True)
class StageOutput:
    """Masked output of a running stage, whole lines; ``offset`` counts the characters before."""

    stage: Stage
    offset: int
    text: str


@dataclass(frozen=True)
class StageNote:
    """Something worth telling while a stage runs (pulling an image, a snapshot was used)."""

    stage: Stage
    text: str


@dataclass(frozen=True)
class StageFinished:
    """A stage ended with this result."""

    result: StageResult


@dataclass(frozen=True)
class StageAttachment:
    """A file that a stage has made (a screenshot), whole; at most some megabytes."""

    stage: Stage
    name: str
    media_type: str
    content: bytes


StageEvent = StageStarted | StageOutput | StageNote | StageFinished | StageAttachment
