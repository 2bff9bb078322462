"""What holds for every engine: networks and images."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from sandbox.engine import EngineRefused, NetworkSpec, NotThere
from tests.busybox import BUSYBOX_IMAGE, archive_of, chunked
from tests.contract.lines import MISSING_COMMAND
from tests.engine_rig import Rig

SUBNET = "10.213.77.0/28"
OVERLAPPING = "10.213.77.8/29"


def network_spec(rig: Rig, subnet: str = SUBNET) -> NetworkSpec:
    return NetworkSpec(f"codegenapp-test-{uuid.uuid4().hex[:8]}", subnet, rig.labels)


def tag_name() -> str:
    return f"codegenapp-test/engine:{uuid.uuid4().hex[:12]}"


# ── networks ─────────────────────────────────────────────────────────────────────────────────


async def test_boxes_join_and_leave_a_network(rig: Rig) -> None:
    spec = network_spec(rig)
    network = await rig.engine.create_network(spec)
    box = await rig.box(network=spec.name, address="10.213.77.5")
    assert (await rig.engine.state(box)).addresses == {spec.name: "10.213.77.5"}
    await rig.engine.disconnect(network, box)
    await rig.engine.disconnect(network, box)
    assert (await rig.engine.state(box)).addresses == {}
    await rig.engine.connect(network, box, "10.213.77.6")
    assert (await rig.engine.state(box)).addresses == {spec.name: "10.213.77.6"}


async def test_closed_box_joins_no_network(rig: Rig) -> None:
    network = await rig.engine.create_network(network_spec(rig))
    with pytest.raises(EngineRefused):
        await rig.engine.connect(network, await rig.box())


async def test_network_goes_though_boxes_are_on_it(rig: Rig) -> None:
    spec = network_spec(rig)
    network = await rig.engine.create_network(spec)
    box = await rig.box(network=network)
    assert len((await rig.engine.state(box)).addresses) == 1
    await rig.engine.remove_network(network)
    await rig.engine.remove_network(network)
    assert (await rig.engine.state(box)).addresses == {}
    assert await rig.engine.list_networks(rig.label) == []


async def test_networks_are_listed_by_label(rig: Rig) -> None:
    spec = network_spec(rig)
    network = await rig.engine.create_network(spec)
    (found,) = await rig.engine.list_networks(rig.label)
    assert (found.id, found.name) == (network, spec.name)
    assert found.labels == rig.labels


async def test_subnet_in_use_is_refused(rig: Rig) -> None:
    await rig.engine.create_network(network_spec(rig))
    with pytest.raises(EngineRefused):
        await rig.engine.create_network(network_spec(rig, OVERLAPPING))


async def test_network_name_in_use_is_refused(rig: Rig) -> None:
    spec = network_spec(rig)
    await rig.engine.create_network(spec)
    with pytest.raises(EngineRefused):
        await rig.engine.create_network(replace(spec, subnet="10.213.78.0/28"))


# ── images ───────────────────────────────────────────────────────────────────────────────────


async def test_commit_keeps_files_and_its_own_labels(rig: Rig) -> None:
    box = await rig.engine.create(replace(rig.spec, labels={**rig.labels, "codegenapp.run": "7"}))
    await rig.engine.put_archive(box, "/", chunked(archive_of({"kept.txt": b"kept\n"})))
    tag = tag_name()
    made = await rig.engine.commit(box, tag, labels={**rig.labels, "codegenapp.kind": "snapshot"})
    image = await rig.engine.image(tag)
    assert image is not None
    assert (image.id, list(image.tags)) == (made, [tag])
    assert image.labels["codegenapp.kind"] == "snapshot"
    assert image.labels["codegenapp.run"] == ""
    assert image.environment["PATH"] == "/bin"
    assert await rig.engine.list_images(rig.label) == [image]
    again = await rig.box(image=tag)
    assert await rig.outcome(again, "cat /kept.txt") == (0, "kept\n")
    await rig.engine.remove_image(tag)  # in use: stays, and that is fine
    await rig.engine.remove(again)
    await rig.engine.remove_image(tag)
    assert await rig.engine.image(tag) is None


async def test_tagging_again_tells_when(rig: Rig) -> None:
    tag, other = tag_name(), tag_name()
    await rig.engine.commit(await rig.box(), tag, labels=rig.labels)
    first = await rig.engine.image(tag)
    await rig.engine.tag(tag, tag)
    second = await rig.engine.image(tag)
    assert first is not None
    assert second is not None
    assert first.created_at <= first.tagged_at < second.tagged_at
    await rig.engine.tag(tag, other)
    third = await rig.engine.image(other)
    assert third is not None
    assert third.id == first.id
    assert set(third.tags) == {tag, other}


async def test_image_is_made_of_a_file_system(rig: Rig) -> None:
    tag = tag_name()
    system = chunked(archive_of({"a.txt": b"a" * 1000}))
    made = await rig.engine.import_image(system, tag, labels={"of": 'a "base"', "kind": "image"})
    image = await rig.engine.image(tag)
    assert image is not None
    assert image.id == made
    assert image.labels == {"of": 'a "base"', "kind": "image"}
    assert image.bytes >= 1000
    assert image.tagged_at > 0
    await rig.engine.remove_image(tag)
    assert await rig.engine.image(made) is None


async def test_build_tells_its_log_and_labels_its_image(rig: Rig) -> None:
    dockerfile = f"FROM {BUSYBOX_IMAGE}\nARG GREETING\nENV SAID=$GREETING\n"
    tag = tag_name()
    build = rig.engine.build(
        archive_of({"Dockerfile": dockerfile.encode()}),
        tag,
        labels=rig.labels,
        arguments={"GREETING": "hello"},
    )
    lines = [line async for line in build]
    assert any(line.startswith("Step 1/") and "FROM" in line for line in lines)
    assert any("Successfully tagged" in line for line in lines)
    (image,) = await rig.engine.list_images(rig.label)
    assert list(image.tags) == [tag]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        pytest.param({"other": b""}, "Dockerfile", id="no Dockerfile"),
        pytest.param(
            {"Dockerfile": f"FROM {BUSYBOX_IMAGE}\nRUN {MISSING_COMMAND}\n".encode()},
            "(?s)RUN codegenapp-no.*non-zero code: 127",
            id="failing step",
        ),
    ],
)
async def test_build_that_fails_is_refused_with_its_last_lines(
    rig: Rig, files: dict[str, bytes], told: str
) -> None:
    build = rig.engine.build(archive_of(files), tag_name(), labels=rig.labels, arguments={})
    with pytest.raises(EngineRefused, match=told):
        [line async for line in build]


async def test_what_no_registry_gives_is_refused(rig: Rig) -> None:
    with pytest.raises(EngineRefused):
        await rig.engine.pull("127.0.0.1:9/codegenapp-test/none:none")


async def test_unknown_image_is_none(rig: Rig) -> None:
    assert await rig.engine.image("codegenapp-test/none:none") is None


async def test_what_is_not_there_is_not_tagged(rig: Rig) -> None:
    with pytest.raises(NotThere):
        await rig.engine.tag("codegenapp-test/none:none", tag_name())
