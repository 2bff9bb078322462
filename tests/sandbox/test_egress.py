from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.clock import SystemClock
from sandbox.docker import DockerEngine
from sandbox.egress import Egress, EgressPolicy
from sandbox.egress_box import REGISTRIES, allowed_names
from sandbox.engine import BoxSpec, Image, Kind
from sandbox.ownership import Owner
from sandbox.subnets import Subnet, create_network

REFUSED = "403"


# ── what a policy lets through ───────────────────────────────────────────────────────────────


def test_registries_are_let_through_and_github_is_not() -> None:
    assert set(allowed_names(EgressPolicy())) == REGISTRIES
    assert not [name for name in REGISTRIES if "github" in name]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Example.COM", "example.com"),
        (" example.com. ", "example.com"),
        ("*.example.com", ".example.com"),
        ("under_score.example", "under_score.example"),
        ("1password.com", "1password.com"),
    ],
)
def test_hosts_are_names_or_wildcards(host: str, name: str) -> None:
    assert name in allowed_names(EgressPolicy(hosts=frozenset({host})))


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "*",
        "*.",
        "10.0.0.1",
        "2130706433",
        "0x7f.1",
        "::1",
        "[::1]",
        "a b",
        "a\nb",
        "a..b",
        "http://a.example",
        "a.example:22",
        "a.example/x",
        '"',
        "ü.example",
        "a" * 100000,
    ],
)
def test_what_is_no_name_lets_nothing_through(host: str) -> None:
    assert set(allowed_names(EgressPolicy(hosts=frozenset({host})))) == REGISTRIES


def test_a_wildcard_takes_in_what_is_below_it() -> None:
    hosts = frozenset({"*.pypi.org", "a.pypi.org", "notpypi.org"})
    names = allowed_names(EgressPolicy(hosts=hosts))
    assert {".pypi.org", "notpypi.org"} <= set(names)
    assert not {"pypi.org", "a.pypi.org"} & set(names)


# ── a real proxy ─────────────────────────────────────────────────────────────────────────────


class Client:
    """A box on an internal network that asks the proxy for URLs, as an install would."""

    def __init__(self, engine: DockerEngine, box: str, proxy: str) -> None:
        self.engine, self.box, self.proxy = engine, box, proxy

    async def run(self, *command: str) -> str:
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
        execution = await self.engine.execute(
            self.box,
            command,
            user="65002:65002",
            environment={**dict.fromkeys(names, self.proxy), "HOME": "/home/codegenapp"},
        )
        output = b""
        async with asyncio.timeout(90):
            while (chunk := await execution.read()) is not None:
                output += chunk
        await execution.close()
        return output.decode()

    async def status(self, url: str) -> str:
        """The status of the proxy's answer to a CONNECT, or of the plain answer."""
        text = "%{http_connect} %{http_code}"
        said = await self.run("curl", "-gs", "-m", "20", "-o", "/dev/null", "-w", text, url)
        connect, plain = said.splitlines()[-1].split()[-2:]
        return connect if connect != "000" else plain


@pytest.fixture
async def egress(
    docker_engine: DockerEngine, sandbox_image: Image, owner: Owner
) -> AsyncIterator[Egress]:
    async def own_image() -> Image:
        return sandbox_image

    egress = Egress(docker_engine, owner, SystemClock(), own_image, {})
    yield egress
    await egress.close()


@pytest.fixture
async def network(docker_engine: DockerEngine, owner: Owner) -> AsyncIterator[Subnet]:
    labels = owner.labels(Kind.NETWORK, "test", datetime.now(UTC) + timedelta(hours=1))  # noqa: TID251
    network = await create_network(docker_engine, "codegenapp-test", labels, internal=True)
    yield network
    await docker_engine.remove_network(network.id)


@pytest.fixture
async def box(
    docker_engine: DockerEngine, sandbox_image: Image, owner: Owner, network: Subnet
) -> AsyncIterator[str]:
    labels = owner.labels(Kind.APPLICATION, "test", datetime.now(UTC) + timedelta(hours=1))  # noqa: TID251
    box = await docker_engine.create(
        BoxSpec(
            image=sandbox_image.id,
            labels=labels,
            command=("cat",),
            network=network.id,
            dns=("127.0.0.1",),
        )
    )
    lease = await docker_engine.attach(box)
    await docker_engine.start(box)
    yield box
    await lease.close()
    await docker_engine.remove(box)


@pytest.mark.engine
async def test_registries_are_reached_and_everything_else_is_refused_and_recorded(
    docker_engine: DockerEngine, egress: Egress, network: Subnet, box: str
) -> None:
    proxy = await egress.attach(network, EgressPolicy(hosts=frozenset({"*.example.net"})))
    client = Client(docker_engine, box, proxy)
    assert await client.status("https://evil.example.com/") == REFUSED
    assert await client.status("http://evil.example.com/again") == REFUSED
    assert await client.status("https://github.com/a/b") == REFUSED
    assert await client.status("https://pypi.org:8443/") == REFUSED
    assert await client.status("https://a.example.net/") != REFUSED
    assert await client.status("https://pypi.org/simple/flask/") == "200"
    assert egress.refusals(network.addresses) == (
        "evil.example.com",
        "github.com",
        "pypi.org:8443",
    )
    assert egress.alive(network.id)
    await egress.detach(network.id)
    assert egress.refusals(network.addresses) == ()
    assert not egress.alive(network.id)


@pytest.mark.engine
async def test_internet_is_every_name_and_still_no_address_of_the_inside(
    docker_engine: DockerEngine, egress: Egress, network: Subnet, box: str
) -> None:
    client = Client(docker_engine, box, await egress.attach(network, EgressPolicy(internet=True)))
    own_name = (await client.run("hostname")).strip()
    for url in (
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "http://172.17.0.1/",
        "http://127.0.0.1:3128/",
        "https://1.1.1.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://localhost/",
        f"http://{own_name}/",
        "https://pypi.org:22/",
        "http://pypi.org:8080/",
    ):
        assert await client.status(url) == REFUSED, url
    assert await client.status("http://deb.debian.org/debian/dists/trixie/Release") == "200"


@pytest.mark.engine
async def test_package_managers_install_through_it(
    docker_engine: DockerEngine, egress: Egress, network: Subnet, box: str
) -> None:
    client = Client(docker_engine, box, await egress.attach(network, EgressPolicy()))
    package = '{"name":"x","version":"1.0.0","dependencies":{"is-odd":"3.0.1"}}'
    script = f"""
    set -e
    pip install --quiet flask && python -c 'import flask' && flask --version
    mkdir /tmp/x && cd /tmp/x && echo '{package}' > package.json
    npm install && rm -r node_modules && npm ci
    test -f node_modules/is-odd/index.js && rm -r node_modules package-lock.json
    pnpm install && test -f node_modules/is-odd/index.js && rm -r node_modules
    yarn install && test -f node_modules/is-odd/index.js
    echo all is well
    """
    said = await client.run("sh", "-c", script)
    assert said.endswith("all is well\n"), said
    assert egress.refusals(network.addresses) == ()


@pytest.mark.engine
async def test_one_policy_shares_a_proxy_and_another_has_its_own(
    docker_engine: DockerEngine, egress: Egress, owner: Owner, network: Subnet
) -> None:
    other = EgressPolicy(hosts=frozenset({"example.net"}))
    label = f"codegenapp.owner={owner.id}"

    async def proxies() -> Sequence[str]:
        found = await docker_engine.list_boxes(label)
        return [it.id for it in found if it.labels["codegenapp.kind"] == "egress"]

    labels = owner.labels(Kind.NETWORK, "test", datetime.now(UTC) + timedelta(hours=1))  # noqa: TID251
    second = await create_network(docker_engine, "codegenapp-test", labels, internal=True)
    try:
        await asyncio.gather(
            egress.attach(network, EgressPolicy()), egress.attach(second, EgressPolicy())
        )
        assert len(await proxies()) == 1
        await egress.detach(second.id)
        await egress.attach(second, other)
        assert len(await proxies()) == 2
        await egress.detach(second.id)  # nobody else has this policy: its proxy goes
        assert len(await proxies()) == 1
    finally:
        await docker_engine.remove_network(second.id)


@pytest.mark.engine
async def test_a_proxy_that_died_is_replaced(
    docker_engine: DockerEngine, egress: Egress, owner: Owner, network: Subnet, box: str
) -> None:
    await egress.attach(network, EgressPolicy())
    for found in await docker_engine.list_boxes(f"codegenapp.owner={owner.id}"):
        if found.labels["codegenapp.kind"] == "egress":
            await docker_engine.remove(found.id)
    client = Client(docker_engine, box, await egress.attach(network, EgressPolicy()))
    assert await client.status("https://pypi.org/simple/flask/") == "200"


@pytest.mark.engine
async def test_an_index_of_the_operator_is_let_through_on_its_own_port(
    docker_engine: DockerEngine, sandbox_image: Image, owner: Owner, network: Subnet, box: str
) -> None:
    async def own_image() -> Image:
        return sandbox_image

    variables = {"PIP_INDEX_URL": "http://deb.debian.org:81/simple", "OTHER": "/a/path"}
    egress = Egress(
        docker_engine,
        owner,
        SystemClock(),
        own_image,
        variables,
        refused_addresses=["192.0.2.0/24"],
    )
    try:
        client = Client(docker_engine, box, await egress.attach(network, EgressPolicy()))
        assert await client.status("http://deb.debian.org:82/") == REFUSED
        assert await client.status("http://deb.debian.org:81/") != REFUSED
    finally:
        await egress.close()
