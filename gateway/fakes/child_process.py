"""Runs fake services in a child process, apart from the gateway.

The child watches one end of a pipe and stops when the parent closes the other end, so it never
outlives the parent, even if the parent is killed.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvloop

from gateway.fakes.dials import add_dials
from gateway.fakes.identity_endpoints import OPERATOR, OPS_AUDIENCE
from gateway.fakes.identity_provider import DevelopmentIssuer
from gateway.fakes.load_fakes import load_fakes
from gateway.fakes.serve_fakes import PortUnavailable, serve_fakes
from gateway.settings.app_package import AppPackage
from gateway.startup_error import StartupError

_START_TIMEOUT_SECONDS = 30
_STOP_TIMEOUT_SECONDS = 5


class FakesFailed(StartupError):
    """The process of the fakes did not start. Its own error is on standard error."""


@dataclass(frozen=True, slots=True)
class FakesPlan:
    """The plan of the child: fakes of a package for these services, and an identity provider.

    `ports` has a port by the name of the service; a service without one listens on any free port.
    The identity provider issues tokens for `user` with `scopes`, unless the request names others.
    The operator gets a token with `operator_scopes`.
    """

    package: AppPackage
    services: Collection[str]
    ports: Mapping[str, int]
    identity_port: int
    latency_ms: float
    user: str
    scopes: Sequence[str]
    operator_scopes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RunningFakes:
    """The base URL of each fake service by name, that of the identity provider, and two tokens."""

    urls: dict[str, str]
    identity_url: str
    token: str
    operator_token: str


@asynccontextmanager
async def run_fakes(plan: FakesPlan) -> AsyncIterator[RunningFakes]:
    """Serve fakes from a child process until the block ends.

    Raises:
        PortUnavailable: a fake or the identity provider cannot listen on its port.
        FakesFailed: the child ended, or did not start in time.
    """
    spawn = multiprocessing.get_context("spawn")
    parent_end, child_end = spawn.Pipe()
    child = spawn.Process(target=_run_child, args=(child_end, plan), daemon=True)
    child.start()
    child_end.close()
    try:
        yield await asyncio.to_thread(_wait_for_start, parent_end)
    finally:
        parent_end.close()
        await asyncio.to_thread(child.join, _STOP_TIMEOUT_SECONDS)
        if child.exitcode is None:
            child.kill()
            await asyncio.to_thread(child.join)


def _wait_for_start(pipe: Connection) -> RunningFakes:
    if not pipe.poll(_START_TIMEOUT_SECONDS):
        raise FakesFailed(f"the fake services did not start within {_START_TIMEOUT_SECONDS} s")
    try:
        message = pipe.recv()
    except EOFError:
        raise FakesFailed("the process of the fake services ended while it started") from None
    if isinstance(message, Exception):
        raise message
    assert isinstance(message, RunningFakes)  # noqa: S101 - the child sends one of these two
    return message


def _run_child(pipe: Connection, plan: FakesPlan) -> None:
    """Run in the child: serve, send the URLs, wait until the parent closes its end of the pipe."""
    # Ctrl-C signals the whole process group. The child ignores it: the parent decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        uvloop.run(_serve_plan(pipe, plan))
    except PortUnavailable as error:
        pipe.send(error)


async def _serve_plan(pipe: Connection, plan: FakesPlan) -> None:
    fakes = load_fakes(plan.package)
    fakes = {name: app for name, app in fakes.items() if name in plan.services}
    issuer = DevelopmentIssuer()
    identity = {"identity": issuer.create_app(default_user=plan.user, default_scopes=plan.scopes)}
    async with (
        serve_fakes(identity, ports={"identity": plan.identity_port}) as identity_urls,
        serve_fakes(add_dials(fakes, plan.latency_ms), ports=plan.ports) as urls,
    ):
        token = issuer.issue_token(plan.user, scopes=plan.scopes)
        operator_token = issuer.issue_token(
            OPERATOR, scopes=plan.operator_scopes, audience=OPS_AUDIENCE
        )
        pipe.send(RunningFakes(urls, identity_urls["identity"], token, operator_token))
        await _wait_until_closed(pipe)


async def _wait_until_closed(pipe: Connection) -> None:
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe.fileno(), closed.set)
    await closed.wait()
    loop.remove_reader(pipe.fileno())
