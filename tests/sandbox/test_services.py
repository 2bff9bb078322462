"""Services beside the application: PostgreSQL, Redis, and those that don't come up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.plan import (
    Cause,
    HealthCheck,
    NetworkAccess,
    Plan,
    Service,
    Stage,
    StageStatus,
    Step,
)
from bot.domain.validations import FailureClass, Verdict
from sandbox.docker import DockerEngine
from sandbox.image_builder import build_context
from tests.empty_registry import empty_registry
from tests.own_images import LABELS, own_image
from tests.sandbox.conftest import Room, Validator
from tests.sandbox.verdicts import failed_at, lay_out, passed, report, stage_of

pytestmark = pytest.mark.engine

CONFIGURATION = """\
deployment:
  install_command: python3 -m pip install "psycopg>=3.2" "redis>=6"
  build_command: echo "$DATABASE_URL" > built
  test_command: python3 test_stores.py
  start_command: python3 app.py
  health_check_url: /health
  port: 8000
  environment_variables: {DATABASE_URL: "postgresql://postgres:test@127.0.0.1:5432/postgres"}
sandbox:
  services:
    - name: db
      image: %(postgres)s
      environment_variables: {POSTGRES_PASSWORD: test}
      ready_command: pg_isready -h 127.0.0.1
    - {name: cache, image: "%(redis)s", ready_command: "redis-cli ping | grep -q PONG"}
"""
TEST = """\
import os
import psycopg, redis
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE item (name text)")
    connection.execute("INSERT INTO item VALUES ('milk')")
    print(connection.execute("SELECT version()").fetchone()[0].split(",")[0])
    print("superuser:", connection.execute("SHOW is_superuser").fetchone()[0])
cache = redis.Redis()
cache.set("greeting", "hello")
print("redis", cache.info()["redis_version"])
"""
APPLICATION = """\
import http.server, os, psycopg, redis
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            name = connection.execute("SELECT name FROM item").fetchone()[0]
        body = f"{name} {redis.Redis().get('greeting').decode()}".encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""
OFFLINE = Plan(
    steps=(Step(Stage.BUILD, "echo built"), Step(Stage.TEST, "echo tested")),
    prepare_network=NetworkAccess.NONE,
)

Make = Callable[[str], Awaitable[str]]


@pytest.fixture
async def stores(docker_engine: DockerEngine, tmp_path: Path) -> dict[str, str]:
    """The tags of PostgreSQL's and Redis's images, made from Debian's packages where missing."""
    return {name: await own_image(docker_engine, name, tmp_path) for name in ("postgres", "redis")}


@pytest.fixture
async def make_service(
    docker_engine: DockerEngine, docker_busybox: str, tmp_path: Path
) -> AsyncIterator[Make]:
    """Makes images that start a command, given as a Dockerfile does; they go at the end."""
    made: list[str] = []

    async def make(command: str) -> str:
        folder = tmp_path / f"service-{len(made)}"
        lay_out(folder, {"Dockerfile": f"FROM {docker_busybox}\nENV PATH=/bin\n{command}\n"})
        tag = f"codegenapp-test/service:{tmp_path.name.lower()}-{len(made)}"
        made.append(tag)
        context = build_context(folder, b"")
        async for _ in docker_engine.build(context, tag, labels=LABELS, arguments={}):
            pass
        return tag

    yield make
    for tag in made:
        await docker_engine.remove_image(tag)


async def test_an_application_with_postgresql_and_redis(
    validate: Validator, stores: dict[str, str], tmp_path: Path
) -> None:
    folder = lay_out(
        tmp_path / "shop",
        {
            ".github/codegenapp.yml": CONFIGURATION % stores,
            "test_stores.py": TEST,
            "app.py": APPLICATION,
        },
    )
    result = await validate(folder)
    assert result.verdict is Verdict.PASSED, report(result)
    assert passed(result) >= {Stage.TEST, Stage.START, Stage.HEALTH, Stage.PORTS, Stage.STABILITY}
    said = stage_of(result, Stage.TEST).log.text
    assert "PostgreSQL" in said
    assert "redis" in said
    # 127.0.0.1 is shared: the report tells whose else's ports are open there.
    assert stage_of(result, Stage.PORTS).reason.endswith("also open: 5432, 6379")
    assert not await validate.room.left()


async def test_a_service_starts_after_install_and_is_ready_before_the_test(
    room: Room, make_service: Make
) -> None:
    late = await make_service('CMD ["sh", "-c", "sleep 3; exec nc -ll -p 7000 -e cat"]')
    look = "cat /proc/net/tcp /proc/net/tcp6 | grep -c ':1B58 .* 0A ' || true"
    plan = replace(
        OFFLINE,
        steps=(
            Step(Stage.INSTALL, f"echo install sees $({look})"),
            Step(Stage.BUILD, f"echo build sees $({look})"),
            Step(Stage.TEST, f"echo test sees $({look})"),
        ),
        services=(Service("late", late, ready_command="nc -w 1 127.0.0.1 7000 </dev/null"),),
    )
    heard = await room.run(plan)
    logs = {stage: result.log.text for stage, result in heard.results.items()}
    assert logs[Stage.INSTALL] == "install sees 0\n"
    assert logs[Stage.BUILD] == "build sees 0\n"
    assert logs[Stage.TEST] == "test sees 1\n"


async def test_its_network_is_the_applications_closed_one(room: Room, make_service: Make) -> None:
    tell = "ip addr; nc -w 2 1.1.1.1 53 </dev/null && echo OPEN; echo looked; sleep 60"
    curious = await make_service(f'CMD ["sh", "-c", "{tell}"]')
    service = Service("curious", curious, ready_command="false", ready_seconds=4)
    heard = await room.run(replace(OFFLINE, services=(service,)))
    log = heard.results[Stage.TEST].log.text
    assert "looked" in log
    assert "OPEN" not in log
    assert "lo:" in log
    assert "eth0" not in log


async def test_one_that_is_never_ready(room: Room, make_service: Make) -> None:
    slow = await make_service('CMD ["sh", "-c", "echo still loading; sleep 60"]')
    service = Service("slow", slow, ready_command="test -e /ready", ready_seconds=2)
    heard = await room.run(replace(OFFLINE, services=(service,)))
    assert heard.results[Stage.BUILD].status is StageStatus.PASSED
    result = heard.results[Stage.TEST]
    assert (result.status, result.cause) == (StageStatus.FAILED, Cause.CONFIGURATION)
    assert result.reason == (f"service `slow` ({slow}) was not ready within 2 s (`test -e /ready`)")
    assert result.log.text == "still loading\n"
    assert list(heard.results) == [Stage.BUILD, Stage.TEST]


@pytest.mark.parametrize("ready_command", ["", "true; sleep 2; false"])
async def test_one_that_ends_before_it_is_ready(
    room: Room, make_service: Make, ready_command: str
) -> None:
    wrong = await make_service('CMD ["sh", "-c", "echo no password given >&2; exit 3"]')
    service = Service("db", wrong, ready_command=ready_command)
    heard = await room.run(replace(OFFLINE, services=(service,)))
    result = heard.results[Stage.TEST]
    assert (result.status, result.cause) == (StageStatus.FAILED, Cause.CONFIGURATION)
    assert result.reason == f"service `db` ({wrong}) ended with exit code 3"
    assert result.log.text == "no password given\n"


async def test_one_that_ends_while_the_tests_run_is_told(room: Room, make_service: Make) -> None:
    frail = await make_service('CMD ["sh", "-c", "sleep 2; echo table is corrupt; exit 9"]')
    plan = replace(
        OFFLINE,
        steps=(Step(Stage.TEST, "sleep 3; echo 'connection refused'; exit 1"),),
        services=(Service("db", frail),),
    )
    heard = await room.run(plan)
    assert heard.results[Stage.TEST].cause is Cause.EXIT_CODE
    assert f"service `db` ({frail}) ended with exit code 9: table is corrupt" in heard.notes


async def test_one_whose_program_is_not_there(room: Room, make_service: Make) -> None:
    empty = await make_service('CMD ["/no/such/program"]')
    heard = await room.run(replace(OFFLINE, services=(Service("db", empty),)))
    assert heard.results[Stage.BUILD].status is StageStatus.PASSED
    result = heard.results[Stage.TEST]
    assert (result.status, result.cause) == (StageStatus.FAILED, Cause.CONFIGURATION)
    assert result.reason.startswith(f"service `db` ({empty}) could not be started: ")
    assert "/no/such/program" in result.reason


async def test_it_has_memory_of_its_own(room: Room, make_service: Make) -> None:
    greedy = await make_service('CMD ["sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"]')
    service = Service("greedy", greedy, ready_command="false", memory_mb=32)
    heard = await room.run(replace(OFFLINE, services=(service,)))
    result = heard.results[Stage.TEST]
    assert result.reason == f"service `greedy` ({greedy}) ran out of memory: it has 32 MB"


async def test_the_image_is_one_that_no_registry_has(validate: Validator, tmp_path: Path) -> None:
    async with empty_registry() as port:
        result = await validate(_with_service(tmp_path, f"127.0.0.1:{port}/no/such:1"))
    assert result.verdict is Verdict.FAILED, report(result)
    assert result.failure_class is FailureClass.CONFIGURATION
    assert failed_at(result) == (Stage.INSTALL, StageStatus.FAILED, Cause.CONFIGURATION)
    assert f"there is no image 127.0.0.1:{port}/no/such:1" in stage_of(result, Stage.INSTALL).reason


async def test_no_registry_answers(validate: Validator, tmp_path: Path) -> None:
    """Whether there is such an image is not known then: no verdict on anybody's work."""
    result = await validate(_with_service(tmp_path, "127.0.0.1:1/no/such:1"))
    assert result.verdict is Verdict.ERROR, report(result)
    assert "the image 127.0.0.1:1/no/such:1 could not be pulled" in result.reason


async def test_an_untrusted_fork_gets_none(validate: Validator, tmp_path: Path) -> None:
    result = await validate(_with_service(tmp_path, "127.0.0.1:1/no/such:1"), trusted=False)
    assert result.verdict is Verdict.PASSED, report(result)
    assert "services are not started for an untrusted fork" in result.notes


async def test_they_never_run_beside_an_open_network(
    validate: Validator, make_service: Make, tmp_path: Path
) -> None:
    image = await make_service('CMD ["sleep", "60"]')
    folder = _with_service(tmp_path, image, "  build_network: registries\n")
    result = await validate(folder)
    assert result.verdict is Verdict.PASSED, report(result)
    assert any(
        "`sandbox.build_network` must be none where there are services" in it for it in result.notes
    )
    # The default stands: the test that the configuration names sees no network.
    assert stage_of(result, Stage.TEST).log.text == "lo\n"


def _with_service(tmp_path: Path, image: str, more: str = "") -> Path:
    configuration = (
        "deployment: {test_command: ls /sys/class/net}\n"
        f'sandbox:\n  network: none\n{more}  services: [{{name: db, image: "{image}"}}]\n'
    )
    return lay_out(tmp_path / "project", {".github/codegenapp.yml": configuration})


@pytest.mark.parametrize(
    ("command", "cause", "said"),
    [
        ("exec sleep 60", Cause.UNHEALTHY, "nothing listens on port 8000 ("),
        (
            "exec python3 -m http.server 8001",
            Cause.PORT_CLOSED,
            "nothing listens on port 8000; open in its place: 8001 (",
        ),
    ],
    ids=["nowhere", "elsewhere"],
)
async def test_a_port_of_a_service_is_not_taken_for_the_application_s(
    room: Room, make_service: Make, command: str, cause: Cause, said: str
) -> None:
    image = await make_service('CMD ["nc", "-ll", "-p", "6379", "-e", "cat"]')
    plan = Plan(
        steps=(Step(Stage.START, command),),
        health=HealthCheck(8000, deadline_seconds=2),
        services=(Service("cache", image, ready_command="nc -w 1 127.0.0.1 6379 </dev/null"),),
        prepare_network=NetworkAccess.NONE,
    )
    results = (await room.run(plan)).results
    assert Stage.HEALTH in results, results
    result = results[Stage.HEALTH]
    assert (result.status, result.cause) == (StageStatus.FAILED, cause)
    assert result.reason.startswith(said)
