"""Whose failure it is: the class of a stage that failed, with the rule that decided.

``RULES`` is the whole of it, in order, what is certain first; the first row that finds evidence
decides. It is decided before anything is spent on a failure, from what the sandbox measured and
what the tools printed. A log is the pull request's word: it decides who is told, never a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from bot.domain.log_text import one_line, plain
from bot.domain.plan import Cause, Plan, Stage, StageResult, StageStatus
from bot.domain.validations import FailureClass, Finding, Level
from bot.policy import evidence as said

_LOG_LIMIT = 512 * 1024
_LINE_LIMIT = 2000
_EVIDENCE_LIMIT = 200
_OF_THE_APPLICATION = frozenset(
    {Stage.START, Stage.HEALTH, Stage.PORTS, Stage.STABILITY, Stage.WEB_EVALUATION}
)
_LIMITS = frozenset({Cause.OUT_OF_MEMORY, Cause.DISK_FULL, Cause.PROCESS_LIMIT})
_COMMAND_NOT_FOUND = 127
_NOT_EXECUTABLE = 126
_KILLED = (137, 143)
_MODULE = re.compile(
    r"ModuleNotFoundError: No module named '([\w.]{1,100})'"
    r"|Cannot find (?:module|package) '((?:@[\w.-]{1,100}/)?[\w-][\w.-]{0,100})'"
    r"|(?:Could not resolve|failed to resolve import|Can't resolve) "
    r"[\"']((?:@[\w.-]{1,100}/)?[\w-][\w.-]{0,100})[\"']"
)
_CODE_ONLY = re.compile(r"^npm (?:ERR!|error) code [A-Z0-9_]{1,60}$")
_PATH_NOT_THERE = re.compile(r"^`[^`]{1,2000}` answered (?:404|410)\b")


@dataclass(frozen=True)
class FailureFacts:
    """What is known of the stage that failed.

    ``log`` is what tells of it (of the application, for a check of it). ``missing_secrets`` are
    the configured secrets that nobody gave, each with the stages that want it. ``paths`` are the
    files of the tree. ``passed_on_repeat``: the same stage passed when it ran once more.
    """

    plan: Plan
    result: StageResult
    log: str = ""
    findings: tuple[Finding, ...] = ()
    missing_secrets: Mapping[str, Collection[str]] = field(default_factory=dict)
    paths: frozenset[str] = frozenset()
    passed_on_repeat: bool = False


@dataclass(frozen=True)
class Classification:
    """The class, and why: the rule's name, its sentence, and what it saw (a line, a name)."""

    failure_class: FailureClass
    rule: str
    sentence: str
    evidence: str = ""


Holds = Callable[["_Case"], str | None]


@dataclass(frozen=True)
class ClassRule:
    """One row: the evidence that ``holds`` finds makes the class; None where it finds none."""

    name: str
    failure_class: FailureClass
    sentence: str
    holds: Holds


def classify(facts: FailureFacts) -> Classification:
    """The class of a failure, by the first rule that holds; the last one always does."""
    case = _Case(facts)
    for rule in RULES:
        evidence = rule.holds(case)
        if evidence is not None:
            shown = one_line(evidence)
            if len(shown) > _EVIDENCE_LIMIT:
                shown = shown[: _EVIDENCE_LIMIT - 1] + "…"
            return Classification(rule.failure_class, rule.name, rule.sentence, shown)
    raise AssertionError("the last rule holds always")


class _Case:
    """The facts, with the log's lines."""

    def __init__(self, facts: FailureFacts) -> None:
        self.facts = facts
        self.result = facts.result
        text = plain(facts.log[-_LOG_LIMIT:])
        self.lines = [line[:_LINE_LIMIT] for line in text.split("\n")] if text else []

    @property
    def installs(self) -> bool:
        return self.result.stage is Stage.INSTALL

    def line(self, pattern: re.Pattern[str]) -> str | None:
        """The first line that a pattern is found in; one that says more than a code, if any."""
        found = [line for line in self.lines if pattern.search(line)]
        return next(
            (line for line in found if not _CODE_ONLY.search(line)), next(iter(found), None)
        )

    @property
    def missing_secret(self) -> str | None:
        """The name of a secret that the stage, or the application that it looks at, lacked."""
        stage = Stage.START if self.result.stage in _OF_THE_APPLICATION else self.result.stage
        wanting = self.facts.missing_secrets.items()
        return next((name for name, stages in wanting if stage.value in stages), None)


# ── what makes a rule hold ───────────────────────────────────────────────────────────────────


def _cause(*causes: Cause) -> Holds:
    def holds(case: _Case) -> str | None:
        cause = case.result.cause
        return (case.result.reason or cause.value) if cause in causes and cause else None

    return holds


def _exit_code(*codes: int) -> Holds:
    def holds(case: _Case) -> str | None:
        code = case.result.exit_code
        return f"exit code {code}" if code in codes else None

    return holds


def _log(pattern: re.Pattern[str]) -> Holds:
    return lambda case: case.line(pattern)


def _install_log(pattern: re.Pattern[str]) -> Holds:
    return lambda case: case.line(pattern) if case.installs else None


def _later_log(pattern: re.Pattern[str]) -> Holds:
    return lambda case: None if case.installs else case.line(pattern)


def _flaky(case: _Case) -> str | None:
    return "it passed when it was repeated" if case.facts.passed_on_repeat else None


def _fork(case: _Case) -> str | None:
    return None if case.facts.plan.trusted else case.missing_secret


def _missing_variable(case: _Case) -> str | None:
    for number, line in enumerate(case.lines):
        before = case.lines[max(0, number - 4) : number]
        if said.MISSING_VARIABLE.search(line) or (
            said.MISSING_KEY.search(line)
            and any(said.OF_THE_ENVIRONMENT.search(frame) for frame in before)
        ):
            return line
    return None


def _undeclared(case: _Case) -> str | None:
    """A line that asks for a package which is no folder or module of the tree."""
    own = {part.partition(".")[0] for path in case.facts.paths for part in path.split("/")}
    for line in case.lines:
        match = _MODULE.search(line)
        if match is not None:
            package, _, inner = next(group for group in match.groups() if group).partition(".")
            # A module inside a package is the package's own, where the tree is not known.
            if package not in own and (own or not inner or not match[1]):
                return line
    return None


def _blamed(case: _Case) -> str | None:
    for finding in case.facts.findings:
        if finding.level is Level.FAILURE:
            at = f"{finding.file}:{finding.line}" if finding.line else finding.file
            return f"{at}: {finding.message}"
    return None


def _ran_and_failed(case: _Case) -> str | None:
    result = case.result
    if result.exit_code is not None and result.exit_code != 0:
        return f"exit code {result.exit_code}"
    if result.cause is not None or result.status is StageStatus.TIMED_OUT or result.exit_code == 0:
        return result.reason or (result.cause or result.status).value
    return None


def _no_such_path(case: _Case) -> str | None:
    """The sandbox's own sentence of an application that answers, and has no such path."""
    result = case.result
    unwell = result.stage is Stage.HEALTH and result.cause is Cause.UNHEALTHY
    return result.reason if unwell and _PATH_NOT_THERE.search(result.reason) else None


def _always(_case: _Case) -> str | None:
    return ""


def _when(condition: Callable[[_Case], bool], holds: Holds) -> Holds:
    return lambda case: holds(case) if condition(case) else None


_C = FailureClass

RULES: tuple[ClassRule, ...] = (
    ClassRule(
        "passed-on-repeat", _C.FLAKY, "It failed and then passed on the same commit.", _flaky
    ),
    ClassRule(
        "our-fault",
        _C.INFRASTRUCTURE,
        "The machine or the sandbox failed.",
        _cause(Cause.INFRASTRUCTURE, Cause.CANCELLED),
    ),
    ClassRule(
        "host-refused",
        _C.CONFIGURATION,
        "A host is not on the list of those that may be reached.",
        _cause(Cause.HOST_REFUSED),
    ),
    ClassRule(
        "configured-wrongly",
        _C.CONFIGURATION,
        "The configuration does not say what is needed, or the source cannot be had.",
        _cause(Cause.CONFIGURATION, Cause.SOURCE),
    ),
    ClassRule("limit-reached", _C.CODE, "It used up what it may use.", _cause(*_LIMITS)),
    ClassRule(
        "secret-withheld-from-fork",
        _C.UNTRUSTED_FORK,
        "A secret is not given to a fork that is not trusted.",
        _fork,
    ),
    ClassRule(
        "secret-not-given",
        _C.MISSING_SECRET,
        "A secret that the configuration names has no value.",
        lambda case: case.missing_secret,
    ),
    ClassRule(
        "variable-missing",
        _C.MISSING_SECRET,
        "The program says that a variable of its environment is missing.",
        _missing_variable,
    ),
    ClassRule(
        "registry-failed",
        _C.INFRASTRUCTURE,
        "A registry answered with a fault of its own.",
        _install_log(said.SERVER),
    ),
    ClassRule(
        "version-not-there",
        _C.DEPENDENCY,
        "A package has no such version.",
        _log(said.NO_SUCH_VERSION),
    ),
    ClassRule(
        "network-failed",
        _C.INFRASTRUCTURE,
        "A host could not be reached while installing.",
        _install_log(said.NETWORK),
    ),
    ClassRule(
        "no-manifest",
        _C.CONFIGURATION,
        "The install command looks for a file that is not there.",
        _install_log(said.NO_MANIFEST),
    ),
    ClassRule(
        "manifest-broken",
        _C.CODE,
        "A manifest is not what its tool can read.",
        _install_log(said.BROKEN_MANIFEST),
    ),
    ClassRule(
        "lock-out-of-date",
        _C.DEPENDENCY,
        "The lock file and the manifest do not agree.",
        _log(said.LOCK),
    ),
    ClassRule(
        "versions-conflict",
        _C.DEPENDENCY,
        "The versions that are asked for do not go together.",
        _log(said.CONFLICT),
    ),
    ClassRule(
        "package-not-there",
        _C.DEPENDENCY,
        "A package is not in the registry.",
        _log(said.NO_SUCH_PACKAGE),
    ),
    ClassRule(
        "script-missing",
        _C.CONFIGURATION,
        "The command names a script or target that is not there.",
        _log(said.NO_SUCH_SCRIPT),
    ),
    ClassRule(
        "command-not-found",
        _C.CONFIGURATION,
        "A command was not found.",
        _exit_code(_COMMAND_NOT_FOUND),
    ),
    ClassRule(
        "not-executable",
        _C.CONFIGURATION,
        "A file may not be executed.",
        _exit_code(_NOT_EXECUTABLE),
    ),
    ClassRule(
        "tool-not-found",
        _C.CONFIGURATION,
        "A command was not found, or has no configuration.",
        _log(said.NO_SUCH_TOOL),
    ),
    ClassRule(
        "started-file-missing",
        _C.CONFIGURATION,
        "The command starts something that is not there.",
        _log(said.NO_SUCH_ENTRY),
    ),
    ClassRule("no-tests", _C.CONFIGURATION, "No test was found.", _log(said.NO_TESTS)),
    ClassRule(
        "port-wrong",
        _C.CONFIGURATION,
        "The application does not listen where it is looked for.",
        _cause(Cause.PORT_CLOSED),
    ),
    ClassRule(
        "health-path-wrong",
        _C.CONFIGURATION,
        "The application has nothing at the path of its health check.",
        _no_such_path,
    ),
    ClassRule(
        "port-not-to-be-had",
        _C.CONFIGURATION,
        "A port is taken, not allowed, or no port at all.",
        _log(said.BAD_PORT),
    ),
    ClassRule(
        "service-not-there",
        _C.CONFIGURATION,
        "A database or queue is asked for that is not among the services.",
        _later_log(said.SERVICE),
    ),
    ClassRule(
        "network-is-cut",
        _C.CONFIGURATION,
        "A host was asked for after the install, when there is no network.",
        _later_log(said.OUTSIDE),
    ),
    ClassRule(
        "package-not-declared",
        _C.DEPENDENCY,
        "A package is imported that was not installed.",
        _undeclared,
    ),
    ClassRule(
        "line-blamed",
        _C.CODE,
        "A tool blames a line of the tree.",
        _when(lambda case: not case.installs, _blamed),
    ),
    ClassRule(
        "install-failed",
        _C.DEPENDENCY,
        "The dependencies could not be installed.",
        _when(lambda case: case.installs, _ran_and_failed),
    ),
    ClassRule(
        "killed",
        _C.INCONCLUSIVE,
        "It was ended by a signal, and no limit was met.",
        _exit_code(*_KILLED),
    ),
    ClassRule("command-failed", _C.CODE, "The command failed on this commit.", _ran_and_failed),
    ClassRule("nothing-conclusive", _C.INCONCLUSIVE, "Nothing tells whose fault it is.", _always),
)
"""Whose failure it is, a row a rule, in the order in which they are asked."""
