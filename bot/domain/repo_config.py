"""The configuration of a repository, ``.github/codegenapp.yml``: every key, its form and default.

The models are frozen and complete: what is absent has its default. ``bot.domain.config_parser``
makes them from a file's text; ``json_schema`` describes them to editors. A description here is
the sentence of ``docs/configuration.md`` and of an editor's tooltip alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from bot.domain.config_forms import (
    Count,
    Decimal,
    Distinct,
    HostName,
    HttpUrl,
    Image,
    Label,
    Line,
    MergeWindow,
    Minutes,
    Name,
    OptionalImage,
    OwnUrl,
    Port,
    Positive,
    RegularExpression,
    RelativePath,
    Text,
    VariableName,
    first_repeated,
)
from bot.domain.config_section import Section, conflict
from bot.domain.config_web import WebEvaluation
from bot.domain.health_url import port_of

CONFIG_PATHS = (
    ".github/codegenapp.yml",
    ".github/codegenapp.yaml",
    ".github/codegenapp.json",
)
"""Where the file may lie; the first that exists counts."""

SecretStep = Literal["install", "build", "test", "start", "deploy"]
Permission = Literal["read", "triage", "write", "maintain", "admin"]
Verb = Literal[
    "run", "plan", "approve", "resume", "status", "explain", "help", "config", "cancel",
    "validate", "fix", "trust", "hold", "unhold", "merge", "override", "deploy", "rollback",
]  # fmt: skip
NotificationEvent = Literal[
    "pr_created", "run_complete", "validation_complete", "needs_human", "merge_complete",
    "deployment_complete", "rollback",
]  # fmt: skip


class Production(Section):
    """Where and how the application is deployed after a merge."""

    environment: Name = Field(default="production", description="Name of the GitHub environment.")
    url: HttpUrl = Field(default="", description="Address of the deployed application.")
    deploy_command: Text = Field(
        default="", description="Deploys, in a sandbox, with the environment's secrets."
    )
    workflow: Line = Field(
        default="", description="Or: a workflow file that is dispatched to deploy."
    )
    hook_url: HttpUrl = Field(default="", description="Or: a deploy hook that is called.")
    health_check_url: HttpUrl = Field(
        default="", description="URL that answers when production is well."
    )
    monitor_minutes: Minutes = Field(
        default=10, description="How long a deployment is watched after it is done."
    )
    rollback: Literal["automatic", "manual", "off"] = Field(
        default="automatic",
        description="What follows when production is not well after a deployment.",
    )
    revert_pull_request: bool = Field(
        default=True,
        description="Whether a rollback also opens a pull request that reverts the change.",
    )


class Deployment(Section):
    """How the application is built and started in the sandbox, and deployed to production."""

    install_command: Text = Field(default="", description="Installs the dependencies.")
    build_command: Text = Field(default="", description="Builds the application.")
    test_command: Text = Field(default="", description="Runs the tests.")
    start_command: Text = Field(default="", description="Starts the application and keeps running.")
    health_check_url: OwnUrl = Field(
        default="",
        description="Path, or URL on the application's own port, that answers when it is well.",
    )
    port: Port | None = Field(default=None, description="Port on which the application listens.")
    environment_variables: Mapping[VariableName, Text] = Field(
        default_factory=dict, description="Variables of every step. Not for secrets."
    )
    secrets: Mapping[
        VariableName, Annotated[tuple[SecretStep, ...], Field(min_length=1), Distinct]
    ] = Field(
        default_factory=dict,
        description=(
            "Names of secrets kept in the dashboard, each with the steps that get it. Never given "
            "to a fork's code."
        ),
    )
    production: Production | None = Field(
        default=None, description="What happens after a merge. Nothing is deployed without it."
    )

    @model_validator(mode="after")
    def _one_port(self) -> Self:
        named = port_of(self.health_check_url)
        if named is not None and self.port is not None and named != self.port:
            raise conflict(
                "port", f"is {self.port}, but `health_check_url` names port {named}, which counts"
            )
        return self


class RunOn(Section):
    """Which pull requests are validated."""

    drafts: bool = Field(default=False, description="Whether drafts are validated.")
    forks: Literal["trusted", "never", "always"] = Field(
        default="trusted",
        description=(
            "`trusted` runs at once if the author may write to the base, else waits for trust of "
            "that commit."
        ),
    )
    paths_ignore: tuple[Name, ...] = Field(
        default=(), description="Globs; a change that touches nothing else is not validated."
    )


class ValidationRules(Section):
    """What a change must pass, and what follows when it does."""

    timeout_minutes: Minutes = Field(
        default=30, description="The whole validation ends after this."
    )
    max_retries: Annotated[int, Field(ge=0, le=20), Decimal] = Field(
        default=3,
        description=(
            "How often the failures of a pull request are sent to the agent by themselves, since a "
            "person last pushed or asked. 0: never."
        ),
    )
    retry_backoff_seconds: Annotated[int, Field(ge=1, le=3600), Decimal] = Field(
        default=30,
        description="Wait before the second attempt; doubles, with jitter, up to an hour.",
    )
    infrastructure_retries: Annotated[int, Field(ge=0, le=10), Decimal] = Field(
        default=2,
        description="New validations of a commit after a fault that is not the change's.",
    )
    auto_merge: bool = Field(
        default=False,
        description=(
            "Whether a change that meets every criterion is merged by itself; else somebody writes "
            "`/codegen merge`, or presses the button."
        ),
    )
    required_checks: Annotated[tuple[Name, ...], Distinct] = Field(
        default=("build_success", "deployment_success", "web_evaluation_pass"),
        description=(
            "Checks that must have run and passed, neither skipped nor neutral; also `tests_pass`, "
            "`code_analysis_pass`, and names of other apps' checks (for the merge only)."
        ),
    )
    merge_method: Literal["squash", "merge", "rebase"] = Field(
        default="squash", description="Falls back to what the repository allows."
    )
    delete_branch: bool = Field(
        default=True, description="Whether the branch is deleted after the merge."
    )
    problem_matchers: tuple[RelativePath, ...] = Field(
        default=(), description="Paths of more problem matchers, in GitHub Actions' format."
    )
    test_reports: tuple[RelativePath, ...] = Field(
        default=(), description="JUnit or TAP files, globs. Empty: detected."
    )
    required_approvals: Annotated[int, Field(ge=0, le=10), Decimal] = Field(
        default=0, description="Approving reviews that a merge needs."
    )
    count_starter_approval: bool = Field(
        default=False, description="Whether the approval of who started the agent run counts."
    )
    require_up_to_date: bool = Field(
        default=False, description="Merge one after the other, each validated on top of the last."
    )
    blocking_labels: tuple[Name, ...] = Field(
        default=("do-not-merge",), description="Labels that stop a merge."
    )
    blocking_title: RegularExpression = Field(
        default=r"^(WIP|\[WIP\])",
        description="Regular expression; a title that matches stops a merge.",
    )
    merge_window: MergeWindow = Field(
        default="",
        description="When merges may happen: `Mon-Fri 09:00-17:00 Europe/Berlin`. Empty: always.",
    )
    run_on: RunOn = Field(default_factory=RunOn, description="Which pull requests are validated.")


class StartOn(Section):
    """What starts an agent run without a command."""

    issue_opened: bool = Field(default=False, description="Every new issue.")
    issue_label: Line = Field(default="", description="This label, put on an issue.")


class Agent(Section):
    """The coding agent."""

    model: Line = Field(
        default="", description="The agent's model. Empty: the organisation's own choice."
    )
    agent_type: Name = Field(default="codegen", description="Which agent runs.")
    deadline_minutes: Minutes = Field(default=120, description="A run ends after this.")
    concurrent_runs: Positive = Field(default=3, description="Runs at a time in this repository.")
    concurrent_runs_per_user: Positive = Field(
        default=2, description="Runs at a time that one user started."
    )
    start_on: StartOn = Field(
        default_factory=StartOn, description="What starts a run without a command."
    )


class Budgets(Section):
    """How much the agent may be asked."""

    agent_runs_per_pull_request: Count = Field(
        default=6,
        description="Agent runs for one pull request, each failure that is sent counting as one.",
    )
    agent_runs_per_day: Count = Field(
        default=50,
        description="Agent runs in this repository within 24 hours, counted in the same way.",
    )


class ServiceSpec(Section):
    """A container beside the application, on its 127.0.0.1."""

    name: Label = Field(description="The service's name, unique in the file.")
    image: Image = Field(description="The image it runs.")
    environment_variables: Mapping[VariableName, Text] = Field(
        default_factory=dict, description="Its variables."
    )
    ready_command: Text = Field(
        default="", description="Run in the service until it exits 0; then the service is ready."
    )


class Sandbox(Section):
    """Where the code runs, and what it may use."""

    image: OptionalImage = Field(
        default="", description="The project's own image, when the default lacks its tools."
    )
    memory_mb: Annotated[int, Field(ge=64, le=1_048_576), Decimal] = Field(
        default=2048, description="Memory of the box."
    )
    disk_mb: Annotated[int, Field(ge=64, le=1_048_576), Decimal] = Field(
        default=4096, description="Writable layer of the box; above it the validation ends."
    )
    cpus: Annotated[float, Field(gt=0, le=256, allow_inf_nan=False)] = Field(
        default=2, description="Processors of the box; parts are fine."
    )
    network: Literal["none", "registries", "internet"] = Field(
        default="registries", description="What install may reach."
    )
    allow_hosts: tuple[HostName, ...] = Field(
        default=(), description="More hosts that install may reach."
    )
    build_network: Literal["none", "registries"] = Field(
        default="none",
        description=(
            "What build and test may reach (trusted code only; not together with `services`). From "
            "start on there is no network."
        ),
    )
    services: tuple[ServiceSpec, ...] = Field(
        default=(), description="Containers beside the application, on its 127.0.0.1."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        repeated = first_repeated(service.name for service in self.services)
        if repeated is not None:
            raise conflict("services", f"must not name `{repeated}` twice")
        if self.services and self.build_network != "none":
            raise conflict(
                "build_network",
                "must be none where there are services: they never run beside an open network",
            )
        return self


class Features(Section):
    """Switches; a feature that is off stops at the decision, and says so."""

    autofix: bool = Field(
        default=True,
        description=(
            "Send failures to the agent. Off: only what somebody asks for (`/codegen fix`, or the "
            "button)."
        ),
    )
    merge: bool = Field(
        default=True,
        description=(
            "Merge. Off: the criteria are judged and shown, and nothing is merged, whoever asks."
        ),
    )
    deploy: bool = Field(default=True, description="Deploy.")
    web_evaluation: bool = Field(default=True, description="Look at the application in a browser.")


class Notifications(Section):
    """Who is told what."""

    webhook_events: Annotated[tuple[NotificationEvent, ...], Distinct] = Field(
        default=("pr_created", "validation_complete", "merge_complete"),
        description="Events that are told.",
    )
    webhook_url: HttpUrl = Field(default="", description="Where they are posted as JSON.")
    email_notifications: bool = Field(default=True, description="Whether mail is sent.")
    slack_integration: bool = Field(default=False, description="Whether Slack is told.")


class RepoConfig(Section):
    """The whole file. Every key is optional."""

    model_config = ConfigDict(title="CodegenApp configuration of a repository")

    deployment: Deployment = Field(
        default_factory=Deployment,
        description="How the application is built and started, and deployed. Empty: detected.",
    )
    validation: ValidationRules = Field(
        default_factory=ValidationRules, description="What a change must pass, and what follows."
    )
    web_evaluation: WebEvaluation = Field(
        default_factory=WebEvaluation, description="What is looked at in a browser."
    )
    agent: Agent = Field(default_factory=Agent, description="The coding agent.")
    budgets: Budgets = Field(
        default_factory=Budgets, description="How much the agent may be asked."
    )
    sandbox: Sandbox = Field(
        default_factory=Sandbox, description="Where the code runs, and what it may use."
    )
    commands: Mapping[Verb, Permission] = Field(
        default_factory=dict,
        description="Who may give a slash command, where it differs from the table.",
    )
    features: Features = Field(default_factory=Features, description="Switches.")
    notifications: Notifications = Field(
        default_factory=Notifications, description="Who is told what."
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file, for editors."""
    found: dict[str, Any] = _closed(RepoConfig.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def _closed(schema: Any) -> Any:
    """The schema with no room for names that match no pattern, which pydantic leaves open."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return closed | {"additionalProperties": False} if "patternProperties" in closed else closed
