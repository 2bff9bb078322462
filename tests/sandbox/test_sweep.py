"""What a sweep takes: what is past its deadline or a dead owner's, and never a neighbour's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox import ownership
from sandbox.boxes import BoxSandbox
from sandbox.docker import DockerEngine
from sandbox.dummy import DummyEngine
from sandbox.egress import Egress
from sandbox.engine import BoxSpec, Engine, Image, Kind, NetworkSpec
from sandbox.equipment import Equipment
from sandbox.guard import OutOfMemoryEvents
from sandbox.ownership import KEPT, OWNER, Owner
from sandbox.snapshots import Snapshots, tag_of
from tests.busybox import archive_of, chunked
from tests.product import Product, project, with_engine

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
GIGABYTE = 1024**3


@dataclass
class SetClock:
    """A clock that stands until it is set."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def sandbox_of(engine: Engine, owner: Owner, clock: SetClock, limit: int = GIGABYTE) -> BoxSandbox:
    """A sandbox that can sweep."""

    async def no_image() -> Image:
        raise AssertionError("a sweep needs no image")

    egress = Egress(engine, owner, clock, no_image, {})
    events = OutOfMemoryEvents(engine, "none")
    snapshots = Snapshots(engine, owner, limit, clock)
    home = owner.folder.parent
    return BoxSandbox(Equipment(engine, owner, clock, home, no_image, egress, events, snapshots))


@dataclass
class House:
    """One engine, some owners, and what they have made."""

    folder: Path
    engine: DummyEngine = field(default_factory=DummyEngine)
    clock: SetClock = field(default_factory=SetClock)
    owners: list[Owner] = field(default_factory=list)
    networks: int = 0

    def owner(self, home: str = "home") -> Owner:
        """A new process of an installation."""
        owner = Owner.claim(self.folder / home)
        self.owners.append(owner)
        return owner

    async def made(
        self,
        owner: Owner,
        deadline: datetime = NOW + HOUR,
        labels: Mapping[str, str] | None = None,
    ) -> set[str]:
        """A box and a network of an owner."""
        own = owner.labels(Kind.APPLICATION, "run", deadline) | dict(labels or {})
        self.networks += 1
        subnet = f"10.231.{self.networks}.0/28"
        network = NetworkSpec(f"network-{self.networks}", subnet, own)
        return {
            await self.engine.create(BoxSpec(image="base", labels=own)),
            await self.engine.create_network(network),
        }

    async def swept(self, owner: Owner) -> tuple[int, set[str]]:
        """Sweep as this owner: what it says, and the ids of what is left."""
        count = await sandbox_of(self.engine, owner, self.clock).sweep()
        label = ownership.INSTALLATION
        left = [*await self.engine.list_boxes(label), *await self.engine.list_networks(label)]
        return count, {it.id for it in left}


@pytest.fixture
async def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    await house.engine.import_image(chunked(archive_of({"bin/sh": b""})), "base", labels={})
    return house


async def test_own_things_stay(house: House) -> None:
    owner = house.owner()
    own = await house.made(owner)
    assert await house.swept(owner) == (0, own)


async def test_living_owners_things_stay(house: House) -> None:
    owner, other = house.owner(), house.owner()
    theirs = await house.made(other)
    assert await house.swept(owner) == (0, theirs)


async def test_dead_owners_things_go(house: House) -> None:
    owner, other = house.owner(), house.owner()
    await house.made(other)
    own = await house.made(owner)
    other.release()
    assert await house.swept(owner) == (2, own)
    assert await house.swept(owner) == (0, own)


async def test_what_is_past_its_deadline_goes_whoever_lives(house: House) -> None:
    owner, other = house.owner(), house.owner()
    await house.made(owner, NOW)
    await house.made(other, NOW - HOUR)
    later = await house.made(other, NOW + timedelta(seconds=1))
    assert await house.swept(owner) == (4, later)


async def test_neighbours_things_stay_dead_or_not(house: House) -> None:
    owner, neighbour = house.owner(), house.owner("another home")
    theirs = await house.made(neighbour, NOW - HOUR)
    neighbour.release()
    assert await house.swept(owner) == (0, theirs)


async def test_kept_things_stay_until_their_deadline(house: House) -> None:
    owner, other = house.owner(), house.owner()
    labels = ownership.kept({}, NOW + timedelta(hours=24))
    kept = await house.made(other, labels=labels)
    other.release()
    assert labels[OWNER] == KEPT
    assert await house.swept(owner) == (0, kept)
    house.clock.at += timedelta(hours=23, minutes=59)
    assert await house.swept(owner) == (0, kept)
    house.clock.at += timedelta(minutes=2)
    assert await house.swept(owner) == (2, set())


@pytest.mark.parametrize("owner_label", ["", "../../etc/passwd", "no-such-owner", "."])
async def test_owner_that_is_none(house: House, owner_label: str) -> None:
    owner = house.owner()
    await house.made(owner, labels={OWNER: owner_label})
    assert await house.swept(owner) == (2, set())


async def test_deadline_that_is_none_is_no_deadline(house: House) -> None:
    owner = house.owner()
    own = await house.made(owner, labels={ownership.DEADLINE: "some day"})
    assert await house.swept(owner) == (0, own)


async def test_closing_takes_one_run_and_no_other(house: House) -> None:
    owner = house.owner()
    await house.made(owner, labels={ownership.RUN: "this"})
    other = await house.made(owner, labels={ownership.RUN: "that"})
    sandbox = sandbox_of(house.engine, owner, house.clock)
    await sandbox.close("this")
    await sandbox.close("this")
    assert await house.swept(owner) == (0, other)


async def test_closing_is_made_up_for_when_the_engine_was_away(house: House) -> None:
    owner = house.owner()
    await house.made(owner, labels={ownership.RUN: "this"})
    sandbox = sandbox_of(house.engine, owner, house.clock)
    house.engine.go_away()
    with pytest.raises(Exception, match="does not answer"):
        await sandbox.close("this")
    house.engine.come_back()
    await sandbox._catch_up()
    assert await house.swept(owner) == (0, set())


# ── snapshots ────────────────────────────────────────────────────────────────────────────────


@dataclass
class Shelf:
    """The snapshots of one owner on a house's engine."""

    house: House
    owner: Owner
    limit: int = GIGABYTE

    @property
    def snapshots(self) -> Snapshots:
        return Snapshots(self.house.engine, self.owner, self.limit, self.house.clock)

    async def keep(self, key: str, *, size: int = 1000, locked: bool = True) -> None:
        engine = self.house.engine
        base = await engine.image("base")
        assert base is not None
        box = await engine.create(BoxSpec(image="base", labels={}))
        await engine.put_archive(box, "/", chunked(archive_of({key: b"x" * size})))
        await self.snapshots.keep(key, box, base, locked=locked)
        await engine.remove(box)

    async def has(self, *keys: str) -> list[str]:
        return [key for key in keys if await self.house.engine.image(tag_of(key))]


@pytest.fixture
async def shelf(house: House) -> Shelf:
    house.engine = DummyEngine(clock=house.clock)
    await house.engine.import_image(chunked(archive_of({"bin/sh": b""})), "base", labels={})
    return Shelf(house, house.owner())


async def test_snapshot_is_found_until_it_is_stale(shelf: Shelf) -> None:
    await shelf.keep("unlocked", locked=False)
    await shelf.keep("locked")
    shelf.house.clock.at += timedelta(hours=23)
    assert await shelf.snapshots.find("unlocked")
    shelf.house.clock.at += timedelta(hours=2)
    assert await shelf.snapshots.find("unlocked") is None
    assert await shelf.snapshots.find("locked")
    assert await shelf.snapshots.forget() == 1
    assert await shelf.has("unlocked", "locked") == ["locked"]


async def test_a_sweep_forgets_stale_snapshots(shelf: Shelf) -> None:
    await shelf.keep("stale", locked=False)
    shelf.house.clock.at += timedelta(days=2)
    count, _ = await shelf.house.swept(shelf.owner)
    assert count == 1
    assert await shelf.has("stale") == []


async def test_least_recently_used_goes_first(shelf: Shelf) -> None:
    shelf.limit = 2500
    for key in ("first", "second"):
        await shelf.keep(key)
        shelf.house.clock.at += HOUR
    assert await shelf.snapshots.find("first"), "used, and so the younger one now"
    shelf.house.clock.at += HOUR
    await shelf.keep("third")
    assert await shelf.has("first", "second", "third") == ["first", "third"]


async def test_one_that_is_too_large_by_itself_is_not_kept(shelf: Shelf) -> None:
    shelf.limit = 2500
    await shelf.keep("small")
    shelf.house.clock.at += HOUR
    await shelf.keep("large", size=5000)
    assert await shelf.has("small", "large") == ["small"]


async def test_what_a_newer_one_replaced_goes(shelf: Shelf) -> None:
    await shelf.keep("key", locked=False)
    shelf.house.clock.at += HOUR
    await shelf.keep("key")
    images = await shelf.house.engine.list_images(ownership.INSTALLATION)
    assert [image.tags for image in images] == [(tag_of("key"),)]


async def test_neighbours_snapshots_are_theirs(shelf: Shelf) -> None:
    neighbour = Shelf(shelf.house, shelf.house.owner("another home"))
    await neighbour.keep("theirs", size=5000)
    tight = replace(shelf, limit=1)
    await tight.keep("mine")
    assert await shelf.has("mine", "theirs") == ["theirs"]


# ── kept boxes, on the real engine ───────────────────────────────────────────────────────────


@pytest.fixture
def product(docker_host: str | None, tmp_path: Path) -> Iterator[Product]:
    """An installation with an engine; what its user kept is removed behind it."""
    product = Product(tmp_path, docker_host)
    yield product

    async def remove(engine: DockerEngine) -> None:
        for box in await engine.list_boxes(f"{OWNER}={KEPT}"):
            if box.labels[ownership.INSTALLATION] == installation:
                await engine.remove(box.id)

    installation = (product.home / "installation-id").read_text()
    with_engine(docker_host, remove)
    assert product.things() == []


@pytest.mark.engine
@pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker command line")
def test_kept_for_a_look_inside(product: Product, tmp_path: Path) -> None:
    where = str(project(tmp_path / "it", build_command="echo here > witness; false"))
    ended = product.run("validate", where, "--keep", "--format", "json")
    assert ended.process.returncode == 1
    environment = ended.result["environment_id"]
    look, removal = (
        line.split(":", 1)[1].strip() for line in ended.errors.splitlines() if "docker " in line
    )
    look = look.replace(" -it ", " ") + " -c 'cat /workspace/witness'"
    host = {"DOCKER_HOST": product.docker_host} if product.docker_host else {}
    environ = product.environ | host

    def shell(line: str) -> str:
        done = subprocess.run(
            ["sh", "-ec", line], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert shell(look) == "here\n"
    again = str(project(tmp_path / "again", build_command="true"))
    assert product.run("validate", again).process.returncode == 0
    assert [it.labels[ownership.RUN] for it in product.things()] == [environment], "it stays"

    async def a_day_later(engine: DockerEngine) -> int:
        owner = Owner.claim(product.home)
        try:
            tomorrow = SetClock(datetime.now(UTC) + timedelta(hours=24))  # noqa: TID251
            return await sandbox_of(engine, owner, tomorrow).sweep()
        finally:
            owner.release()

    assert with_engine(product.docker_host, a_day_later) == 1
    assert product.things() == []
    ended = product.run("validate", where, "--keep", "--format", "json")
    _, removal = (
        line.split(":", 1)[1].strip() for line in ended.errors.splitlines() if "docker " in line
    )
    shell(removal)
    assert product.things() == []
