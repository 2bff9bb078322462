"""Why a stage did not pass, in one sentence that names the stage, the command and the mend."""

from __future__ import annotations

import re

from bot.domain.log_text import one_line
from bot.domain.plan import Cause, Plan, Stage, StageResult, StageStatus

STOPPED = "stopped after"
"""How a plan begins its reason for a stage that the user left out (``--stage``)."""
_COMMAND_LIMIT = 120
_HOST = re.compile(
    r"(?<![\w.-])(?:(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}|\d{1,3}(?:\.\d{1,3}){3})"
    r"(?::\d{1,5})?(?![\w-])"
)
_CODE = re.compile(r"`[^`]*`")
_KEY_BEHIND = re.compile(r" \((?:sandbox|validation)\.\w+\)$")
_TIMEOUT_KEY = "validation.timeout_minutes"
COMMAND_NOT_FOUND = 127
_NOT_EXECUTABLE = 126
_KILLED = 128


def words(stage: Stage) -> str:
    """A stage's name in plain words."""
    return stage.value.replace("_", " ")


def command_of(plan: Plan, result: StageResult) -> str:
    """What was run, as a code span; empty where the stage has no command."""
    step = plan.step(result.stage)
    command = one_line(result.command or (step.command if step else ""))
    if len(command) > _COMMAND_LIMIT:
        command = command[: _COMMAND_LIMIT - 1] + "…"
    return f"`{command}`" if command else ""


def sentence(plan: Plan, result: StageResult) -> str:
    """The reason of a stage that failed, timed out or met an error, without a full stop.

    The sandbox's own words stand where it has any; what to do about it is added.
    """
    name = words(result.stage)
    told = _told(result)
    if result.status is StageStatus.ERROR and result.cause is not Cause.SOURCE:
        return f"{name} could not be judged: {told or 'the sandbox failed'}"
    if result.cause is Cause.TIMEOUT or result.status is StageStatus.TIMED_OUT:
        return f"{name} timed out: {_timeout(plan, result, told)}"
    if result.cause is Cause.HOST_REFUSED:
        return f"{name} {_refused(told)}"
    limit, mend = _limit(plan, result)
    if limit:
        return f"{name} failed: {_KEY_BEHIND.sub('', told) or limit}; {mend}"
    if result.cause in (Cause.EXIT_CODE, None) and result.exit_code is not None:
        return f"{name} failed: {_exit(plan, result, result.exit_code)}"
    return f"{name} failed: {told or command_of(plan, result) or 'no cause was given'}"


def _told(result: StageResult) -> str:
    """The sandbox's own sentence, without its full stop and the stage's name before it."""
    told = one_line(result.reason).rstrip(".")
    for prefix in (f"{words(result.stage)} failed: ", f"{result.stage.value} failed: "):
        told = told.removeprefix(prefix)
    return told


def _limit(plan: Plan, result: StageResult) -> tuple[str, str]:
    """What was used up, and the mend; both empty where no limit was met."""
    limits = plan.limits
    who = command_of(plan, result) or "it"
    match result.cause:
        case Cause.OUT_OF_MEMORY:
            return (
                f"{who} ran out of memory: the limit is {limits.memory_mb} MB",
                "use less, or raise `sandbox.memory_mb`",
            )
        case Cause.DISK_FULL:
            return (
                f"{who} wrote more than {limits.disk_mb} MB to disk",
                "write less, or raise `sandbox.disk_mb`",
            )
        case Cause.PROCESS_LIMIT:
            return f"{who} reached the limit of {limits.pids} processes", "run fewer at a time"
        case _:
            return "", ""


def _timeout(plan: Plan, result: StageResult, told: str) -> str:
    if told:
        mend = "; make it quicker, or raise it" if told.endswith(_TIMEOUT_KEY) else ""
        return told.removesuffix(_TIMEOUT_KEY) + f"`{_TIMEOUT_KEY}`" + mend if mend else told
    step = plan.step(result.stage)
    own = step.timeout_seconds if step else None
    ended = f"{command_of(plan, result) or 'it'} was ended after {_duration(result.seconds)}"
    if own is not None and own < plan.limits.total_seconds:
        return f"{ended}; its own limit is {_duration(own)}"
    total = _duration(plan.limits.total_seconds)
    whole = f"the whole validation may take {total}"
    return f"{ended}; {whole}: make it quicker, or raise `{_TIMEOUT_KEY}`"


def _refused(told: str) -> str:
    # A command may name files that look like hosts; it stands between backticks.
    hosts = list(dict.fromkeys(_HOST.findall(_CODE.sub("", told))))
    if not hosts:
        return f"was refused a host: {told or 'it is not on the list'}"
    what = "the host" if len(hosts) == 1 else "the hosts"
    them = "it" if len(hosts) == 1 else "them"
    return f"was refused {what} {_joined(hosts)}; add {them} to `sandbox.allow_hosts`"


def _exit(plan: Plan, result: StageResult, code: int) -> str:
    command = command_of(plan, result) or "the command"
    if code == COMMAND_NOT_FOUND:
        return f"{command} exited with {code}, a command was not found"
    if code == _NOT_EXECUTABLE:
        return f"{command} exited with {code}, a file may not be executed"
    if code > _KILLED:
        return f"{command} exited with {code}, ended by signal {code - _KILLED}"
    if code == 0:
        return _told(result) or f"{command} exited with 0"
    return f"{command} exited with {code}"


def _joined(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
