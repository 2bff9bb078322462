from __future__ import annotations

import asyncio
import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.adapters.clock import SystemClock
from bot.domain.problems import UserProblem
from sandbox.docker import DockerEngine
from sandbox.engine import BoxSpec, EngineRefused, Image
from sandbox.image_builder import build_context, content_tag, ensure_image, forwarded

STEP_USER = "65002:65002"


# ── the tag and the context ──────────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "image"
    (folder / "sub").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "sub" / "a.sh").write_text("true\n")
    return folder


def test_the_tag_is_that_of_the_content(folder: Path) -> None:
    before = content_tag(folder)
    assert before.startswith("codegenapp/sandbox:")
    assert len(before.partition(":")[2]) == 12
    (folder / "sub" / "a.sh").chmod(0o700)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert content_tag(folder) == before
    (folder / "sub" / "a.sh").write_text("false\n")
    changed = content_tag(folder)
    (folder / "sub" / "a.sh").rename(folder / "sub" / "b.sh")
    assert len({before, changed, content_tag(folder)}) == 3


def test_the_context_is_roots_whatever_the_checkout_was(folder: Path) -> None:
    (folder / "Dockerfile").chmod(0o666)
    with tarfile.open(fileobj=io.BytesIO(build_context(folder, b"PEM"))) as tar:
        found = {entry.name: entry for entry in tar.getmembers()}
        bundle = tar.extractfile("ca-bundle.crt")
        assert bundle is not None
        assert bundle.read() == b"PEM"
    assert {name: entry.mode for name, entry in found.items()} == {
        "Dockerfile": 0o644,
        "sub/a.sh": 0o755,
        "ca-bundle.crt": 0o644,
    }
    assert {(entry.uid, entry.gid, entry.mtime) for entry in found.values()} == {(0, 0, 0)}


def test_only_plain_addresses_of_indexes_reach_a_build() -> None:
    assert forwarded(
        {
            "PIP_INDEX_URL": "https://index.example/simple",
            "NPM_CONFIG_REGISTRY": "https://user:password@index.example/",
            "SECRET": "https://index.example/",
        }
    ) == {"PIP_INDEX_URL": "https://index.example/simple"}
    assert forwarded({"PIP_INDEX_URL": "file:///srv/index"}) == {}
    assert forwarded({"PIP_INDEX_URL": "http://["}) == {}


# ── building ─────────────────────────────────────────────────────────────────────────────────


async def ensure(engine: DockerEngine, folder: Path, lock: Path, said: list[str]) -> Image:
    return await ensure_image(
        engine,
        folder,
        ca_bundle=None,
        build_arguments={},
        progress=said.append,
        labels={"codegenapp.kind": "image"},
        lock=lock,
        clock=SystemClock(),
    )


@pytest.fixture
async def small(docker_engine: DockerEngine, tmp_path: Path) -> AsyncIterator[Path]:
    """An image's folder that builds in a second, and differs from any other test's."""
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f"ARG BASE\nFROM scratch\nCOPY Dockerfile /{os.urandom(8).hex()}\n"
    )
    yield folder
    await docker_engine.remove_image(content_tag(folder))


@pytest.mark.engine
@pytest.mark.usefixtures("sandbox_image")  # so that the engine has a base
async def test_processes_at_the_same_time_build_once(
    docker_engine: DockerEngine, small: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    lock = tmp_path / "state" / "image.lock"
    images = await asyncio.gather(*(ensure(docker_engine, small, lock, said) for _ in range(3)))
    assert len({image.id for image in images}) == 1
    assert images[0].tags == (content_tag(small),)
    assert images[0].labels["codegenapp.kind"] == "image"
    assert len([line for line in said if line.startswith("building")]) == 1


@pytest.mark.engine
@pytest.mark.usefixtures("sandbox_image")
async def test_a_failing_step_is_told_with_its_last_lines(
    docker_engine: DockerEngine, small: Path, tmp_path: Path
) -> None:
    dockerfile = small / "Dockerfile"
    dockerfile.write_text("ARG BASE\nFROM ${BASE}\nRUN echo the cause of it && exit 3\n")
    with pytest.raises(UserProblem, match=r"(?s)A step .* failed.*the cause of it.*code: 3"):
        await ensure(docker_engine, small, tmp_path / "image.lock", [])


class NoRegistry(DockerEngine):
    """An engine without any image of ours, whose registry refuses."""

    async def image(self, reference: str) -> Image | None:
        return None

    async def pull(self, reference: str) -> None:
        raise EngineRefused("no such host")


@pytest.mark.engine
async def test_without_a_registry_and_debootstrap_the_mend_is_named(
    docker_host: str | None, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda *args, **more: None)
    engine = NoRegistry(docker_host)
    said: list[str] = []
    try:
        with pytest.raises(UserProblem) as caught:
            await ensure(engine, folder, tmp_path / "image.lock", said)
    finally:
        await engine.close()
    assert "install debootstrap" in caught.value.mend
    assert any("no such host" in line for line in said)


# ── what is in it ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def box(
    docker_engine: DockerEngine, sandbox_image: Image, docker_label: str
) -> AsyncIterator[str]:
    name, _, value = docker_label.partition("=")
    spec = BoxSpec(
        image=sandbox_image.id,
        labels={name: value},
        command=("cat",),
        shm_bytes=256 * 1024 * 1024,
        memory_bytes=1024 * 1024 * 1024,
    )
    box = await docker_engine.create(spec)
    lease = await docker_engine.attach(box)
    await docker_engine.start(box)
    yield box
    await lease.close()
    await docker_engine.remove(box)


async def output(engine: DockerEngine, box: str, script: str, user: str = STEP_USER) -> str:
    home = {"65002": "/home/codegenapp", "65003": "/tmp"}[user.partition(":")[0]]
    execution = await engine.execute(
        box, ("sh", "-ec", script), user=user, environment={"HOME": home}
    )
    said = b""
    async with asyncio.timeout(60):
        while (chunk := await execution.read()) is not None:
            said += chunk
        while (code := await execution.exit_code()) is None:
            pass
    await execution.close()
    assert code == 0, said.decode()
    return said.decode()


@pytest.mark.engine
async def test_the_tools_of_a_project_are_there(docker_engine: DockerEngine, box: str) -> None:
    said = await output(
        docker_engine,
        box,
        "for tool in python python3 node npm pnpm yarn git gcc make pkg-config curl ps; do "
        'printf "%s " $tool; $tool --version | head -n 1; done; id -un; echo $HOME',
    )
    lines = dict(line.split(" ", 1) for line in said.splitlines()[:-2])
    assert lines["python"].startswith("Python 3.13")
    assert lines["node"].startswith("v20.")
    assert lines["pnpm"].startswith("9.")
    assert lines["yarn"].startswith("1.")
    assert len(lines) == 12
    assert said.splitlines()[-2:] == ["app", "/home/codegenapp"]


@pytest.mark.engine
async def test_a_step_installs_below_its_home_and_cannot_change_ours(
    docker_engine: DockerEngine, box: str
) -> None:
    said = await output(
        docker_engine,
        box,
        "mkdir -p /tmp/p/one && cd /tmp/p && echo 'x = 1' > one/__init__.py\n"
        'printf \'[project]\\nname = "one"\\nversion = "1"\\n\' > pyproject.toml\n'
        "pip config list; npm config get prefix; echo $PATH\n"
        "find / -xdev -path /proc -prune -o -user app -print 2>/dev/null | head -n 20\n"
        "test ! -w /opt/codegenapp && test ! -w /opt/codegenapp/probe.py && test ! -w /etc/passwd\n"
        "find /opt/codegenapp ! -user root -o -perm -0002 ! -type l | head -n 3",
    )
    assert ":env:.break-system-packages='1'" in said
    assert "/home/codegenapp/.local\n" in said
    assert "\n/home/codegenapp/.local/bin:/usr/local/sbin" in said
    assert "/opt/codegenapp" not in said


@pytest.mark.engine
async def test_native_modules_find_their_headers_without_a_download(
    docker_engine: DockerEngine, box: str
) -> None:
    await output(docker_engine, box, 'test -f "$npm_config_nodedir/include/node/node.h"')
    await output(
        docker_engine,
        box,
        "test -f $(python3-config --includes | cut -c3- | cut -d' ' -f1)/Python.h",
    )


SCREENSHOT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    page = browser.new_page()
    page.set_content("<h1>Hello \U0001f600</h1><input>")
    page.add_script_tag(path="/opt/codegenapp/axe/axe.min.js")
    found = page.evaluate("async () => (await axe.run()).violations.map(one => one.id)")
    assert "label" in found, found
    assert page.screenshot()[:4] == b"\\x89PNG"
    browser.close()
print("seen")
"""


@pytest.mark.engine
async def test_the_browser_and_axe_look_at_a_page(docker_engine: DockerEngine, box: str) -> None:
    script = f"/opt/codegenapp/venv/bin/python - <<'EOF'\n{SCREENSHOT}\nEOF"
    assert (await output(docker_engine, box, script, "65003:65003")).endswith("seen\n")


@pytest.mark.engine
async def test_the_probe_greets(docker_engine: DockerEngine, box: str) -> None:
    said = await output(
        docker_engine, box, ": | python3 -I /opt/codegenapp/probe.py", "65003:65003"
    )
    assert said.startswith('{"type":"hello","protocol":1}')
