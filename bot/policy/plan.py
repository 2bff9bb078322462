"""Decides what a validation will do: the configuration over what was detected over the defaults.

Pure. An untrusted fork's code gets no secrets, no services and no network while it builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.domain.config_parser import ParsedConfig, Source
from bot.domain.health_url import path_of
from bot.domain.plan import (
    HealthCheck,
    Limits,
    NetworkAccess,
    Plan,
    Service,
    SnapshotRecipe,
    Stage,
    Step,
)
from bot.domain.repo_config import RepoConfig
from bot.domain.web import WebPlan
from bot.policy.detect import Detected
from bot.policy.effective import COMMANDS, Setting, effective, without_tools

_COMMAND_KEYS = dict(
    zip((Stage.INSTALL, Stage.BUILD, Stage.TEST, Stage.START), COMMANDS, strict=True)
)
AFTERWARDS = "it is about what failed, and comes after the verdict"
NO_BASE = "there is no base to hold the code against"
NO_CODE = "no Python, TypeScript or JavaScript here"
USUAL_REPORTS = (
    "**/junit*.xml",
    "**/*-junit.xml",
    "**/TEST-*.xml",
    "**/test-results/**/*.xml",
    "**/test-reports/**/*.xml",
    "**/*.tap",
)
"""Where tools leave the reports of a test run, if nobody says."""
_OF_THE_APPLICATION = (Stage.HEALTH, Stage.PORTS, Stage.WEB_EVALUATION, Stage.STABILITY)
# With NODE_ENV=production package managers leave out what the build and the tests need.
_WITH_DEVELOPMENT_PACKAGES = {
    "npm_config_include": "dev",
    "NPM_CONFIG_PRODUCTION": "false",
    "YARN_PRODUCTION": "false",
}


def make_plan(
    parsed: ParsedConfig,
    detected: Detected,
    *,
    trusted: bool,
    given_secrets: frozenset[str],
    maximum_timeout_minutes: int,
    stop_after: Stage | None = None,
    no_code_analysis: str = NO_BASE,
) -> Plan:
    """The plan for one tree. ``given_secrets`` are the names whose values are at hand.

    ``no_code_analysis`` says why there is none, empty where there is one.
    """
    settings = effective(parsed, detected)
    draft = _Draft(parsed, detected, settings, trusted, given_secrets, no_code_analysis)
    config = parsed.config
    minutes = min(config.validation.timeout_minutes, maximum_timeout_minutes)
    plan = Plan(
        steps=draft.steps(),
        skipped=draft.skipped(),
        health=draft.health(),
        web=draft.web(),
        image=config.sandbox.image,
        prepare_network=NetworkAccess(config.sandbox.network),
        build_network=NetworkAccess(config.sandbox.build_network if trusted else "none"),
        allow_hosts=config.sandbox.allow_hosts,
        services=_services(config) if trusted else (),
        limits=Limits(
            memory_mb=config.sandbox.memory_mb,
            cpus=config.sandbox.cpus,
            disk_mb=config.sandbox.disk_mb,
            total_seconds=minutes * 60.0,
        ),
        snapshot=draft.snapshot(),
        trusted=trusted,
        required_checks=config.validation.required_checks,
        test_reports=config.validation.test_reports or USUAL_REPORTS,
        assumed=draft.assumed(),
        notes=draft.notes(),
    )
    plan = plan if stop_after is None else _stopped(plan, stop_after)
    return replace(plan, not_verified=_not_verified(plan, draft))


def for_the_browser(plan: Plan) -> Plan:
    """No more of a plan than the web evaluation needs; nothing where there is none."""
    stopped = _stopped(plan, Stage.WEB_EVALUATION if plan.web else Stage.RETRIEVE)
    steps = tuple(step for step in stopped.steps if step.stage is not Stage.TEST)
    return replace(stopped, steps=steps)


def _services(config: RepoConfig) -> tuple[Service, ...]:
    return tuple(
        Service(it.name, it.image, dict(it.environment_variables), it.ready_command)
        for it in config.sandbox.services
    )


def _stopped(plan: Plan, stop_after: Stage) -> Plan:
    """The plan up to a stage; what comes later is skipped."""
    order = list(Stage)
    later = order[order.index(stop_after) + 1 :]
    reason = f"stopped after {stop_after} by --stage"
    cut: dict[Stage, str] = dict.fromkeys(
        (stage for stage in later if stage != Stage.ANALYSIS), reason
    )
    for stage in (Stage.WEB_EVALUATION, Stage.CODE_ANALYSIS):
        if stage in plan.skipped:
            cut.pop(stage, None)  # it would not have run anyway
    serves = stop_after not in {Stage.RETRIEVE, Stage.INSTALL, Stage.BUILD}
    return replace(
        plan,
        steps=tuple(step for step in plan.steps if step.stage not in later),
        skipped=_in_order({**plan.skipped, **cut}),
        health=plan.health if Stage.HEALTH not in later else None,
        web=plan.web if Stage.WEB_EVALUATION not in later else None,
        services=plan.services if serves else (),
        stop_after=stop_after,
    )


def _in_order(reasons: Mapping[Stage, str]) -> dict[Stage, str]:
    return {stage: reasons[stage] for stage in Stage if stage in reasons}


def _not_verified(plan: Plan, draft: _Draft) -> tuple[str, ...]:
    """What the report must not claim."""
    sentences = [
        f"{name}: {plan.skipped[stage]}"
        for stage, name in ((Stage.TEST, "tests"), (Stage.HEALTH, "running application"))
        if stage in plan.skipped
    ]
    web = plan.skipped.get(Stage.WEB_EVALUATION)
    if web is not None and web != plan.skipped.get(Stage.HEALTH):
        sentences.append(f"web evaluation: {web}")
    if Stage.CODE_ANALYSIS in plan.skipped:
        sentences.append(f"code analysis: {plan.skipped[Stage.CODE_ANALYSIS]}")
    return (*sentences, *draft.secrets_not_given({step.stage for step in plan.steps}))


@dataclass(frozen=True)
class _Draft:
    """What a plan is made of, and its parts."""

    parsed: ParsedConfig
    detected: Detected
    settings: Mapping[str, Setting]
    trusted: bool
    given_secrets: frozenset[str]
    no_code_analysis: str

    def setting(self, name: str) -> Setting:
        return self.settings[f"deployment.{name}"]

    def command(self, stage: Stage) -> str:
        """The stage's command, empty where it has none."""
        text: str = self.setting(_COMMAND_KEYS[stage]).value
        return text.strip()

    @property
    def port(self) -> int | None:
        number: int | None = self.setting("port").value
        return number

    def steps(self) -> tuple[Step, ...]:
        return tuple(self._step(stage) for stage in _COMMAND_KEYS if self.command(stage))

    def _step(self, stage: Stage) -> Step:
        secrets = self._secrets_of(stage) & self.given_secrets if self.trusted else frozenset[str]()
        environment = {"CI": "true"}
        if stage is Stage.START and self.port is not None:
            environment |= {"HOST": "127.0.0.1", "PORT": str(self.port)}
        environment |= self.parsed.config.deployment.environment_variables
        if stage is Stage.INSTALL and environment.get("NODE_ENV") == "production":
            environment = _WITH_DEVELOPMENT_PACKAGES | environment
        plain = {name: value for name, value in environment.items() if name not in secrets}
        return Step(stage, self.command(stage), plain, tuple(sorted(secrets)))

    def _secrets_of(self, stage: Stage) -> frozenset[str]:
        secrets = self.parsed.config.deployment.secrets
        return frozenset(name for name, steps in secrets.items() if stage.value in steps)

    def secrets_not_given(self, stages: set[Stage]) -> list[str]:
        """A sentence for each secret that a step of these stages goes without."""
        wanted = frozenset[str]().union(*map(self._secrets_of, stages))
        if not self.trusted:
            return [f"secret {name} is not given to an untrusted fork" for name in sorted(wanted)]
        return [f"secret {name} was not given" for name in sorted(wanted - self.given_secrets)]

    def skipped(self) -> dict[Stage, str]:
        """The stages without a step, each with its reason."""
        reasons = {it: self._no_command(it) for it in _COMMAND_KEYS if not self.command(it)}
        if Stage.START in reasons:
            reasons |= dict.fromkeys(_OF_THE_APPLICATION, reasons[Stage.START])
        elif self.port is None:
            reason = "no port configured or detected; set `deployment.port`"
            reasons |= dict.fromkeys(_OF_THE_APPLICATION, reason)
        if self.no_code_analysis:
            reasons[Stage.CODE_ANALYSIS] = self.no_code_analysis
        reasons[Stage.ANALYSIS] = AFTERWARDS
        for key in ("web_evaluation.enabled", "features.web_evaluation"):
            if self.settings[key].value is False:
                reasons[Stage.WEB_EVALUATION] = f"switched off by {key}"
        return _in_order(reasons)

    def _no_command(self, stage: Stage) -> str:
        setting = self.setting(_COMMAND_KEYS[stage])
        if setting.source is Source.FILE:
            return f"switched off: `{setting.key}` is empty in {setting.origin}"
        known = _COMMAND_KEYS[stage] in dict(self.detected.values())
        if known and without_tools(self.detected, self.parsed.config.sandbox.image):
            return f"the default image has no {self.detected.needs_image}; set `sandbox.image`"
        return f"no {stage} command configured or detected"

    def health(self) -> HealthCheck | None:
        """How the application is asked; None without a start command or a port."""
        if not self.command(Stage.START) or self.port is None:
            return None
        url = self.setting("health_check_url")
        guessed = url.source is not Source.FILE
        fallback = self.detected.fallback_path if guessed else None
        return HealthCheck(self.port, path_of(url.value), fallback)

    def web(self) -> WebPlan | None:
        """What is looked at in a browser; None where that is skipped."""
        if Stage.WEB_EVALUATION in self.skipped():
            return None
        section = self.parsed.config.web_evaluation
        configured = self.settings["web_evaluation.pages"].source is Source.FILE
        return WebPlan(
            pages=section.pages,
            explicit=configured or bool(section.flows),
            follow=not configured,
            flows=section.flows,
            budgets=section.budgets,
            task=section.task.strip(),
        )

    def snapshot(self) -> SnapshotRecipe | None:
        """What an installed box can be kept by; one that had secrets is never kept."""
        step = next((it for it in self.steps() if it.stage is Stage.INSTALL), None)
        if step is None or step.secrets:
            return None
        install = self.detected.install
        known = install is not None and install.value == step.command
        return SnapshotRecipe(
            manifests=self.detected.manifests,
            locked=known and self.detected.locked,
            needs_source=not known or self.detected.needs_source,
        )

    def assumed(self) -> tuple[str, ...]:
        """One line for each value that no file of ours says."""
        names = (*COMMANDS, "port", "health_check_url")
        found = (self.setting(name) for name in names)
        return tuple(
            f"{it.key.removeprefix('deployment.')}: {it.value} ({it.origin})"
            for it in found
            if it.source is Source.DETECTED and self._matters(it)
        )

    def _matters(self, setting: Setting) -> bool:
        of_the_application = setting.key in {"deployment.port", "deployment.health_check_url"}
        return bool(self.command(Stage.START)) or not of_the_application

    def notes(self) -> tuple[str, ...]:
        """Problems of the file, hints of detection, and what to do about what was not found."""
        notes = [f"{it.path}: {it.sentence}" for it in self.parsed.problems]
        notes += self.detected.notes
        if without_tools(self.detected, self.parsed.config.sandbox.image):
            notes.append(
                f"{self.detected.stack} was found, but the default image has no "
                f"{self.detected.needs_image}; set `sandbox.image` to an image that has it"
            )
        for missing in self.detected.missing:
            setting = self.setting(missing.key)
            if setting.source is Source.DEFAULT:
                notes.append(missing.sentence)
        sandbox = self.parsed.config.sandbox
        if not self.trusted and sandbox.services:
            notes.append("services are not started for an untrusted fork")
        if not self.trusted and sandbox.build_network != "none":
            notes.append("build and test have no network for an untrusted fork")
        return tuple(notes)
