"""Judges what the code analysis found.

The rules, in order; the first that holds decides how the stage stands.

1. It could not be tried here (no image): ``skipped``, with the reason. Where the check is
   required, the cause is ours.
2. Nothing in the tree can be read, it is beyond the bounds, or the reader crashed over it:
   ``skipped``, with the reason; where the check is required it has not run.
3. An import dangles for certain in head and not in base: ``failed``.
4. ``passed``; all else is advice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.domain.code_analysis import (
    AnalysisState,
    ChangedSymbol,
    CodeAnalysis,
    DanglingImport,
    Language,
)
from bot.domain.plan import Cause, Stage, StageResult, StageStatus
from bot.domain.validations import Check, Finding, Level
from bot.policy.findings import signature

DANGLING = "dangling-import"
CYCLE = "import-cycle"
UNUSED = "unused-function"
MOST_FINDINGS = 50
MOST_ROWS = 10
MOST_FILES = 3
SMALLEST_SHARE = 0.01

_DONE = frozenset({AnalysisState.ANALYSED, AnalysisState.UNCHANGED})


@dataclass(frozen=True)
class BlastRow:
    """One row of the blast radius: a changed symbol and who uses it, as text."""

    symbol: str
    place: str
    usages: int
    files: str


@dataclass(frozen=True)
class CodeAnalysisReport:
    """The stage's result and what to show of it.

    ``rows`` are the blast radius, the most used first, with ``more_rows`` that are not listed.
    ``notes`` are sentences: what was not looked at, what stands since before.
    """

    result: StageResult
    findings: tuple[Finding, ...] = ()
    rows: tuple[BlastRow, ...] = ()
    more_rows: int = 0
    notes: tuple[str, ...] = ()


_READ = (".py", ".ts", ".tsx", ".js", ".jsx")


def readable(paths: Iterable[str]) -> bool:
    """Whether a tree has anything that the analysis can read; the plan skips the stage if not."""
    return any(path.endswith(_READ) and "node_modules/" not in path for path in paths)


def judge(analysis: CodeAnalysis, required_checks: tuple[str, ...] = ()) -> CodeAnalysisReport:
    """What the analysis comes to, for a plan with these required checks."""
    if analysis.state not in _DONE:
        return CodeAnalysisReport(
            _not_done(analysis, required_checks), notes=tuple(_notes(analysis))
        )
    broken = tuple(it for it in analysis.dangling if _gates(analysis, it))
    result = StageResult(
        Stage.CODE_ANALYSIS,
        StageStatus.FAILED if broken else StageStatus.PASSED,
        _reason(broken) if broken else analysis.reason,
        seconds=analysis.seconds,
    )
    rows = [it for it in analysis.changed if it.usages]
    return CodeAnalysisReport(
        result,
        findings=tuple(_findings(analysis))[:MOST_FINDINGS],
        rows=tuple(_row(it) for it in rows[:MOST_ROWS]),
        more_rows=max(0, len(rows) - MOST_ROWS),
        notes=tuple(_notes(analysis)),
    )


def _gates(analysis: CodeAnalysis, it: DanglingImport) -> bool:
    """Whether an import fails the stage: without a base nobody can say that it is new."""
    return it.certain and analysis.has_base


def _not_done(analysis: CodeAnalysis, required_checks: tuple[str, ...]) -> StageResult:
    ours = analysis.state is AnalysisState.UNAVAILABLE
    required = Check.CODE_ANALYSIS_PASS.value in required_checks
    return StageResult(
        Stage.CODE_ANALYSIS,
        StageStatus.SKIPPED,
        analysis.reason or "the code could not be analysed",
        cause=Cause.INFRASTRUCTURE if ours and required else None,
        seconds=analysis.seconds,
    )


def _reason(broken: tuple[DanglingImport, ...]) -> str:
    first = broken[0]
    more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
    return f"{first.file}:{first.line} imports {_wanted(first)}, which is not there{more}"


def _wanted(it: DanglingImport) -> str:
    if it.name == "default":
        return f"the default export of `{it.module}`"
    return f"`{it.name}` of `{it.module}`" if it.name else f"`{it.module}`"


def _findings(analysis: CodeAnalysis) -> Iterator[Finding]:
    """What gates first, then what is advice."""
    for it in sorted(analysis.dangling, key=lambda it: not _gates(analysis, it)):
        gates = _gates(analysis, it)
        said = f"imports {_wanted(it)}, which is not there"
        if it.why:
            said += f" ({it.why})"
        elif not analysis.has_base:
            said += " (there is no base to compare with)"
        level = Level.FAILURE if gates else Level.WARNING
        yield _finding(it.file, it.line, level, said, DANGLING, it.column)
    for cycle in analysis.cycles:
        said = f"closes an import cycle: {' → '.join(cycle.files)}"
        yield _finding(cycle.file, cycle.line, Level.WARNING, said, CYCLE)
    for unused in analysis.unused:
        said = f"adds the function `{unused.symbol}`, which nothing uses"
        yield _finding(unused.file, unused.line, Level.NOTICE, said, UNUSED)


def _finding(
    file: str, line: int, level: Level, message: str, rule: str, column: int | None = None
) -> Finding:
    stage = Stage.CODE_ANALYSIS.value
    return Finding(stage, file, line, column, level, message, rule, signature(stage, rule, message))


def _row(it: ChangedSymbol) -> BlastRow:
    files = ", ".join(it.files[:MOST_FILES])
    more = it.file_count - min(len(it.files), MOST_FILES)
    return BlastRow(
        symbol=it.symbol,
        place=f"{it.file}:{it.line}",
        usages=it.usages,
        files=f"{files} and {more} more" if more > 0 else files,
    )


def _notes(analysis: CodeAnalysis) -> Iterator[str]:
    """What was not looked at, and what stands since before."""
    if analysis.state in _DONE and not analysis.has_base:
        yield "code analysis: there is no base to compare with, so nothing in it can fail"
    if share := _unknown_share(analysis.languages):
        yield f"code analysis does not read {share}"
    if analysis.left_out_count:
        first = analysis.left_out[0] if analysis.left_out else None
        named = f": {first.file} ({first.why})" if first else ""
        more = f" and {analysis.left_out_count - 1} more" if analysis.left_out_count > 1 else ""
        yield f"code analysis left out{named}{more}"
    if analysis.standing:
        count = analysis.standing
        was = "import dangles" if count == 1 else "imports dangle"
        yield f"code analysis: {count} {was} as before, in the base too"


def _unknown_share(languages: tuple[Language, ...]) -> str:
    """The languages that are not analysed, each with its share of all lines, if it has one."""
    total = sum(it.lines for it in languages) or 1
    unknown = [it for it in languages if not it.known and it.lines / total >= SMALLEST_SHARE]
    return ", ".join(f"{it.name} ({it.lines / total:.0%} of the lines)" for it in unknown)
