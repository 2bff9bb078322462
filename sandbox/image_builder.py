"""The sandbox's own image: built from ``sandbox/image/`` where the engine does not have it.

The image is tagged by the content of its folder, so a change there is a new image and an
unchanged folder costs one question. Its base comes from a registry; where none answers,
debootstrap makes it on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import io
import re
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bot.domain.problems import UserProblem
from bot.ports.clock import Clock
from sandbox.base_system import make_base_system
from sandbox.engine import Engine, EngineGone, EngineRefused, Image

REPOSITORY = "codegenapp/sandbox"
PUBLIC_BASE = "debian:trixie-slim"
OWN_BASE = "codegenapp/base:trixie"
CA_BUNDLE = "ca-bundle.crt"

PULL_SECONDS = 120.0
BUILD_SECONDS = 2400.0
LOCK_SECONDS = 3600.0
LOCK_POLL_SECONDS = 0.25

FORWARDED = ("PIP_INDEX_URL", "NPM_CONFIG_REGISTRY")
STEP = re.compile(r"Step (\d+/\d+) : (.{1,70})")

Progress = Callable[[str], None]


def image_files(folder: Path) -> dict[str, bytes]:
    """The files of an image's folder by their relative path, in order; no bytecode."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def content_tag(folder: Path) -> str:
    """The image's tag: a hash of its folder's paths and contents.

    Modes are left out: the build's context has the same ones whatever a checkout's umask was.
    """
    digest = hashlib.sha256()
    for name, data in image_files(folder).items():
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


async def ensure_image(
    engine: Engine,
    folder: Path,
    *,
    ca_bundle: bytes | None,
    build_arguments: Mapping[str, str],
    progress: Progress,
    labels: Mapping[str, str],
    lock: Path,
    clock: Clock,
) -> Image:
    """The image of ``folder``, built first where it is missing; one process builds at a time.

    ``ca_bundle`` is PEM text that the build trusts beside nothing else, None for the image's own.
    ``build_arguments`` are addresses of package indexes; what is not one of ``FORWARDED``, or no
    plain http(s) URL, is left out (an image keeps its arguments, so no password may be in one).
    ``lock`` is a file of this machine; its folder also takes the base system while it is made.

    Raises UserProblem where the image can't be built here, with the failing step's last lines,
    and EngineGone where the engine went away.
    """
    tag = content_tag(folder)
    if image := await engine.image(tag):
        return image
    async with _alone(lock, clock, progress):
        if image := await engine.image(tag):
            return image
        try:
            async with asyncio.timeout(BUILD_SECONDS):
                base = await ensure_base(engine, lock.parent, labels, progress)
                arguments = {"BASE": base, **forwarded(build_arguments)}
                progress(f"building the sandbox image {tag} (some minutes, once)")
                context = build_context(folder, ca_bundle or b"")
                await _build(engine, context, tag, labels, arguments, progress)
        except TimeoutError:
            raise UserProblem(
                f"The sandbox image was not built within {BUILD_SECONDS / 60:.0f} minutes.",
                "Try again; what was built is kept by the engine.",
            ) from None
    image = await engine.image(tag)
    if image is None:
        raise EngineGone(f"the engine built {tag} and does not have it")
    return image


def forwarded(arguments: Mapping[str, str]) -> dict[str, str]:
    """Those addresses of package indexes that a build may be given."""
    return {name: value for name in FORWARDED if _plain_url(value := arguments.get(name, ""))}


def _plain_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def build_context(folder: Path, ca_bundle: bytes) -> bytes:
    """The tar of a build's context: the folder's files and the trusted certificates, root's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in {**image_files(folder), CA_BUNDLE: ca_bundle}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@contextlib.asynccontextmanager
async def _alone(lock: Path, clock: Clock, progress: Progress) -> AsyncIterator[None]:
    """Hold the lock file, across processes; the kernel lets go of it when a process dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as file:
        told = False
        try:
            async with asyncio.timeout(LOCK_SECONDS):
                while not _locked(file.fileno()):
                    if not told:
                        progress("another process builds the sandbox image; waiting for it")
                    told = True
                    await clock.sleep(LOCK_POLL_SECONDS)
        except TimeoutError:
            raise UserProblem(
                "Another process has been building the sandbox image for an hour.",
                f"If it hangs, end it; it holds {lock}.",
            ) from None
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def ensure_base(
    engine: Engine, folder: Path, labels: Mapping[str, str], progress: Progress
) -> str:
    """The tag of a base that the engine has, after pulling or making it where need be."""
    for tag in (PUBLIC_BASE, OWN_BASE):
        if await engine.image(tag):
            return tag
    progress(f"pulling {PUBLIC_BASE}")
    try:
        async with asyncio.timeout(PULL_SECONDS):
            await engine.pull(PUBLIC_BASE)
        return PUBLIC_BASE
    except (EngineRefused, EngineGone, TimeoutError) as fault:
        reason = str(fault).splitlines()[0][:200] if str(fault) else "no answer in time"
        progress(f"no registry gave it ({reason}); making it with debootstrap")
    async with make_base_system(folder, progress) as system:
        await engine.import_image(system, OWN_BASE, labels=labels)
    return OWN_BASE


async def _build(
    engine: Engine,
    context: bytes,
    tag: str,
    labels: Mapping[str, str],
    arguments: Mapping[str, str],
    progress: Progress,
) -> None:
    try:
        async for line in engine.build(context, tag, labels=labels, arguments=arguments):
            if step := STEP.match(line):
                progress(f"step {step[1]}: {step[2]}")
    except EngineRefused as refused:
        raise UserProblem(
            f"A step of the sandbox image failed:\n{refused}",
            "It needs Debian's, PyPI's and npm's packages; check the network and try again.",
        ) from refused
