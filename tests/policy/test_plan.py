"""The plan: file over detected over default, and what trust, secrets and limits change."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bot.domain.config_parser import NO_FILE, Source, parse
from bot.domain.plan import HealthCheck, NetworkAccess, Plan, Stage
from bot.policy.detect import Detected, Found, Missing, detect
from bot.policy.effective import effective
from bot.policy.paths import matching
from bot.policy.plan import AFTERWARDS, NO_BASE, make_plan

EXPRESS = Detected(
    stack="Express (npm)",
    install=Found("npm ci", "package-lock.json"),
    build=Found("npm run build", "package.json"),
    test=Found("npm test", "package.json"),
    start=Found("npm start", "package.json"),
    port=Found(3000, "server.js"),
    health_path=Found("/health", "server.js"),
    fallback_path="/",
    manifests=("package-lock.json", "package.json"),
    locked=True,
)
FLASK = Detected(
    stack="Python (Flask)",
    start=Found("python3 -m flask --app app run --host 127.0.0.1 --port 5000", "app.py"),
    port=Found(5000, "app.py"),
    health_path=Found("/", "nothing else is known"),
)
LATER = {
    Stage.CODE_ANALYSIS: NO_BASE,
    Stage.ANALYSIS: AFTERWARDS,
}


def plan_of(
    text: str = "",
    detected: Detected = EXPRESS,
    *,
    trusted: bool = True,
    given_secrets: frozenset[str] = frozenset(),
    maximum_timeout_minutes: int = 30,
    stop_after: Stage | None = None,
) -> Plan:
    parsed = parse(text, ".github/codegenapp.yml") if text else NO_FILE
    return make_plan(
        parsed,
        detected,
        trusted=trusted,
        given_secrets=given_secrets,
        maximum_timeout_minutes=maximum_timeout_minutes,
        stop_after=stop_after,
    )


def commands(plan: Plan) -> dict[str, str]:
    return {step.stage.value: step.command for step in plan.steps}


def environment(plan: Plan, stage: Stage) -> Mapping[str, str]:
    step = plan.step(stage)
    assert step is not None
    return step.environment


def test_without_a_file_the_plan_is_what_was_detected() -> None:
    plan = plan_of()
    assert commands(plan) == {
        "install": "npm ci",
        "build": "npm run build",
        "test": "npm test",
        "start": "npm start",
    }
    assert plan.health == HealthCheck(port=3000, path="/health", fallback_path="/")
    assert plan.skipped == LATER
    assert plan.assumed == (
        "install_command: npm ci (package-lock.json)",
        "build_command: npm run build (package.json)",
        "test_command: npm test (package.json)",
        "start_command: npm start (package.json)",
        "port: 3000 (server.js)",
        "health_check_url: /health (server.js)",
    )
    assert plan.not_verified == (f"code analysis: {NO_BASE}",)
    assert plan.notes == ()


def test_the_file_wins_key_by_key() -> None:
    plan = plan_of("deployment: {test_command: make check, health_check_url: /up}")
    assert commands(plan)["test"] == "make check"
    assert commands(plan)["build"] == "npm run build"
    assert plan.health == HealthCheck(port=3000, path="/up", fallback_path=None)
    assert [line.partition(":")[0] for line in plan.assumed] == [
        "install_command",
        "build_command",
        "start_command",
        "port",
    ]


@pytest.mark.parametrize(
    ("text", "detected", "skipped"),
    [
        pytest.param(
            "",
            Detected(),
            {
                Stage.INSTALL: "no install command configured or detected",
                Stage.BUILD: "no build command configured or detected",
                Stage.TEST: "no test command configured or detected",
                Stage.START: "no start command configured or detected",
                Stage.HEALTH: "no start command configured or detected",
                Stage.PORTS: "no start command configured or detected",
                Stage.WEB_EVALUATION: "no start command configured or detected",
                Stage.STABILITY: "no start command configured or detected",
                **LATER,
            },
            id="nothing at all",
        ),
        pytest.param(
            "deployment: {install_command: a, build_command: b, start_command: c,"
            " test_command: ''}",
            Detected(),
            {
                Stage.TEST: "switched off: `deployment.test_command` is empty in "
                ".github/codegenapp.yml",
                Stage.HEALTH: "no port configured or detected; set `deployment.port`",
                Stage.PORTS: "no port configured or detected; set `deployment.port`",
                Stage.WEB_EVALUATION: "no port configured or detected; set `deployment.port`",
                Stage.STABILITY: "no port configured or detected; set `deployment.port`",
                **LATER,
            },
            id="test switched off, no port",
        ),
        pytest.param(
            "web_evaluation: {enabled: false}",
            EXPRESS,
            {**LATER, Stage.WEB_EVALUATION: "switched off by web_evaluation.enabled"},
            id="no web page",
        ),
        pytest.param(
            "features: {web_evaluation: false}",
            EXPRESS,
            {**LATER, Stage.WEB_EVALUATION: "switched off by features.web_evaluation"},
            id="feature off",
        ),
    ],
)
def test_a_stage_without_a_step_has_its_reason(
    text: str, detected: Detected, skipped: Mapping[Stage, str]
) -> None:
    plan = plan_of(text, detected)
    assert plan.skipped == skipped
    assert list(plan.skipped) == [stage for stage in Stage if stage in skipped]
    assert not {step.stage for step in plan.steps} & set(plan.skipped)


def test_what_was_not_verified_is_named() -> None:
    plan = plan_of("web_evaluation: {enabled: false}", Detected())
    assert plan.not_verified == (
        "tests: no test command configured or detected",
        "running application: no start command configured or detected",
        "web evaluation: switched off by web_evaluation.enabled",
        f"code analysis: {NO_BASE}",
    )


@pytest.mark.parametrize(
    ("text", "detected", "port", "start", "path"),
    [
        pytest.param("", FLASK, 5000, "--port 5000", "/", id="detected"),
        pytest.param(
            "deployment: {port: 4000}", FLASK, 4000, "--port 4000", "/",
            id="the detected command moves to the file's port",
        ),
        pytest.param(
            "deployment: {health_check_url: 'http://127.0.0.1:4100/up?a=1'}",
            FLASK, 4100, "--port 4100", "/up?a=1", id="port of the URL",
        ),
        pytest.param(
            "deployment: {start_command: serve -b 127.0.0.1:9000 --bind 0.0.0.0:9000}",
            FLASK, 9000, "serve", "/", id="port of the file's start command",
        ),
        pytest.param(
            "deployment: {environment_variables: {PORT: 4200}}",
            FLASK, 4200, "--port 4200", "/", id="the variable PORT",
        ),
        pytest.param(
            "deployment: {port: 4000, environment_variables: {PORT: 4200}}",
            EXPRESS, 4000, "npm start", "/health", id="the key is stronger than the variable",
        ),
    ],
)  # fmt: skip
def test_where_the_application_is_asked(
    text: str, detected: Detected, port: int, start: str, path: str
) -> None:
    plan = plan_of(text, detected)
    assert plan.health is not None
    assert (plan.health.port, plan.health.path) == (port, path)
    assert start in commands(plan)["start"]


def test_a_steps_variables() -> None:
    plan = plan_of("deployment: {environment_variables: {LEVEL: debug, CI: no}}")
    assert environment(plan, Stage.TEST) == {"CI": "no", "LEVEL": "debug"}
    assert environment(plan, Stage.START) == {
        "CI": "no",
        "HOST": "127.0.0.1",
        "PORT": "3000",
        "LEVEL": "debug",
    }


def test_production_installs_what_the_build_and_tests_need() -> None:
    plan = plan_of("deployment: {environment_variables: {NODE_ENV: production}}")
    assert environment(plan, Stage.INSTALL) == {
        "CI": "true",
        "NODE_ENV": "production",
        "npm_config_include": "dev",
        "NPM_CONFIG_PRODUCTION": "false",
        "YARN_PRODUCTION": "false",
    }
    assert environment(plan, Stage.BUILD) == {"CI": "true", "NODE_ENV": "production"}


SECRETS = """\
deployment:
  environment_variables: {TOKEN: none}
  secrets: {TOKEN: [install, start], DATABASE_URL: [test], KEY: [deploy]}
"""


@pytest.mark.parametrize(
    ("trusted", "given", "install", "test", "not_given"),
    [
        pytest.param(True, {"TOKEN", "DATABASE_URL"}, ("TOKEN",), ("DATABASE_URL",), [],
                     id="all given"),
        pytest.param(True, {"TOKEN"}, ("TOKEN",), (), ["secret DATABASE_URL was not given"],
                     id="one not given"),
        pytest.param(False, {"TOKEN", "DATABASE_URL"}, (), (),
                     ["secret DATABASE_URL is not given to an untrusted fork",
                      "secret TOKEN is not given to an untrusted fork"], id="untrusted"),
    ],
)  # fmt: skip
def test_secrets_go_to_their_steps_only(
    trusted: bool,
    given: set[str],
    install: tuple[str, ...],
    test: tuple[str, ...],
    not_given: list[str],
) -> None:
    plan = plan_of(SECRETS, trusted=trusted, given_secrets=frozenset(given))
    secrets = {step.stage: step.secrets for step in plan.steps}
    assert secrets == {
        Stage.INSTALL: install,
        Stage.BUILD: (),
        Stage.TEST: test,
        Stage.START: install,
    }
    assert [it for it in plan.not_verified if it.startswith("secret")] == not_given
    plain = environment(plan, Stage.INSTALL)
    assert ("TOKEN" in plain) is (not install)
    assert (plan.snapshot is None) is bool(install)


SANDBOX = (
    "sandbox: {image: 'node:22', network: internet, allow_hosts: [a.example.com], "
    "memory_mb: 512, cpus: 1.5, disk_mb: 1024, %s}"
)
SERVICES = (
    "services: [{name: db, image: 'postgres:17', environment_variables: {A: 1}, ready_command: ok}]"
)


def test_the_sandbox_is_as_the_file_says() -> None:
    plan = plan_of(SANDBOX % SERVICES)
    assert plan.image == "node:22"
    assert plan.prepare_network is NetworkAccess.INTERNET
    assert plan.build_network is NetworkAccess.NONE
    assert plan.allow_hosts == ("a.example.com",)
    assert (plan.limits.memory_mb, plan.limits.cpus, plan.limits.disk_mb) == (512, 1.5, 1024)
    (service,) = plan.services
    assert (service.name, service.image, service.environment, service.ready_command) == (
        "db",
        "postgres:17",
        {"A": "1"},
        "ok",
    )


@pytest.mark.parametrize(
    ("more", "trusted", "network", "services", "notes"),
    [
        pytest.param("build_network: registries", True, "registries", 0, (), id="network"),
        pytest.param("build_network: registries", False, "none", 0,
                     ("build and test have no network for an untrusted fork",),
                     id="no network for a fork"),
        pytest.param(SERVICES, True, "none", 1, (), id="services"),
        pytest.param(SERVICES, False, "none", 0,
                     ("services are not started for an untrusted fork",),
                     id="no services for a fork"),
    ],
)  # fmt: skip
def test_what_trust_changes(
    more: str, trusted: bool, network: str, services: int, notes: tuple[str, ...]
) -> None:
    plan = plan_of(SANDBOX % more, trusted=trusted)
    assert plan.trusted is trusted
    assert (plan.build_network, len(plan.services), plan.notes) == (network, services, notes)


@pytest.mark.parametrize(
    ("minutes", "maximum", "seconds"),
    [
        pytest.param(10, 30, 600.0, id="the project's own"),
        pytest.param(60, 30, 1800.0, id="never more than the operator's"),
    ],
)
def test_the_time_is_bounded(minutes: int, maximum: int, seconds: float) -> None:
    plan = plan_of(f"validation: {{timeout_minutes: {minutes}}}", maximum_timeout_minutes=maximum)
    assert plan.limits.total_seconds == seconds


@pytest.mark.parametrize(
    ("stop_after", "steps", "skipped"),
    [
        pytest.param(Stage.RETRIEVE, [], 8, id="retrieve"),
        pytest.param(Stage.BUILD, ["install", "build"], 6, id="build"),
        pytest.param(Stage.START, ["install", "build", "test", "start"], 4, id="start"),
        pytest.param(Stage.STABILITY, ["install", "build", "test", "start"], 0, id="stability"),
    ],
)
def test_the_plan_stops_after_a_stage(stop_after: Stage, steps: list[str], skipped: int) -> None:
    plan = plan_of("sandbox: {" + SERVICES + "}", stop_after=stop_after)
    reason = f"stopped after {stop_after.value} by --stage"
    assert list(commands(plan)) == steps
    later = [it for it in plan.skipped if plan.skipped[it] == reason]
    assert len(later) == skipped
    assert plan.stop_after is stop_after
    assert (plan.health is not None) is (stop_after is Stage.STABILITY)
    assert (plan.web is not None) is (stop_after is Stage.STABILITY)
    assert bool(plan.services) is ("test" in steps)
    assert LATER.items() <= plan.skipped.items()


@pytest.mark.parametrize(
    ("text", "detected", "locked", "needs_source"),
    [
        pytest.param("", EXPRESS, True, False, id="detected"),
        pytest.param("deployment: {install_command: npm ci}", EXPRESS, True, False,
                     id="the file says the same"),
        pytest.param("deployment: {install_command: ./install.sh}", EXPRESS, False, True,
                     id="a command of the file's own"),
    ],
)  # fmt: skip
def test_what_a_snapshot_is_made_of(
    text: str, detected: Detected, locked: bool, needs_source: bool
) -> None:
    recipe = plan_of(text, detected).snapshot
    assert recipe is not None
    assert recipe.manifests == ("package-lock.json", "package.json")
    assert (recipe.locked, recipe.needs_source) == (locked, needs_source)


def test_without_an_install_there_is_no_snapshot() -> None:
    assert plan_of("", FLASK).snapshot is None


GO = {"go.mod": "module x", "x_test.go": ""}


def test_tools_that_the_default_image_lacks_need_an_image() -> None:
    plan = plan_of("", detect(GO, GO))
    assert plan.steps == ()
    assert plan.assumed == ()
    assert plan.skipped[Stage.BUILD] == "the default image has no Go; set `sandbox.image`"
    assert plan.skipped[Stage.START] == "no start command configured or detected"
    assert plan.notes == (
        (
            "Go was found, but the default image has no Go; set `sandbox.image` to an image that "
            "has it"
        ),
    )


def test_with_an_image_the_tools_are_there() -> None:
    plan = plan_of("sandbox: {image: 'golang:1.24'}", detect(GO, GO))
    assert commands(plan) == {
        "install": "go mod download",
        "build": "go build ./...",
        "test": "go test ./...",
    }


def test_problems_and_what_was_not_found_are_notes() -> None:
    detected = Detected(
        notes=("a hint",),
        missing=(Missing("test_command", "set it"), Missing("start_command", "set that")),
    )
    plan = plan_of("deployment: {test_command: x, prot: 1}", detected)
    assert plan.notes == (
        ".github/codegenapp.yml: line 1: unknown key `deployment.prot`; did you mean `port`?",
        "a hint",
        "set that",
    )


def test_reports_are_where_the_file_says_else_where_tools_leave_them() -> None:
    named = plan_of("validation: {test_reports: [out/results.xml]}")
    assert named.test_reports == ("out/results.xml",)
    usual = plan_of("").test_reports
    left = ["junit.xml", "a/b/junit-1.xml", "target/surefire-reports/TEST-it.xml", "out.tap"]
    assert matching([*left, "pom.xml", "src/app.ts"], usual) == left


def test_required_checks_are_handed_on() -> None:
    plan = plan_of("validation: {required_checks: [tests_pass, ci/other]}")
    assert plan.required_checks == ("tests_pass", "ci/other")


def test_every_value_has_its_source() -> None:
    parsed = parse("deployment: {build_command: make}", ".github/codegenapp.yml")
    settings = effective(parsed, EXPRESS)
    chosen = ("deployment.build_command", "deployment.test_command", "agent.model")
    assert [(settings[it].value, settings[it].source, settings[it].origin) for it in chosen] == [
        ("make", Source.FILE, ".github/codegenapp.yml"),
        ("npm test", Source.DETECTED, "package.json"),
        ("", Source.DEFAULT, ""),
    ]


@pytest.mark.parametrize("trusted", [True, False])
def test_a_task_is_explored_whoever_wrote_the_change(*, trusted: bool) -> None:
    """The configuration is the default branch's; what a task says gates nothing."""
    text = "web_evaluation: {task: ' Buy milk. '}"
    plan = plan_of(text, trusted=trusted)
    assert plan.web is not None
    assert (plan.web.task, plan.web.explicit) == ("Buy milk.", False)
