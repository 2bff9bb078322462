"""The life of a validation on the real engine: what passes, what fails, what stays apart."""

from __future__ import annotations

import io
import tarfile

import pytest

from bot.domain.plan import (
    Cause,
    HealthCheck,
    Limits,
    NetworkAccess,
    Plan,
    Stage,
    StageStatus,
    Step,
)
from sandbox.docker import DockerEngine
from tests.busybox import chunked
from tests.sandbox.conftest import Room

pytestmark = pytest.mark.engine

OFFLINE = NetworkAccess.NONE


async def test_a_plan_that_passes(room: Room) -> None:
    plan = Plan(
        steps=(
            Step(Stage.BUILD, "echo built > out"),
            Step(Stage.TEST, "cat out"),
            Step(Stage.START, "python3 -m http.server 8000 --bind 127.0.0.1"),
        ),
        health=HealthCheck(8000, settle_seconds=0.5),
        prepare_network=OFFLINE,
    )
    heard = await room.run(plan, {"index.html": "<title>hello</title><h1>Hello</h1>"})
    assert {stage: result.status for stage, result in heard.results.items()} == dict.fromkeys(
        (Stage.BUILD, Stage.TEST, Stage.START, Stage.HEALTH, Stage.PORTS, Stage.STABILITY),
        StageStatus.PASSED,
    )
    assert "built" in heard.results[Stage.TEST].log.text


async def test_the_first_failure_ends_it(room: Room) -> None:
    plan = Plan(
        steps=(Step(Stage.BUILD, "echo oops >&2; exit 3"), Step(Stage.TEST, "true")),
        prepare_network=OFFLINE,
    )
    heard = await room.run(plan)
    assert list(heard.results) == [Stage.BUILD]
    result = heard.results[Stage.BUILD]
    assert (result.status, result.cause, result.exit_code) == (
        StageStatus.FAILED,
        Cause.EXIT_CODE,
        3,
    )
    assert result.log.text == "oops\n"


async def test_a_secret_is_seen_by_its_step_only_and_masked(room: Room) -> None:
    plan = Plan(
        steps=(
            Step(Stage.BUILD, "echo got $TOKEN; (sleep 50 &) ; :", secrets=("TOKEN",)),
            Step(Stage.TEST, 'echo "token: [$TOKEN]"; cat /proc/*/environ | tr "\\0" "\\n"'),
        ),
        prepare_network=OFFLINE,
    )
    heard = await room.run(plan, secrets={"TOKEN": "s3cr3t-value"})
    assert heard.results[Stage.BUILD].log.text == "got ***\n"
    assert "token: []" in heard.results[Stage.TEST].log.text
    assert "s3cr3t-value" not in heard.output


async def test_an_image_without_a_shell(
    room: Room, docker_engine: DockerEngine, busybox_tar: bytes
) -> None:
    tag = "codegenapp-test/no-shell:latest"
    with tarfile.open(fileobj=io.BytesIO(busybox_tar)) as whole, io.BytesIO() as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.addfile(next(it for it in whole if it.isdir()))
        await docker_engine.import_image(chunked(packed.getvalue()), tag, labels={})
    plan = Plan(steps=(Step(Stage.TEST, "true"),), image=tag, prepare_network=OFFLINE)
    try:
        heard = await room.run(plan)
    finally:
        await docker_engine.remove_image(tag)
    result = heard.results[Stage.INSTALL]
    assert (result.status, result.cause) == (StageStatus.FAILED, Cause.CONFIGURATION)
    assert (
        result.reason == f"the image {tag} (sandbox.image) has no `/bin/sh`, which runs every step"
    )


async def test_an_application_that_crashes_after_its_first_good_answer(room: Room) -> None:
    server = (
        "import http.server as h, os, threading\n"
        "threading.Timer(1.5, lambda: os._exit(9)).start()\n"
        "h.ThreadingHTTPServer(('127.0.0.1', 8000), h.SimpleHTTPRequestHandler).serve_forever()\n"
    )
    plan = Plan(
        steps=(Step(Stage.START, "python3 server.py"),),
        health=HealthCheck(8000, settle_seconds=3),
        prepare_network=OFFLINE,
    )
    heard = await room.run(plan, {"server.py": server, "index.html": "<title>hello</title>"})
    assert heard.results[Stage.HEALTH].status is StageStatus.PASSED
    result = heard.results[Stage.STABILITY]
    assert (result.status, result.cause, result.exit_code) == (
        StageStatus.FAILED,
        Cause.CRASHED,
        9,
    )


async def test_out_of_memory_is_seen_in_a_kept_box_too(room: Room) -> None:
    hog = "python3 -c 'bytearray(400 << 20)' || true"
    plan = Plan(
        steps=(Step(Stage.BUILD, hog),), limits=Limits(memory_mb=128), prepare_network=OFFLINE
    )
    heard = await room.run(plan, kept=True)
    assert heard.results[Stage.BUILD].cause is Cause.OUT_OF_MEMORY


async def test_a_secret_is_masked_in_reasons_and_in_what_later_steps_print(room: Room) -> None:
    server = (
        "import http.server as h\n"
        "class Away(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(302)\n"
        "        self.send_header('Location', 'https://example.com/?id=' + open('kept').read())\n"
        "        self.end_headers()\n"
        "h.HTTPServer(('127.0.0.1', 8000), Away).serve_forever()\n"
    )
    plan = Plan(
        steps=(
            Step(Stage.BUILD, "printf %s $TOKEN > kept", secrets=("TOKEN",)),
            Step(Stage.TEST, "cat kept"),
            Step(Stage.START, "python3 server.py"),
        ),
        health=HealthCheck(8000, deadline_seconds=4),
        prepare_network=OFFLINE,
    )
    heard = await room.run(plan, {"server.py": server}, {"TOKEN": "s3cr3t-value", "PIN": "12"})
    assert heard.results[Stage.TEST].log.text == "***"
    assert "id=***" in heard.results[Stage.HEALTH].reason
    assert heard.notes == ["too short to be masked where a step prints them: PIN"]
