"""Docker's words and ours."""

from __future__ import annotations

import json

import pytest

from sandbox.docker_json import (
    box_body,
    epoch_seconds,
    image,
    network_body,
    refused_pull,
    split_tag,
)
from sandbox.engine import BoxSpec, EngineRefused, NetworkSpec, NotThere, joined

SPEC = BoxSpec(image="image", labels={"codegenapp.kind": "application"})


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        pytest.param("name", ("name", "latest"), id="bare"),
        pytest.param("name:1.2", ("name", "1.2"), id="tag"),
        pytest.param("group/name:1.2", ("group/name", "1.2"), id="folder and tag"),
        pytest.param("host:5000/name", ("host:5000/name", "latest"), id="port is no tag"),
        pytest.param("host:5000/name:1", ("host:5000/name", "1"), id="port and tag"),
    ],
)
def test_tag_is_split_from_its_repository(reference: str, parts: tuple[str, str]) -> None:
    assert split_tag(reference) == parts


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        pytest.param("1970-01-01T00:00:01Z", 1.0, id="whole seconds"),
        pytest.param("1970-01-01T00:00:01.5Z", 1.5, id="one decimal"),
        pytest.param("1970-01-01T00:00:01.123456789Z", 1.123456, id="nine decimals"),
        pytest.param("1970-01-01T01:00:01.123456789+01:00", 1.123456, id="east"),
        pytest.param("1969-12-31T23:00:01.25-01:00", 1.25, id="west"),
        pytest.param("0001-01-01T00:00:00Z", 0.0, id="never"),
    ],
)
def test_moment_is_seconds_since_the_epoch(moment: str, seconds: float) -> None:
    assert epoch_seconds(moment) == pytest.approx(seconds)


@pytest.mark.parametrize("lease", [True, False])
def test_every_box_is_hardened(lease: bool) -> None:
    spec = BoxSpec(image="image", labels={}, lease=lease, capabilities=("CHOWN",), seccomp="{}")
    host = box_body(spec)["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == ["CHOWN"]
    assert host["SecurityOpt"] == ["no-new-privileges:true", "seccomp={}"]
    assert host["Privileged"] is False
    assert host["Memory"] == host["MemorySwap"] == spec.memory_bytes
    assert host["PidsLimit"] == spec.pids
    assert host["IpcMode"] == "private"
    assert host["NetworkMode"] == "none"
    assert host["LogConfig"]["Type"] == "none"
    assert not {"Binds", "Mounts", "Devices", "PidMode", "PortBindings"} & set(host)


def test_leased_box_ends_with_its_input() -> None:
    body = box_body(SPEC)
    assert body["OpenStdin"] is body["StdinOnce"] is body["AttachStdin"] is True
    assert body["HostConfig"]["AutoRemove"] is body["HostConfig"]["Init"] is True


def test_kept_box_outlives_its_controller() -> None:
    body = box_body(BoxSpec(image="image", labels={}, kept=True))
    assert (body["OpenStdin"], body["StdinOnce"]) == (True, False)
    assert body["HostConfig"]["AutoRemove"] is False


def test_tmpfs_is_sized_and_trusts_nothing() -> None:
    body = box_body(BoxSpec(image="image", labels={}, tmpfs={"/tmp": 4096}))
    assert body["HostConfig"]["Tmpfs"] == {"/tmp": "rw,exec,nosuid,nodev,size=4096,mode=1777"}


def test_images_own_command_is_kept_where_none_is_given() -> None:
    assert not {"Entrypoint", "Cmd"} & set(box_body(SPEC))
    given = box_body(BoxSpec(image="image", labels={}, entrypoint=(), command=("cat",)))
    assert (given["Entrypoint"], given["Cmd"]) == ([], ["cat"])


def test_joined_box_names_no_server_for_names() -> None:
    assert (
        "Dns" not in box_body(BoxSpec(image="image", labels={}, network=joined("x")))["HostConfig"]
    )


def test_only_internal_networks_leave_the_host_out() -> None:
    inside = network_body(NetworkSpec("name", "10.0.0.0/28", {}))
    outside = network_body(NetworkSpec("name", "10.0.0.0/28", {}, internal=False))
    assert inside["Internal"] is True
    assert json.dumps(inside["Options"]) == ('{"com.docker.network.bridge.inhibit_ipv4": "true"}')
    assert (outside["Internal"], outside["Options"]) == (False, {})


def test_image_without_configuration_is_told_all_the_same() -> None:
    found = image({"Id": "sha256:1", "RepoTags": None, "Size": 7, "Architecture": "amd64"})
    assert (found.tags, found.labels, found.environment) == ((), {}, {})
    assert (found.created_at, found.tagged_at) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        pytest.param("manifest unknown", True, id="Debian's engine"),
        pytest.param(
            "manifest for postgres:99 not found: manifest unknown: manifest unknown", True, id="tag"
        ),
        pytest.param(
            "pull access denied for no/such, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied",
            True,
            id="Docker Hub",
        ),
        pytest.param(
            'failed to resolve reference "example.com/no/such:1": example.com/no/such:1: not found',
            True,
            id="containerd",
        ),
        pytest.param(
            'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: '
            "no such host",
            False,
            id="no network",
        ),
        pytest.param(
            "toomanyrequests: You have reached your pull rate limit.", False, id="too many"
        ),
    ],
)
def test_a_registry_without_the_image_is_told_from_none_that_answers(
    said: str, known: bool
) -> None:
    refusal = refused_pull(EngineRefused(said, 500))
    assert isinstance(refusal, NotThere) is known
    assert str(refusal) == said
