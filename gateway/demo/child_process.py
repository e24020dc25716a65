"""Runs the demo services in a child process, apart from the gateway.

The child watches one end of a pipe and stops when the parent closes the other end, so it never
outlives the parent, even if the parent is killed.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvloop

from gateway.demo.identity import DevelopmentIssuer
from gateway.demo.serve_demo import PortUnavailable, serve_demo

_START_TIMEOUT_SECONDS = 30
_STOP_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class DemoProcess:
    """A running demo: the base URL of each service by name, and a token for its user."""

    urls: dict[str, str]
    token: str


@asynccontextmanager
async def run_demo_process(
    *, latency_ms: float, ports: Mapping[str, int], user: str, scopes: Sequence[str]
) -> AsyncIterator[DemoProcess]:
    """Serve the demo from a child process until the block ends.

    Raises:
        PortUnavailable: a service cannot listen on its port.
        TimeoutError: the child does not start in time.
    """
    spawn = multiprocessing.get_context("spawn")
    parent_end, child_end = spawn.Pipe()
    child = spawn.Process(
        target=_run_child, args=(child_end, latency_ms, dict(ports), user, tuple(scopes)),
        daemon=True,
    )  # fmt: skip
    child.start()
    child_end.close()
    try:
        yield await asyncio.to_thread(_wait_for_start, parent_end)
    finally:
        parent_end.close()
        await asyncio.to_thread(child.join, _STOP_TIMEOUT_SECONDS)
        if child.exitcode is None:
            child.kill()


def _wait_for_start(pipe: Connection) -> DemoProcess:
    if not pipe.poll(_START_TIMEOUT_SECONDS):
        raise TimeoutError(f"the demo services did not start within {_START_TIMEOUT_SECONDS} s")
    message = pipe.recv()
    if isinstance(message, Exception):
        raise message
    assert isinstance(message, DemoProcess)  # noqa: S101 - the child sends one of these two
    return message


def _run_child(
    pipe: Connection, latency_ms: float, ports: dict[str, int], user: str, scopes: tuple[str, ...]
) -> None:
    """Run in the child: serve, send the URLs, wait until the parent closes its end of the pipe."""
    # Ctrl-C signals the whole process group. The child ignores it: the parent decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def serve() -> None:
        issuer = DevelopmentIssuer()
        try:
            async with serve_demo(latency_ms=latency_ms, ports=ports, issuer=issuer) as urls:
                pipe.send(DemoProcess(urls, issuer.issue_token(user, scopes=scopes)))
                await _wait_until_closed(pipe)
        except PortUnavailable as error:
            pipe.send(error)

    uvloop.run(serve())


async def _wait_until_closed(pipe: Connection) -> None:
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe.fileno(), closed.set)
    await closed.wait()
    loop.remove_reader(pipe.fileno())
