"""What to do about a validation that did not pass: one sentence for who has ten seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bot.domain.validations import FailureClass, Finding, Level, Verdict
from bot.policy.classification import Classification

_BY_RULE: Final[Mapping[str, str]] = {
    "host-refused": "Add the host to `sandbox.allow_hosts`, if the install needs it.",
    "limit-reached": "Have it need less, or raise its limit below `sandbox` in the configuration.",
    "secret-not-given": "Have somebody who may give the secret its value.",
    "secret-withheld-from-fork": "Have somebody who may write here look at it, and trust it.",
    "variable-missing": (
        "Set the variable in `deployment.environment_variables`, or name it in "
        "`deployment.secrets`."
    ),
    "no-manifest": "Set `deployment.install_command`, or add the file that it looks for.",
    "lock-out-of-date": "Install on your machine, and commit the lock file.",
    "versions-conflict": "Choose versions that go together, and commit the lock file.",
    "version-not-there": "Ask for a version that there is.",
    "package-not-there": "Correct the package's name, or add its index to `sandbox.allow_hosts`.",
    "package-not-declared": "Add the package to the project's dependencies.",
    "script-missing": "Correct the command below `deployment`, or add the script that it names.",
    "command-not-found": "Set `sandbox.image` to one that has the tool, or correct the command.",
    "tool-not-found": "Add the tool to the project's dependencies, or correct the command.",
    "port-wrong": "Have the application listen on the port, or set `deployment.port` to its own.",
    "health-path-wrong": (
        "Set `deployment.health_check_url` to a path that answers, or have this one answer."
    ),
    "service-not-there": "Name the service in `sandbox.services`.",
    "network-is-cut": (
        "Have it do without a network, or set `sandbox.build_network: registries` for the build."
    ),
    "no-tests": "Correct `deployment.test_command`, or add a test.",
}
_BY_CLASS: Final[Mapping[FailureClass, str]] = {
    FailureClass.CODE: "Mend it, and push: the new commit is validated by itself.",
    FailureClass.CONFIGURATION: "Correct `.github/codegenapp.yml` on the default branch.",
    FailureClass.DEPENDENCY: "Mend the dependencies, and push.",
    FailureClass.INFRASTRUCTURE: "Nothing: run it again in the Checks tab.",
    FailureClass.FLAKY: "Run it again; then make the test sure.",
    FailureClass.MISSING_SECRET: "Have somebody who may give the secret its value.",
    FailureClass.UNTRUSTED_FORK: "Have somebody who may write here look at it, and trust it.",
    FailureClass.INCONCLUSIVE: "Read the log below; then run it again in the Checks tab.",
}


def next_step(
    verdict: Verdict, classification: Classification | None, findings: Sequence[Finding]
) -> str:
    """The sentence; empty where there is nothing to do."""
    if verdict is Verdict.ERROR:
        return "Nothing: it was no fault of the change. Run it again in the Checks tab."
    if verdict is not Verdict.FAILED or classification is None:
        return ""
    blamed = next((it for it in findings if it.level is Level.FAILURE and it.line), None)
    if classification.rule == "line-blamed" and blamed is not None:
        return f"Mend `{blamed.file}:{blamed.line}`, and push."
    said = _BY_RULE.get(classification.rule)
    return said or _BY_CLASS[classification.failure_class]
