"""The demo services in a process of their own, as real ones are.

The child lives as long as its end of a pipe: however the parent ends, the child ends too.
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

_START_SECONDS = 30
_STOP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class DemoProcess:
    """The demo as it runs: the base URL of each service by name, and a token for its user."""

    urls: dict[str, str]
    token: str


@asynccontextmanager
async def run_demo_process(
    *, latency_ms: float, ports: Mapping[str, int], user: str, scopes: Sequence[str]
) -> AsyncIterator[DemoProcess]:
    """Serve the demo from a child process for the length of the block.

    Raises:
        PortUnavailable: one of the ports cannot be had.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    child = spawn.Process(
        target=_main, args=(theirs, latency_ms, dict(ports), user, tuple(scopes)), daemon=True
    )
    child.start()
    theirs.close()
    try:
        yield await asyncio.to_thread(_started, ours)
    finally:
        ours.close()
        await asyncio.to_thread(child.join, _STOP_SECONDS)
        if child.exitcode is None:
            child.kill()


def _started(pipe: Connection) -> DemoProcess:
    if not pipe.poll(_START_SECONDS):
        raise TimeoutError("the demo services did not start")
    word = pipe.recv()
    if isinstance(word, Exception):
        raise word
    assert isinstance(word, DemoProcess)  # noqa: S101 - the child below says nothing else
    return word


def _main(
    pipe: Connection, latency_ms: float, ports: dict[str, int], user: str, scopes: tuple[str, ...]
) -> None:
    """The child: serve, say where, and wait for the other end of the pipe to close."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too; the parent decides

    async def serve() -> None:
        issuer = DevelopmentIssuer()
        try:
            async with serve_demo(latency_ms=latency_ms, ports=ports, issuer=issuer) as urls:
                pipe.send(DemoProcess(urls, issuer.token(user, scopes=scopes)))
                await _closed(pipe)
        except PortUnavailable as error:
            pipe.send(error)

    uvloop.run(serve())


async def _closed(pipe: Connection) -> None:
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe.fileno(), closed.set)
    await closed.wait()
    loop.remove_reader(pipe.fileno())
