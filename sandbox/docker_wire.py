"""The wire to a Docker engine: bounded calls, and every failure as one of three faults.

A call names the path of Docker's HTTP API. aiodocker finds the engine (address, context, TLS, SSH),
agrees on the version of the API, and takes streams over; what its public verbs lack (an import from
a stream, one-shot statistics, a log that tells its end from a hang-up) is asked for here by path,
and so is the rest, that there be one way to ask.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import Any

import aiohttp
from aiodocker import Docker, DockerError
from aiodocker.execs import Exec
from aiodocker.stream import Stream

from sandbox.engine import EngineFault, EngineGone, EngineRefused, EngineSlow, NotThere

Parameters = Mapping[str, str | int]

FOREVER = float("inf")
"""The bound of what may take as long as it likes."""

UNREACHABLE = 900
"""What aiodocker calls the status of an answer that never came."""

JSON = "application/json"
TAR = "application/x-tar"

NO_INIT = "docker-init"


class Wire:
    """One client of one engine, for one event loop; it connects on first use.

    ``call_timeout`` bounds a call that should answer at once, ``slow_timeout`` the silence of one
    that works for long (commit, import, build, pull); both in seconds.
    """

    def __init__(self, docker_host: str | None, call_timeout: float, slow_timeout: float) -> None:
        self._docker_host = docker_host
        self._docker: Docker | None = None
        self.call_timeout = call_timeout
        self.slow_timeout = slow_timeout

    @property
    def docker(self) -> Docker:
        """The client, made when it is first needed, since it belongs to the running loop."""
        if self._docker is None:
            try:
                self._docker = Docker(self._docker_host)
            except (AssertionError, ValueError, DockerError) as error:
                # AssertionError is how aiodocker says that it found no socket to try.
                raise EngineGone(self._gone(str(error) or "no socket found")) from error
            # A validation holds some seven connections for as long as it runs, and aiohttp's usual
            # limit of 100 would make the fifteenth wait for another's end.
            self._docker.connector._limit = 0  # noqa: SLF001 - aiodocker has no argument for it
        return self._docker

    @property
    def address(self) -> str:
        """Where the engine is, as a person would type it."""
        if self._docker_host is None and self._docker is not None:
            connector = self._docker.connector
            if isinstance(connector, aiohttp.UnixConnector):
                return f"unix://{connector.path}"
            return self._docker.docker_host
        return self._docker_host or "its usual address"

    async def close(self) -> None:
        """Give the connections back; the wire may be used again."""
        if self._docker is not None:
            await self._docker.close()
            self._docker = None

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    async def call(
        self,
        method: str,
        path: str,
        parameters: Parameters | None = None,
        body: object = None,
        *,
        seconds: float | None = None,
    ) -> Any:
        """Ask once, within a call's time or ``seconds``; the answer's JSON, None where empty."""
        async with (
            self.bounded(seconds or self.call_timeout),
            self._answer(method, path, parameters, _encoded(body)) as response,
        ):
            text = await response.read()
        return json.loads(text) if text.strip() else None

    async def upload(
        self,
        method: str,
        path: str,
        parameters: Parameters,
        content: AsyncIterator[bytes],
    ) -> list[Any]:
        """Send a stream; gives the JSON objects of the answer.

        The engine may take ``call_timeout`` for each chunk and ``slow_timeout`` after the last.
        What ``content`` raises is raised as it is: it is not the engine's fault.
        """
        faults: list[Exception] = []
        async with (
            self.bounded(self.call_timeout) as deadline,
            aclosing(self._metered(content, deadline, faults)) as chunks,
        ):
            try:
                async with self._answer(method, path, parameters, chunks, TAR) as response:
                    text = await response.read()
            except (DockerError, aiohttp.ClientError, OSError):
                # aiohttp reports a failing source as a lost connection.
                if faults:
                    raise faults[0] from None
                raise
        answers = [json.loads(line) for line in text.splitlines() if line.strip()]
        for answer in answers:
            raise_for_error(answer)
        return answers

    async def _metered(
        self, content: AsyncIterator[bytes], deadline: asyncio.Timeout, faults: list[Exception]
    ) -> AsyncGenerator[bytes, None]:
        """The same chunks; each that the engine takes moves the deadline."""
        clock = asyncio.get_running_loop().time
        try:
            async for chunk in content:
                if not deadline.expired():
                    deadline.reschedule(clock() + self.call_timeout)
                yield chunk
        except Exception as error:
            faults.append(error)
            raise
        if not deadline.expired():
            deadline.reschedule(clock() + self.slow_timeout)

    async def objects(
        self,
        method: str,
        path: str,
        parameters: Parameters,
        tar: bytes | None = None,
        *,
        silence: float,
    ) -> AsyncGenerator[Any, None]:
        """The JSON objects of a streamed answer, as they come; ``silence`` bounds each wait.

        The stream's end is the end of the iteration: whoever expects a last word looks for it.
        """
        async with AsyncExitStack() as stack:
            async with self.bounded(silence):
                answer = self._answer(method, path, parameters, tar, TAR if tar else JSON)
                response = await stack.enter_async_context(answer)
            rest = b""
            while True:
                async with self.bounded(silence):
                    chunk = await response.content.readany()
                if not chunk:
                    break
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
            if rest.strip():
                yield json.loads(rest)

    def output_of(self, execution: str) -> Stream:
        """The output of an execution that waits for its start; opening the stream starts it."""
        # Told that there is no terminal, aiodocker need not ask the engine first.
        return Exec(self.docker, execution, tty=False).start(detach=False)

    async def opened(self, stream: Stream) -> Stream:
        """Really open a stream of aiodocker's, which by itself would wait for its first use."""
        async with self.bounded(self.call_timeout):
            try:
                return await stream.__aenter__()
            except BaseException:
                await closed(stream)
                raise

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        parameters: Parameters | None,
        data: bytes | AsyncIterator[bytes] | None,
        content_type: str = JSON,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        query = self.docker._query(  # noqa: SLF001 - the one door to paths without a public verb
            path,
            method,
            params=dict(parameters or {}),
            data=data,
            headers={"Content-Type": content_type},
        )
        async with query as response, response:
            yield response

    # ── faults ───────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def bounded(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """Bound what is inside, and turn what it raises into the engine's faults."""
        try:
            limit = None if seconds == FOREVER else seconds
            async with asyncio.timeout(limit) as deadline:
                yield deadline
        except EngineFault:
            raise
        except TimeoutError as error:
            raise EngineSlow(self._gone(f"no answer within {seconds:g} s")) from error
        except DockerError as error:
            raise self._fault(error) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise EngineGone(self._gone(str(error) or "it hung up")) from error

    def _fault(self, error: DockerError) -> EngineFault:
        if error.status == UNREACHABLE:
            return EngineGone(self._gone(error.message))
        if error.status == 404:
            return NotThere(error.message, 404)
        if NO_INIT in error.message:
            return EngineRefused(
                f"The container engine has no {NO_INIT}, under which boxes run. Docker's packages "
                f"bring it; else put tini in the engine's PATH by that name, and restart the "
                f"engine. The engine said: {error.message}",
                error.status,
            )
        return EngineRefused(error.message, error.status)

    def hung_up(self) -> EngineGone:
        """The fault of a stream that ended before its last word."""
        return EngineGone(self._gone("it hung up in the middle of an answer"))

    def _gone(self, detail: str) -> str:
        # aiodocker wraps the system's few words in its own and aiohttp's: "… [… [No such file]]".
        words = detail.rstrip("]").rsplit("[", 1)[-1]
        return (
            f"The container engine at {self.address} does not answer ({words}). Start it, see "
            f"that this user may open its socket, or set DOCKER_HOST to where it listens."
        )


async def closed(stream: Stream) -> None:
    """Close a stream of aiodocker's; one that is closed already, on either side, is fine."""
    with suppress(AssertionError, OSError):  # aiodocker asserts that the engine was not first
        await stream.close()


def raise_for_error(answer: Any) -> None:
    """Raise what a streamed answer, its HTTP status long sent, says about its failure."""
    if isinstance(answer, dict) and "error" in answer:
        raise EngineRefused(str(answer["error"]))


def _encoded(body: object) -> bytes | None:
    return None if body is None else json.dumps(body).encode()
