"""``.github/codegenapp.yml``: every key, what is wrong with a file, and that nothing raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.config_parser import NO_FILE, Source, keys, parse
from bot.domain.config_text import MAXIMUM_CHARACTERS
from bot.domain.repo_config import RepoConfig

PATH = ".github/codegenapp.yml"

EVERY_KEY = """\
deployment:
  install_command: npm ci
  build_command: npm run build
  test_command: npm test
  start_command: npm start
  health_check_url: /health
  port: 3000
  environment_variables: {NODE_ENV: production}
  secrets: {DATABASE_URL: [start], DEPLOY_TOKEN: [deploy]}
  production:
    environment: production
    url: https://app.example.com
    deploy_command: ./deploy.sh
    workflow: deploy.yml
    hook_url: https://hooks.example.com/deploy?key=1
    health_check_url: https://app.example.com/health
    monitor_minutes: 10
    rollback: automatic
    revert_pull_request: true
validation:
  timeout_minutes: 30
  max_retries: 3
  retry_backoff_seconds: 30
  infrastructure_retries: 2
  auto_merge: true
  required_checks: [build_success, deployment_success, web_evaluation_pass, ci/circleci]
  merge_method: squash
  delete_branch: true
  problem_matchers: [.github/eslint.json]
  test_reports: ["reports/**/*.xml"]
  required_approvals: 0
  count_starter_approval: false
  require_up_to_date: false
  blocking_labels: [do-not-merge]
  blocking_title: "^(WIP|\\\\[WIP\\\\])"
  merge_window: "Mon-Fri 09:00-17:00 Europe/Berlin"
  run_on: {drafts: false, forks: trusted, paths_ignore: ["docs/**"]}
web_evaluation:
  enabled: true
  pages: [/]
  flows:
    - name: add an item
      steps:
        - {goto: /}
        - {fill: {selector: "#new", text: milk}}
        - {select: {selector: "#kind", text: drink}}
        - {press: Enter}
        - {click: "text=Add"}
        - {wait_for: "#list"}
        - {expect: {text: milk}}
        - {expect: {status: 200}}
        - {screenshot: list}
  task: "a goal in plain words for the exploring agent"
  budgets: {lcp_ms: 4000, cls: 0.25, console_errors: 0, failed_requests: 0,
            accessibility_serious: 0, absolute: false}
agent: {model: "", agent_type: codegen, deadline_minutes: 120, concurrent_runs: 3,
        concurrent_runs_per_user: 2, start_on: {issue_opened: false, issue_label: ""}}
budgets: {agent_runs_per_pull_request: 6, agent_runs_per_day: 50}
sandbox:
  image: ""
  memory_mb: 2048
  disk_mb: 4096
  cpus: 2
  network: registries
  allow_hosts: [packages.example.com]
  build_network: none
  services: [{name: db, image: "postgres:17", environment_variables: {POSTGRES_PASSWORD: test},
              ready_command: pg_isready}]
commands: {merge: maintain}
features: {autofix: true, merge: true, deploy: true, web_evaluation: true}
notifications:
  webhook_events: [pr_created, validation_complete, merge_complete]
  webhook_url: ""
  email_notifications: true
  slack_integration: false
"""


def test_every_key_of_the_interface_is_read_without_a_problem() -> None:
    parsed = parse(EVERY_KEY, PATH)
    assert parsed.problems == ()
    assert {key for key, source in parsed.sources.items() if source is Source.FILE} == set(keys())
    assert parsed.config.deployment.secrets == {
        "DATABASE_URL": ("start",),
        "DEPLOY_TOKEN": ("deploy",),
    }
    assert parsed.config.web_evaluation.flows[0].steps[1].fill is not None
    assert parsed.config.validation.run_on.paths_ignore == ("docs/**",)


def test_the_defaults_are_those_of_the_interface() -> None:
    """The example's values are the defaults, except where the interface says otherwise."""
    example = parse(EVERY_KEY, PATH).config.model_dump()
    example["deployment"] = RepoConfig().deployment.model_dump()
    example["validation"]["auto_merge"] = False
    example["validation"]["required_checks"] = (
        "build_success",
        "deployment_success",
        "web_evaluation_pass",
    )
    example["validation"]["run_on"]["paths_ignore"] = ()
    example["validation"]["merge_window"] = ""
    for key in ("problem_matchers", "test_reports"):
        example["validation"][key] = ()
    example["web_evaluation"] |= {"flows": (), "task": ""}
    example["sandbox"] |= {"allow_hosts": (), "services": ()}
    example["commands"] = {}
    assert RepoConfig().model_dump() == example


def test_deployment_is_empty_by_default() -> None:
    deployment = RepoConfig().deployment
    assert deployment.port is None
    assert deployment.production is None
    assert deployment.install_command == deployment.start_command == ""
    assert deployment.environment_variables == {}


def _sentences(text: str, path: str = PATH) -> list[str]:
    return [problem.sentence for problem in parse(text, path).problems]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            "deployment:\n  port: 1\n\n\n\n\n  bild_command: x",
            "line 7: unknown key `deployment.bild_command`; did you mean `build_command`?",
            id="unknown key, nearest beside it",
        ),
        pytest.param(
            "build_command: make",
            "line 1: unknown key `build_command`; did you mean `deployment.build_command`?",
            id="known key in the wrong place",
        ),
        pytest.param("zzz: 1", "line 1: unknown key `zzz`", id="unknown key, nothing near"),
        pytest.param(
            "sandbox:\n  services:\n  - name: db\n    image: pg\n    imagee: x",
            "line 5: unknown key `sandbox.services[0].imagee`; did you mean `image`?",
            id="unknown key of a list's item",
        ),
        pytest.param(
            "commands: {mrge: admin}",
            "line 1: unknown key `commands.mrge`; did you mean `merge`?",
            id="unknown command",
        ),
        pytest.param(
            "commands: {mrge: nobody}",
            "line 1: unknown key `commands.mrge`; did you mean `merge`?",
            id="unknown command with an unknown permission",
        ),
        pytest.param(
            "commands: {merge: maintian}",
            "line 1: `commands.merge` must be one of read, triage, write, maintain, admin, "
            "not `maintian`; did you mean `maintain`?",
            id="unknown permission",
        ),
        pytest.param(
            "deployment:\n  port: 70000",
            "line 2: `deployment.port` must be at most 65535, not `70000`",
            id="port too high",
        ),
        pytest.param(
            "deployment:\n  port: 0",
            "line 2: `deployment.port` must be at least 1, not `0`",
            id="port zero",
        ),
        pytest.param(
            "deployment:\n  port: 0755",
            "line 2: `deployment.port` must be a decimal number, without a leading zero, "
            "not `0755`",
            id="octal port",
        ),
        pytest.param(
            "validation: {timeout_minutes: 1:30}",
            "line 1: `validation.timeout_minutes` must be a whole number, not `1:30`",
            id="sexagesimal",
        ),
        pytest.param(
            "validation: {auto_merge: maybe}",
            "line 1: `validation.auto_merge` must be true or false, not `maybe`",
            id="no boolean",
        ),
        pytest.param(
            "validation: {timeout_minutes: -5}",
            "line 1: `validation.timeout_minutes` must be at least 1, not `-5`",
            id="negative duration",
        ),
        pytest.param(
            "validation: {blocking_title: '(WIP'}",
            "line 1: `validation.blocking_title` must be a regular expression: missing ), "
            "unterminated subpattern at position 0, not `(WIP`",
            id="regular expression that does not compile",
        ),
        pytest.param(
            "validation: {merge_window: weekdays}",
            "line 1: `validation.merge_window` must be like `Mon-Fri 09:00-17:00 Europe/Berlin`, "
            "not `weekdays`",
            id="merge window",
        ),
        pytest.param(
            "validation:\n  required_checks:\n  - a\n  - a",
            "line 2: `validation.required_checks` must not name `a` twice",
            id="check named twice",
        ),
        pytest.param(
            "deployment: {environment_variables: {1A: x}}",
            "line 1: `deployment.environment_variables.1A` must be a name of letters, digits and "
            "_, no digit first",
            id="name of a variable",
        ),
        pytest.param(
            "deployment:\n  secrets:\n    A: [instal]",
            "line 3: `deployment.secrets.A[0]` must be one of install, build, test, start, "
            "deploy, not `instal`; did you mean `install`?",
            id="step of a secret",
        ),
        pytest.param(
            "deployment: {secrets: {A: []}}",
            "line 1: `deployment.secrets.A` needs at least 1",
            id="secret for no step",
        ),
        pytest.param(
            "deployment: {health_check_url: 'https://example.com/health'}",
            "line 1: `deployment.health_check_url` must be on the application's own port: write "
            "the path alone, not `https://example.com/health`",
            id="health check elsewhere",
        ),
        pytest.param(
            "deployment: {port: 3000, health_check_url: 'http://localhost:4000/up'}",
            "line 1: `deployment.port` is 3000, but `health_check_url` names port 4000, which "
            "counts",
            id="two ports",
        ),
        pytest.param(
            "deployment: {production: {hook_url: ftp://x}}",
            "line 1: `deployment.production.hook_url` must be a URL that begins with http:// or "
            "https://, not `ftp://x`",
            id="hook that is no web address",
        ),
        pytest.param(
            "sandbox:\n  build_network: registries\n  services: [{name: db, image: pg}]",
            "line 2: `sandbox.build_network` must be none where there are services: they never "
            "run beside an open network",
            id="services beside an open network",
        ),
        pytest.param(
            "sandbox: {services: [{name: db, image: pg}, {name: db, image: pg}]}",
            "line 1: `sandbox.services` must not name `db` twice",
            id="service named twice",
        ),
        pytest.param(
            "sandbox: {services: [{name: My_DB, image: pg}]}",
            "line 1: `sandbox.services[0].name` must be lower-case letters, digits and - (a DNS "
            "label), not `My_DB`",
            id="service's name",
        ),
        pytest.param(
            "sandbox:\n  services:\n  - name: db",
            "line 3: `sandbox.services[0].image` is missing",
            id="service without an image",
        ),
        pytest.param(
            "sandbox: {allow_hosts: ['https://a.example.com']}",
            "line 1: `sandbox.allow_hosts[0]` must be a host name such as packages.example.com, "
            "without scheme, port or path, not `https://a.example.com`",
            id="URL where a host is wanted",
        ),
        pytest.param(
            "sandbox: {cpus: .inf}",
            "line 1: `sandbox.cpus` must be a number, not `.inf`",
            id="infinite processors",
        ),
        pytest.param(
            "web_evaluation: {pages: /}",
            "line 1: `web_evaluation.pages` must be a list, not `/`",
            id="no list",
        ),
        pytest.param(
            "web_evaluation:\n  flows:\n  - name: a\n    steps:\n    - {goto: /, click: b}",
            "line 5: `web_evaluation.flows[0].steps[0]` must have exactly one of goto, click, "
            "fill, select, press, expect, wait_for, screenshot",
            id="step with two verbs",
        ),
        pytest.param(
            "web_evaluation:\n  flows:\n  - name: a\n    steps:\n    - {expect: {}}",
            "line 5: `web_evaluation.flows[0].steps[0].expect` must expect exactly one of text, "
            "selector, url and status",
            id="nothing to expect",
        ),
        pytest.param("agent: fast", "line 1: `agent` must be a mapping, not `fast`", id="section"),
        pytest.param(
            "notifications: {webhook_events: [pr_creatd]}",
            "line 1: `notifications.webhook_events[0]` must be one of pr_created, run_complete, "
            "validation_complete, needs_human, merge_complete, deployment_complete, rollback, not "
            "`pr_creatd`; did you mean `pr_created`?",
            id="event",
        ),
        pytest.param(
            "features: {merge: true}\nfeatures: {merge: false}",
            "line 2: `features` was set on line 1 already; the first counts",
            id="repeated key",
        ),
        pytest.param(
            "a: &x 1\nfeatures: *x",
            "line 2: aliases (*x) are not read: write it out",
            id="alias",
        ),
        pytest.param(
            "features: !!python/object:os.system {}",
            "line 1: the tag `tag:yaml.org,2002:python/object:os.system` is not read: the key "
            "says the type",
            id="tag",
        ),
        pytest.param(
            "features: {}\n---\nfeatures: {}",
            "line 2: holds more than one document; one is read",
            id="two documents",
        ),
        pytest.param(
            "- a\n- b", "line 1: must be a mapping of keys such as `deployment:`", id="a list"
        ),
        pytest.param(
            "\nhello", "line 2: must be a mapping of keys such as `deployment:`", id="a word"
        ),
        pytest.param("? [a]\n: b", "line 1: a key must be plain text, not a list or a mapping",
                     id="key that is a list"),
        pytest.param("[" * 5000, "line 1: nested deeper than 32 levels", id="too deep"),
        pytest.param(
            "a" * (MAXIMUM_CHARACTERS + 1),
            "the file is larger than 128 KiB; nothing of it counts",
            id="too large",
        ),
        pytest.param("a: b: c", "line 1: not valid YAML: mapping values are not allowed here",
                     id="no YAML"),
        pytest.param(
            "features: {}\n\x07",
            "line 2: not valid YAML: a control character or half of a character is not allowed",
            id="control character",
        ),
        pytest.param('a: "\\UFFFFFFFF"', "not valid YAML", id="escape out of range"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_and_what_was_meant(text: str, sentence: str) -> None:
    assert _sentences(text) == [sentence]


def test_no_more_problems_are_listed_than_a_person_reads() -> None:
    sentences = _sentences("".join(f"key{number}: 1\n" for number in range(60)))
    assert len(sentences) == 51
    assert sentences[-1] == "10 more problems are not listed"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("# only a comment\n", id="comment"),
        pytest.param("---\n...\n", id="empty document"),
        pytest.param("~", id="null"),
        pytest.param("\ufeff", id="byte order mark"),
        pytest.param("deployment:\nvalidation:\n  merge_window:\n", id="keys with nothing"),
    ],
)
def test_a_file_that_says_nothing_is_no_problem(text: str) -> None:
    parsed = parse(text, PATH)
    assert parsed.problems == ()
    assert parsed.config == RepoConfig() == NO_FILE.config
    assert set(parsed.sources.values()) == {Source.DEFAULT}


def test_a_wrong_value_costs_its_own_key_only() -> None:
    parsed = parse(
        "deployment: {port: x, build_command: make}\n"
        "validation: {timeout_minutes: 7, required_checks: [{a: b}]}\n"
        "commands: {merge: nobody, run: read}\n"
        "agent: 7\n"
        "features: {merge: off}\n",
        PATH,
    )
    assert [problem.line for problem in parsed.problems] == [1, 2, 3, 4]
    assert parsed.config.deployment.port is None
    assert parsed.config.deployment.build_command == "make"
    assert parsed.config.validation.timeout_minutes == 7
    assert parsed.config.validation.required_checks == RepoConfig().validation.required_checks
    assert parsed.config.commands == {"run": "read"}
    assert parsed.config.agent == RepoConfig().agent
    assert parsed.config.features.merge is False
    assert parsed.sources["deployment.port"] is Source.DEFAULT
    assert parsed.sources["deployment.build_command"] is Source.FILE


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param("3000", "3000", id="number"),
        pytest.param("true", "true", id="boolean"),
        pytest.param("no", "no", id="Norway"),
        pytest.param("1.10", "1.10", id="version"),
        pytest.param("0755", "0755", id="octal"),
        pytest.param("2024-01-01", "2024-01-01", id="date"),
        pytest.param("", "", id="nothing"),
        pytest.param("~", "", id="null"),
        pytest.param("'~'", "~", id="quoted tilde"),
        pytest.param('"a\\tb"', "a\tb", id="escape"),
        pytest.param("|\n      two\n      lines", "two\nlines", id="block"),
    ],
)
def test_a_variable_is_the_text_that_was_written(written: str, meant: str) -> None:
    text = f"deployment:\n  environment_variables:\n    A: {written}"
    assert parse(text, PATH).config.deployment.environment_variables == {"A": meant}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param(word, meant, id=word)
        for word, meant in [("yes", True), ("On", True), ("TRUE", True), ("no", False)]
    ],
)
def test_a_switch_takes_what_yaml_calls_a_boolean(written: str, meant: bool) -> None:
    assert (
        parse(f"validation: {{auto_merge: {written}}}", PATH).config.validation.auto_merge is meant
    )


def test_off_is_a_word_where_a_word_is_wanted() -> None:
    production = parse(
        "deployment: {production: {rollback: off}}", PATH
    ).config.deployment.production
    assert production is not None
    assert production.rollback == "off"


def test_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    parsed = parse("\ufefffeatures:\r\n  merge: no\r\n  bad: 1\r\n", PATH)
    assert [problem.line for problem in parsed.problems] == [3]
    assert parsed.config.features.merge is False


def test_json_is_read_by_the_same_rules() -> None:
    text = (
        '{\n\t"features": {\n\t\t"merge": false,\n\t\t"mrge": 1\n\t},\n'
        '\t"agent": {"model": "\\ud83d\\ude80 a\\/b"}\n}'
    )
    parsed = parse(text, ".github/codegenapp.json")
    assert [it.sentence for it in parsed.problems] == [
        "line 4: unknown key `features.mrge`; did you mean `merge`?"
    ]
    assert parsed.config.features.merge is False
    assert parsed.config.agent.model == "🚀 a/b"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("{'a': 1}", "line 1: not valid JSON: Expecting property name enclosed in "
                     "double quotes", id="quotes"),
        pytest.param("{\n\n}}", "line 3: not valid JSON: Extra data", id="extra"),
        pytest.param("[" * 100_000, "nested deeper than 32 levels", id="deep"),
    ],
)  # fmt: skip
def test_json_that_is_none(text: str, sentence: str) -> None:
    assert _sentences(text, "codegenapp.json") == [sentence]


def test_a_value_that_may_be_a_secret_is_not_repeated() -> None:
    text = 'deployment: {environment_variables: {TOKEN: "hunter2\\0"}}'
    (sentence,) = _sentences(text)
    assert "hunter2" not in sentence


_WORDS = st.sampled_from(
    ["deployment", "port", "services", "3000", "&a", "*a", "!!x", ": ", "- ", "\n", "  ", "{", "}",
     "[", "]", '"', "'", "|", "?", "#", "---", "%YAML", "<<", "\t", "\\u", "~", ",", "\ud800"]
)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(text=st.text() | st.lists(_WORDS | st.text(max_size=3)).map("".join))
@settings(deadline=None)
def test_no_text_makes_the_parser_raise(text: str) -> None:
    for path in (PATH, "codegenapp.json"):
        parsed = parse(text, path)
        assert all(problem.sentence for problem in parsed.problems)


@given(key=st.sampled_from(sorted(keys())), value=_VALUES)
@settings(deadline=None)
def test_no_value_of_a_known_key_makes_the_parser_raise(key: str, value: object) -> None:
    for part in reversed(key.split(".")):
        value = {part: value}
    parsed = parse(json.dumps(value), "codegenapp.json")
    assert all(problem.key.startswith(key.split(".")[0]) for problem in parsed.problems)
