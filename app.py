"""The composition root: settings, adapters, sandbox, command line. It wires, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from assembly.analysis import advisers
from assembly.demonstration import demonstrated
from assembly.hands import Bench
from assembly.serving import examined, explaining, letters, serving
from bot.adapters.clock import SystemClock
from bot.adapters.git.remote import Authorization
from bot.adapters.git.source import GitSource
from bot.adapters.render import TemplateRenderer
from bot.cli.application import make_application
from bot.cli.wiring import Say, Wiring, Workbench
from bot.domain.problems import UserProblem
from bot.log import configure, get_logger
from bot.ports.sandbox import SandboxUnavailable
from bot.services.validation_pipeline import ValidationPipeline
from bot.settings import Settings, SettingsError
from sandbox.boxes import BoxSandbox
from sandbox.closed import own_addresses
from sandbox.docker import DockerEngine
from sandbox.egress import Egress
from sandbox.engine import Engine, EngineRefused, Image, Kind
from sandbox.equipment import Equipment
from sandbox.guard import OutOfMemoryEvents
from sandbox.image_builder import ensure_image
from sandbox.ownership import INSTALLATION, Owner, deadline_in
from sandbox.snapshots import Snapshots

HERE = Path(__file__).resolve().parent
IMAGE_FOLDER = HERE / "sandbox" / "image"
IMAGE_LIFETIME_SECONDS = 10 * 365 * 24 * 3600.0
GIGABYTE = 1024**3
BAD_USAGE = 2


@asynccontextmanager
async def workbench(
    settings: Settings, say: Say, authorization: Authorization | None = None
) -> AsyncIterator[Workbench]:
    """A sandbox on this machine's engine, and a pipeline on it, until the block ends."""
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        engine = DockerEngine(settings.docker_host)
        stack.push_async_callback(engine.close)
        owner = Owner.claim(settings.home)
        stack.callback(owner.release)
        ca_bundle = settings.ca_bundle.read_bytes() if settings.ca_bundle else b""

        images: list[Image] = []

        async def own_image() -> Image:
            if not images:
                images.append(await find_image(settings, engine, owner, clock, ca_bundle, say))
            return images[0]

        egress = Egress(
            engine,
            owner,
            clock,
            own_image,
            settings.index_variables,
            refused_addresses=own_addresses(),
        )
        stack.push_async_callback(egress.close)
        events = OutOfMemoryEvents(engine, f"{INSTALLATION}={owner.installation}")
        stack.push_async_callback(events.close)
        limit = int(settings.snapshot_cache_gb * GIGABYTE)
        sandbox = BoxSandbox(
            Equipment(
                engine=engine,
                owner=owner,
                clock=clock,
                home=settings.home,
                own_image=own_image,
                egress=egress,
                events=events,
                snapshots=Snapshots(engine, owner, limit, clock),
                ca_bundle=ca_bundle,
                index_variables=settings.index_variables,
                kept_seconds=settings.auto_cleanup_hours * 3600.0,
            )
        )
        source = GitSource(
            clock,
            environment=settings.environ,
            ca_bundle=settings.ca_bundle,
            authorization=authorization,
        )
        await source.sweep()
        told = await stack.enter_async_context(
            advisers(settings, TemplateRenderer(HERE / "templates"), clock)
        )
        pipeline = ValidationPipeline(source, sandbox, clock, told.analyst, told.explorations)
        yield Workbench(pipeline, sandbox, engine.info)


async def find_image(
    settings: Settings, engine: Engine, owner: Owner, clock: SystemClock, ca: bytes, say: Say
) -> Image:
    """The sandbox's image: the one that the settings name, or our own, built where it is missing.

    Raises SandboxUnavailable with the mend where it can't be had.
    """
    if settings.sandbox_image:
        image = await engine.image(settings.sandbox_image)
        if image is None:
            raise SandboxUnavailable(
                f"the engine has no image {settings.sandbox_image} (SANDBOX_IMAGE): "
                "pull it, or unset the variable"
            )
        return image
    deadline = deadline_in(clock.now(), IMAGE_LIFETIME_SECONDS)
    try:
        return await ensure_image(
            engine,
            IMAGE_FOLDER,
            ca_bundle=ca or None,
            build_arguments=settings.index_variables,
            progress=say,
            labels=owner.labels(Kind.IMAGE, "image", deadline),
            lock=settings.home / "image.lock",
            clock=clock,
        )
    except (UserProblem, EngineRefused) as problem:
        raise SandboxUnavailable(str(problem)) from problem


def log_line(text: str) -> None:
    """Tell what is waited for, where nobody looks at a terminal."""
    if text:
        get_logger().info(text)


def main() -> None:
    """The command line."""
    try:
        settings = Settings.from_env(os.environ)  # noqa: TID251 - handed over here, read there
    except SettingsError as error:
        sys.stderr.write("".join(f"codegenapp: {fault}\n" for fault in error.faults))
        raise SystemExit(BAD_USAGE) from None
    serves = sys.argv[1:2] == ["serve"]
    configure(settings.log_level or ("info" if serves else "warning"), settings.log_format)
    settings.home.mkdir(parents=True, exist_ok=True)
    renderer = TemplateRenderer(HERE / "templates")

    def bench_of(settings: Settings) -> Bench:
        return lambda authorization: workbench(settings, log_line, authorization)

    wiring = Wiring(
        workbench=lambda say: workbench(settings, say),
        renderer=renderer,
        serve=lambda role: serving(settings, renderer, bench_of(settings), role),
        examined=lambda: examined(settings),
        letters=lambda: letters(settings, renderer),
        explain=lambda name, number: explaining(settings, renderer, name, number),
        secret=settings.secret,
        maximum_timeout_minutes=settings.validation_timeout_minutes,
        demo=lambda folder: demonstrated(settings, renderer, bench_of, folder),
    )
    try:
        make_application(wiring)()
    except (SandboxUnavailable, UserProblem) as problem:
        sys.stderr.write(f"codegenapp: {problem}\n")
        raise SystemExit(BAD_USAGE) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
