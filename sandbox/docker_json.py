"""Docker's JSON and our words for it: specifications out, what the engine knows in. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.engine import (
    NO_NETWORK,
    BoxSpec,
    BoxState,
    EngineRefused,
    Image,
    NetworkSpec,
    NotThere,
    Thing,
)

JSONObject = dict[str, Any]

OPEN_FILES = 16384
"""More than any build needs; less than an engine started from a shell (often 20,000) can give."""

NANOSECONDS = 1_000_000_000

INHIBIT_HOST_ADDRESS = "com.docker.network.bridge.inhibit_ipv4"
"""``Internal`` alone leaves the host's address on the bridge, and so all that the host serves."""

NO_SUCH_IMAGE = re.compile(
    r"(?:manifest|name) unknown|manifest for \S+ not found|repository \S*does not exist"
    r"|pull access denied|: not found$",
    re.IGNORECASE,
)

BEGINNING = "0001-01-01T00:00:00Z"
"""Go's zero time: it never happened."""


def box_body(spec: BoxSpec) -> JSONObject:
    """The body of ``POST /containers/create``."""
    body: JSONObject = {
        "Image": spec.image,
        "Labels": dict(spec.labels),
        "User": spec.user,
        "Env": pairs(spec.environment),
        "WorkingDir": spec.working_directory,
        "Tty": False,
        "OpenStdin": spec.lease,
        "StdinOnce": spec.lease and not spec.kept,
        "AttachStdin": spec.lease,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": _host_config(spec),
    }
    if spec.entrypoint is not None:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.address and spec.network != NO_NETWORK:
        endpoint = {"IPAMConfig": {"IPv4Address": spec.address}}
        body["NetworkingConfig"] = {"EndpointsConfig": {spec.network: endpoint}}
    return body


def _host_config(spec: BoxSpec) -> JSONObject:
    """What the host gives a box, and what it withholds from every one of them."""
    security = ["no-new-privileges:true"]
    if spec.seccomp:
        security.append(f"seccomp={spec.seccomp}")
    limits = {"core": 0, "nofile": OPEN_FILES}
    if spec.file_bytes:
        limits["fsize"] = spec.file_bytes
    config: JSONObject = {
        "NetworkMode": spec.network,
        "Init": spec.lease,
        "AutoRemove": spec.lease and not spec.kept,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.capabilities),
        "SecurityOpt": security,
        "ReadonlyRootfs": spec.read_only,
        "IpcMode": "private",
        "ShmSize": spec.shm_bytes,
        "Tmpfs": {
            path: f"rw,exec,nosuid,nodev,size={size},mode=1777" for path, size in spec.tmpfs.items()
        },
        "PidsLimit": spec.pids,
        "Memory": spec.memory_bytes,
        "MemorySwap": spec.memory_bytes,  # equal: no swap at all
        "NanoCpus": int(spec.cpus * NANOSECONDS),
        "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in limits.items()],
        # Output is read by attach, which loses nothing; a log would only fill the host's disk.
        "LogConfig": {"Type": "none", "Config": {}},
    }
    if spec.dns:
        # The engine refuses the key, even empty, beside a joined network.
        config["Dns"] = list(spec.dns)
        # A name that nobody answers should fail in a second, not after libc's usual ten.
        config["DnsOptions"] = ["timeout:1", "attempts:1"]
    return config


def network_body(spec: NetworkSpec) -> JSONObject:
    """The body of ``POST /networks/create``."""
    return {
        "Name": spec.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": spec.internal,
        "Attachable": False,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": spec.subnet}]},
        "Options": {INHIBIT_HOST_ADDRESS: "true"} if spec.internal else {},
        "Labels": dict(spec.labels),
    }


def pairs(environment: Mapping[str, str]) -> list[str]:
    """Variables as Docker takes them: ``NAME=value``."""
    return [f"{name}={value}" for name, value in environment.items()]


def label_filter(label: str, **more: list[str]) -> str:
    """The ``filters`` parameter for a label (``name`` or ``name=value``)."""
    return json.dumps({"label": [label], **more})


def split_tag(reference: str) -> tuple[str, str]:
    """Repository and tag of a reference; ``latest`` where it has none.

    A registry's port (``host:5000/name``) is no tag.
    """
    repository, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag:
        return reference, "latest"
    return repository, tag


def box_state(found: JSONObject) -> BoxState:
    """What ``GET /containers/ID/json`` says of a box."""
    state = found["State"]
    networks = found["NetworkSettings"]["Networks"] or {}
    over = state["Status"] in ("exited", "dead")
    started_at = state["StartedAt"]
    return BoxState(
        running=state["Running"],
        exit_code=state["ExitCode"] if over else None,
        out_of_memory=state["OOMKilled"],
        addresses={
            name: endpoint["IPAddress"]
            for name, endpoint in networks.items()
            if endpoint["IPAddress"]
        },
        started_at="" if started_at == BEGINNING else started_at,
    )


def box_thing(found: JSONObject) -> Thing:
    """One row of ``GET /containers/json``."""
    names = found["Names"] or [""]
    return Thing(
        found["Id"],
        names[0].lstrip("/"),
        found["Labels"] or {},
        running=found["State"] == "running",
    )


def network_thing(found: JSONObject) -> Thing:
    """One row of ``GET /networks``."""
    return Thing(found["Id"], found["Name"], found["Labels"] or {})


def image(found: JSONObject) -> Image:
    """What ``GET /images/NAME/json`` says of an image."""
    config = found.get("Config") or {}
    variables = (variable.partition("=") for variable in config.get("Env") or ())
    return Image(
        id=found["Id"],
        tags=tuple(found.get("RepoTags") or ()),
        labels=config.get("Labels") or {},
        bytes=found["Size"],
        created_at=epoch_seconds(found.get("Created") or BEGINNING),
        tagged_at=epoch_seconds((found.get("Metadata") or {}).get("LastTagTime") or BEGINNING),
        environment={name: value for name, _, value in variables},
        architecture=found["Architecture"],
    )


def refused_pull(refusal: EngineRefused) -> EngineRefused:
    """The refusal of a pull: NotThere where a registry has said that it has no such image.

    Only the words tell, in the middle of an answer or with status 500 (Debian's 20.10).
    """
    if NO_SUCH_IMAGE.search(str(refusal).rstrip(".")):
        return NotThere(str(refusal), 404)
    return refusal


def epoch_seconds(moment: str) -> float:
    """Seconds since the epoch of an RFC 3339 moment with up to nine decimals; 0.0 for Go's zero.

    Python reads six decimals of the nine; the rest is below what a float keeps of such a number.
    """
    if moment.startswith("0001-01-01T00:00:00"):
        return 0.0
    whole, dot, rest = moment.partition(".")
    if dot:
        digits = rest.rstrip("Z").split("+")[0].split("-")[0]
        zone = rest[len(digits) :]
        moment = f"{whole}.{digits[:6].ljust(6, '0')}{zone}"
    return datetime.fromisoformat(moment).timestamp()
