"""What holds for every engine: boxes, leases, executions, archives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from sandbox.engine import NO_NETWORK, EngineRefused, NotThere, joined
from tests.busybox import archive_of, chunked
from tests.contract.lines import COUNT, EAT_MEMORY, MISSING_COMMAND, WRITE_MEGABYTE
from tests.engine_rig import USER, Rig, ended, pause

UNKNOWN = "codegenapp-test-no-such-thing"


async def test_engine_says_who_it_is(rig: Rig) -> None:
    info = await rig.engine.info()
    assert info == await rig.engine.info()
    assert info.id
    assert info.cpus >= 1
    assert info.memory_bytes > 0


async def test_box_goes_through_its_life(rig: Rig) -> None:
    box = await rig.engine.create(rig.spec)
    created = await rig.engine.state(box)
    assert (created.running, created.exit_code, created.started_at) == (False, None, "")
    channel = await rig.engine.attach(box)
    await rig.engine.start(box)
    running = await rig.engine.state(box)
    assert (running.running, running.exit_code) == (True, None)
    assert running.started_at
    await channel.close()
    await rig.engine.remove(box)
    with pytest.raises(NotThere):
        await rig.engine.state(box)


async def test_channel_carries_what_the_box_says_and_hears(rig: Rig) -> None:
    _, channel = await rig.leased()
    await channel.write(b"hello\n")
    assert await channel.read() == (1, b"hello\n")


async def test_channel_tells_output_from_errors(rig: Rig) -> None:
    _, channel = await rig.leased(command=("sh", "-c", "echo out; echo err >&2"))
    heard = [await channel.read(), await channel.read()]
    assert sorted(chunk for chunk in heard if chunk) == [(1, b"out\n"), (2, b"err\n")]
    assert await channel.read() is None


async def test_lease_ends_with_its_channel(rig: Rig) -> None:
    box, channel = await rig.leased()
    before = time.monotonic()
    await channel.close()
    await rig.engine.wait(box)
    while await rig.engine.list_boxes(rig.label):
        await pause()
    assert time.monotonic() - before < 1
    with pytest.raises(NotThere):
        await rig.engine.state(box)


async def test_kept_box_outlives_its_channel(rig: Rig) -> None:
    box, channel = await rig.leased(kept=True)
    await channel.close()
    assert await rig.outcome(box, "echo here") == (0, "here\n")
    await rig.engine.kill(box)
    assert await rig.engine.wait(box) == 137
    assert [thing.id for thing in await rig.engine.list_boxes(rig.label)] == [box]


async def test_channel_of_an_ended_box_takes_no_more(rig: Rig) -> None:
    box, channel = await rig.leased()
    await rig.engine.remove(box)
    assert await channel.read() is None
    with pytest.raises(EngineRefused):
        await channel.write(b"hello")
    await channel.close()
    await channel.close()


async def test_wait_gives_the_exit_code(rig: Rig) -> None:
    box = await rig.box(lease=False, command=("sh", "-c", "exit 7"))
    assert await rig.engine.wait(box) == 7
    state = await rig.engine.state(box)
    assert (state.running, state.exit_code) == (False, 7)


async def test_wait_for_what_is_gone_is_none(rig: Rig) -> None:
    assert await rig.engine.wait(UNKNOWN) is None


async def test_kill_ends_a_box_at_once(rig: Rig) -> None:
    box = await rig.box(lease=False, command=("sleep", "60"))
    await rig.engine.kill(box)
    assert await rig.engine.wait(box) == 137
    await rig.engine.kill(box)


async def test_removing_what_is_gone_is_fine(rig: Rig) -> None:
    box = await rig.box()
    await asyncio.gather(rig.engine.remove(box), rig.engine.remove(box))
    await rig.engine.remove(box)
    await rig.engine.kill(box)
    await rig.engine.remove_network(UNKNOWN)
    await rig.engine.disconnect(UNKNOWN, UNKNOWN)
    await rig.engine.remove_image(UNKNOWN)


async def test_removed_is_no_longer_there(rig: Rig) -> None:
    box, channel = await rig.leased(name="codegenapp-test-again")
    await channel.close()  # the lease removes it too, at the same time
    await rig.engine.remove(box)
    again = await rig.engine.create(replace(rig.spec, name="codegenapp-test-again"))
    assert again != box


async def test_taken_name_is_refused(rig: Rig) -> None:
    spec = replace(rig.spec, name="codegenapp-test-taken")
    await rig.engine.create(spec)
    with pytest.raises(EngineRefused) as refusal:
        await rig.engine.create(spec)
    assert refusal.value.status == 409


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda rig: rig.engine.create(replace(rig.spec, image=UNKNOWN)), id="image"),
        pytest.param(lambda rig: rig.engine.attach(UNKNOWN), id="attach"),
        pytest.param(lambda rig: rig.engine.start(UNKNOWN), id="start"),
        pytest.param(lambda rig: rig.shell(UNKNOWN, "true"), id="execute"),
        pytest.param(
            lambda rig: rig.engine.put_archive(UNKNOWN, "/", chunked(archive_of({"a": b"b"}))),
            id="put archive",
        ),
        pytest.param(lambda rig: rig.engine.state(UNKNOWN), id="state"),
        pytest.param(lambda rig: rig.engine.usage(UNKNOWN), id="usage"),
        pytest.param(lambda rig: rig.engine.connect(UNKNOWN, UNKNOWN), id="connect"),
        pytest.param(
            lambda rig: rig.engine.commit(UNKNOWN, "codegenapp-test/none:none", labels={}),
            id="commit",
        ),
        pytest.param(lambda rig: rig.engine.tag(UNKNOWN, "codegenapp-test/none:none"), id="tag"),
    ],
)
async def test_unknown_names_are_not_there(
    rig: Rig, call: Callable[[Rig], Awaitable[object]]
) -> None:
    with pytest.raises(NotThere):
        await call(rig)


async def test_boxes_are_listed_by_label(rig: Rig) -> None:
    running = await rig.box(name="codegenapp-test-running")
    ended_box = await rig.box(lease=False, command=("true",))
    await rig.engine.wait(ended_box)
    name, _, value = rig.label.partition("=")
    things = {thing.id: thing for thing in await rig.engine.list_boxes(rig.label)}
    assert set(things) == {running, ended_box}
    assert things[running].name == "codegenapp-test-running"
    assert (things[running].running, things[ended_box].running) == (True, False)
    assert things[running].labels[name] == value
    assert {running, ended_box} <= {thing.id for thing in await rig.engine.list_boxes(name)}
    assert await rig.engine.list_boxes(f"{name}=other") == []


# ── executions ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param("true", 0, id="success"),
        pytest.param("false", 1, id="failure"),
        pytest.param("echo before; exit 3", 3, id="own code"),
        pytest.param("exit 137", 137, id="a code like a signal's"),
        pytest.param(MISSING_COMMAND, 127, id="not found"),
        pytest.param("true && false || exit 4", 4, id="lists"),
    ],
)
async def test_execution_ends_with_its_code(rig: Rig, line: str, code: int) -> None:
    got, _ = await rig.outcome(await rig.box(), line)
    assert got == code


async def test_execution_gives_output_of_both_streams(rig: Rig) -> None:
    code, output = await rig.outcome(await rig.box(), "echo out; echo err >&2; exit 3")
    assert code == 3
    assert sorted(output.splitlines()) == ["err", "out"]


async def test_execution_has_its_variables_and_no_others(rig: Rig) -> None:
    box = await rig.box(environment={"PATH": "/bin", "SHARED": "all"})
    assert await rig.outcome(box, "echo $SHARED $SECRET", SECRET="hush") == (0, "all hush\n")
    assert await rig.outcome(box, "echo $SHARED $SECRET") == (0, "all\n")


async def test_execution_starts_in_its_folder(rig: Rig) -> None:
    execution = await rig.engine.execute(
        await rig.box(),
        ("sh", "-c", "pwd"),
        user=USER,
        environment={},
        working_directory="/bin",
    )
    assert await execution.read() == b"/bin\n"
    await execution.close()


async def test_execution_needs_a_running_box(rig: Rig) -> None:
    box = await rig.box(lease=False, command=("true",))
    await rig.engine.wait(box)
    with pytest.raises(EngineRefused):
        await rig.shell(box, "true")


async def test_execution_runs_until_it_ends(rig: Rig) -> None:
    execution = await rig.shell(await rig.box(), "sleep 60")
    assert await execution.exit_code() is None
    await execution.close()


async def test_long_output_arrives_whole(rig: Rig) -> None:
    code, output = await rig.outcome(await rig.box(), COUNT)
    assert code == 0
    assert output == "".join(f"line {number}\n" for number in range(100_000))


async def test_background_child_holds_the_stream_but_not_the_code(rig: Rig) -> None:
    execution = await rig.shell(await rig.box(), "sleep 3 & echo started")
    before = time.monotonic()
    assert await execution.read() == b"started\n"
    assert await ended(execution) == 0
    assert time.monotonic() - before < 2
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await execution.read()
    await execution.close()


async def test_leftovers_of_a_user_can_be_killed(rig: Rig) -> None:
    box = await rig.box()
    left = await rig.shell(box, "sleep 60")
    while (await rig.engine.usage(box)).pids < 3:  # init, cat, sleep
        await pause()
    await rig.outcome(box, "kill -9 -1")
    assert await ended(left) == 137
    assert (await rig.engine.state(box)).running
    await left.close()


# ── files and limits ─────────────────────────────────────────────────────────────────────────


async def test_archive_is_unpacked_in_a_created_and_a_running_box(rig: Rig) -> None:
    box = await rig.engine.create(rig.spec)
    await rig.engine.put_archive(box, "/", chunked(archive_of({"work/a.txt": b"early\n"})))
    channel = await rig.engine.attach(box)
    rig.channels.append(channel)
    await rig.engine.start(box)
    await rig.engine.put_archive(box, "/work", chunked(archive_of({"b.txt": b"late\n"})))
    assert await rig.outcome(box, "cat /work/a.txt /work/b.txt") == (0, "early\nlate\n")


async def test_archive_whose_source_fails_raises_the_sources_fault(rig: Rig) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield archive_of({"a": b"b"})[:512]
        raise KeyError("the source's own")

    box = await rig.engine.create(rig.spec)
    with pytest.raises(KeyError, match="the source's own"):
        await rig.engine.put_archive(box, "/", broken())


async def test_read_only_box_takes_no_archive(rig: Rig) -> None:
    box = await rig.engine.create(replace(rig.spec, read_only=True))
    with pytest.raises(EngineRefused):
        await rig.engine.put_archive(box, "/", chunked(archive_of({"a": b"b"})))


async def test_usage_counts_what_was_written_and_what_runs(rig: Rig) -> None:
    box = await rig.box()
    fresh = await rig.engine.usage(box)
    assert fresh.disk_bytes < 64 * 1024
    assert fresh.pids == 2  # init and cat
    execution = await rig.engine.execute(
        box, ("sh", "-c", WRITE_MEGABYTE), user="0:0", environment={"KILOBYTE": "k" * 1023}
    )
    assert await ended(execution) == 0
    await execution.close()
    assert 1024**2 <= (await rig.engine.usage(box)).disk_bytes < 1.1 * 1024**2


async def test_lack_of_memory_is_told(rig: Rig) -> None:
    events = rig.engine.out_of_memory_events(rig.label)
    event = asyncio.ensure_future(anext(events))
    box = await rig.box(memory_bytes=16 * 1024 * 1024)
    code, _ = await rig.outcome(box, EAT_MEMORY)
    assert code == 137
    async with asyncio.timeout(5):
        assert await event == box
    await events.aclose()


async def test_lack_of_memory_elsewhere_is_not_told(rig: Rig) -> None:
    events = rig.engine.out_of_memory_events(f"{rig.label}-other")
    event = asyncio.ensure_future(anext(events))
    await rig.outcome(await rig.box(memory_bytes=16 * 1024 * 1024), EAT_MEMORY)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await event
    await events.aclose()


# ── a joined box ─────────────────────────────────────────────────────────────────────────────


async def test_joined_box_starts_when_its_host_runs(rig: Rig) -> None:
    host = await rig.engine.create(rig.spec)
    early = await rig.engine.create(replace(rig.spec, network=joined(host)))
    with pytest.raises(EngineRefused):
        await rig.engine.start(early)
    await rig.engine.start(host)
    guest = await rig.box(network=joined(host))
    assert (await rig.engine.state(guest)).running
    assert (await rig.engine.state(guest)).addresses == {}


async def test_leased_box_that_can_not_start_is_removed(rig: Rig) -> None:
    box = await rig.engine.create(replace(rig.spec, network=joined(UNKNOWN)))
    with pytest.raises(EngineRefused):
        await rig.engine.start(box)
    with pytest.raises(NotThere):
        await rig.engine.state(box)


async def test_box_without_network_has_no_address(rig: Rig) -> None:
    box = await rig.box(network=NO_NETWORK)
    assert (await rig.engine.state(box)).addresses == {}
