"""A host with several addresses, some of which refuse, reset or do not respond."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import httpx
import pytest
import uvloop

from gateway.transport.happy_eyeballs import (
    MAX_ADDRESSES,
    Attempt,
    HostConnector,
    get_delay,
    interleave,
)
from gateway.transport.resolver import SocketAddress
from gateway.transport.transport import Transport
from tests.gateway.transport.addresses import NAME, black_hole, resolve_to
from tests.gateway.transport.certificate_authority import Authority
from tests.gateway.transport.scripted_server import HELLO, Peer, respond_with

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

pytestmark = pytest.mark.usefixtures("no_leaks")


class Host:
    """Servers on several addresses of one port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.accepted: list[str] = []

    @property
    def url(self) -> str:
        """The URL of the host by its name."""
        return f"http://{NAME}:{self.port}/"


@asynccontextmanager
async def serve(*addresses: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Host]:
    """Serve on each address, all on one free port, until the end of the block."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host.accepted.append(writer.get_extra_info("sockname")[0])
        try:
            await respond_with(HELLO, HELLO, HELLO)(Peer(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    host, servers = Host(0), AsyncExitStack()
    for address in addresses:
        server = await asyncio.start_server(handle, address, host.port, ssl=tls)
        servers.callback(server.close)
        host.port = server.sockets[0].getsockname()[1]
    async with servers:
        yield host


async def send(transport: Transport, url: str, *, connect: float = 5) -> bytes:
    timeout = {"connect": connect, "read": 5}
    request = httpx.Request("GET", url, extensions={"timeout": timeout})
    response = await transport.handle_async_request(request)
    return await response.aread()


async def test_a_first_address_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    async with serve("127.0.0.1") as host, Transport() as transport:
        assert await send(transport, host.url) == b"hello"


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_first_address_that_does_not_respond(
    factory: LoopFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")

    async def main() -> None:
        async with serve("127.0.0.1") as host, Transport() as transport:
            with black_hole("127.0.0.2", host.port):
                assert await send(transport, host.url) == b"hello"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


async def test_ipv6_that_does_not_respond_before_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "::1", "127.0.0.1")
    async with serve("127.0.0.1") as host, Transport() as transport:
        with black_hole("::1", host.port):
            assert await send(transport, host.url) == b"hello"


class Attempts:
    """Attempts of a connector: those to `silent` addresses stay open until they are cancelled."""

    def __init__(self, *silent: str) -> None:
        self.started: list[str] = []
        self.closed: list[str] = []
        self._silent = silent

    async def connect(self, address: SocketAddress) -> str:
        """Connect to an address, whose text is the connection."""
        host = str(address.sockaddr[0])
        self.started.append(host)
        if host in self._silent:
            await asyncio.get_running_loop().create_future()
        return host

    @property
    def attempt(self) -> Attempt[str]:
        """The two functions of the connector."""
        return Attempt(self.connect, self.closed.append)


async def test_an_address_that_was_silent_is_tried_last(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    connector, attempts = HostConnector(NAME, 80), Attempts("127.0.0.2")
    # The call ends before the second address gets its turn: without a memory, every call would.
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connector.connect(attempts.attempt, None), 0.02)
    assert attempts.started == ["127.0.0.2"]
    assert await connector.connect(attempts.attempt, None) == "127.0.0.1"
    assert attempts.started == ["127.0.0.2", "127.0.0.1"]


async def test_an_address_that_was_overtaken_is_tried_last(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    connector, attempts = HostConnector(NAME, 80), Attempts("127.0.0.2")
    assert await connector.connect(attempts.attempt, 0.1) == "127.0.0.1"
    assert await connector.connect(attempts.attempt, 0.1) == "127.0.0.1"
    assert attempts.started == ["127.0.0.2", "127.0.0.1", "127.0.0.1"]


async def test_an_attempt_that_succeeds_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")
    arrived = asyncio.Event()
    closed: list[str] = []

    async def connect(address: SocketAddress) -> str:
        if address.sockaddr[0] == "127.0.0.2":
            arrived.set()
        await arrived.wait()
        return str(address.sockaddr[0])

    winner = await HostConnector(NAME, 80).connect(Attempt(connect, closed.append), 0.02)
    await asyncio.sleep(0.01)
    assert {winner, *closed} == {"127.0.0.1", "127.0.0.2"}


async def test_an_unexpected_error_ends_the_race(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")

    async def connect(_: SocketAddress) -> str:
        raise KeyError("a mistake in the code")

    with pytest.raises(KeyError):
        await HostConnector(NAME, 80).connect(Attempt(connect, print), 1)


@pytest.mark.parametrize("way", ["reset", "closed", "wrong certificate"])
async def test_an_address_that_fails_in_the_tls_handshake(
    way: str, monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")

    async def fail(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if way == "reset":
            Peer(_, writer).reset()
        writer.close()

    wrong = authority.make_server_context("other.test") if way == "wrong certificate" else None
    tls = authority.make_server_context(NAME)
    async with (
        serve("127.0.0.1", tls=tls) as host,
        Transport(tls=authority.make_client_context()) as transport,
        await asyncio.start_server(fail, "127.0.0.2", host.port, ssl=wrong),
    ):
        assert await send(transport, host.url.replace("http", "https")) == b"hello"


async def test_all_addresses_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "::1", "127.0.0.3")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with Transport() as transport:
        with pytest.raises(httpx.ConnectError) as failed:
            await send(transport, f"http://{NAME}:{port}/")
    assert str(failed.value) == (
        f"{NAME}: 127.0.0.2:{port} Connection refused; [::1]:{port} Connection refused; "
        f"127.0.0.3:{port} Connection refused"
    )


async def test_no_address_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.3")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with Transport() as transport:
        with (
            black_hole("127.0.0.2", port),
            black_hole("127.0.0.3", port),
            pytest.raises(httpx.ConnectTimeout) as failed,
        ):
            await send(transport, f"http://{NAME}:{port}/", connect=0.1)
    assert str(failed.value) == (
        f"could not connect to {NAME}:{port} (127.0.0.2:{port}, 127.0.0.3:{port}) within 0.1 s"
    )


async def test_many_addresses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [f"127.0.1.{number}" for number in range(1, 200)]
    resolve_to(monkeypatch, *addresses)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with Transport() as transport:
        with pytest.raises(httpx.ConnectError) as failed:
            await send(transport, f"http://{NAME}:{port}/")
    assert str(failed.value).endswith(f"; and {MAX_ADDRESSES - 4} more")
    assert len(str(failed.value)) < 300


async def test_every_silent_address_gets_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = [f"127.0.2.{number}" for number in range(1, 9)]
    resolve_to(monkeypatch, *silent, "127.0.0.1")
    async with serve("127.0.0.1") as host, Transport() as transport:
        with ExitStack() as holes:
            for address in silent:
                holes.enter_context(black_hole(address, host.port))
            assert await send(transport, host.url, connect=1) == b"hello"


async def test_a_change_in_dns_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve("127.0.0.1", "127.0.0.2") as host, Transport() as transport:
        resolve_to(monkeypatch, "127.0.0.1")
        await send(transport, host.url)
        await send(transport, host.url)  # over the same connection
        resolve_to(monkeypatch, "127.0.0.2")
        await asyncio.gather(*(send(transport, host.url) for _ in range(2)))
    assert host.accepted == ["127.0.0.1", "127.0.0.2"]


def test_families_alternate() -> None:
    def address(text: str) -> SocketAddress:
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        return SocketAddress(family, (text, 80))

    ordered = interleave(map(address, ["::1", "::2", "::3", "10.0.0.1", "10.0.0.2", "::1"]))
    hosts = [one.sockaddr[0] for one in ordered]
    assert hosts == ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]


@pytest.mark.parametrize(
    ("count", "seconds", "delay"),
    [(2, None, 0.25), (2, 1, 0.25), (2, 0.2, 0.1), (5, 1, 0.125), (16, 0.1, 0.01), (1, 0, 0.01)],
)
def test_all_addresses_are_tried_in_the_first_half_of_the_time(
    count: int, seconds: float | None, delay: float
) -> None:
    assert get_delay(count, seconds) == delay
