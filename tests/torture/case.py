"""A test case: what a hostile server does, and the outcome expected from each transport."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx

from tests.gateway.transport.scripted_server import Peer, Script

Server = Literal["plain", "trusted", "other host", "expired", "self-signed", "unknown authority"]
ConnectionFate = Literal["reused", "closed", "poisoned"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one call, and what happens to its connection afterwards.

    `error` is None if the call returned a response with `status` and `body`. `connection` is
    `reused` if the next call succeeds over it, `closed` if the client closed it, and `poisoned` if
    the next call fails because of leftover bytes or receives them as its response.
    """

    error: type[Exception] | None = None
    status: int = 0
    body: bytes = b""
    connection: ConnectionFate = "closed"


def accept(body: bytes = b"hello", *, status: int = 200) -> Outcome:
    """Expect a response, and that the next call reuses the connection."""
    return Outcome(None, status, body, "reused")


def accept_then_close(body: bytes = b"hello", *, status: int = 200) -> Outcome:
    """Expect a response, and that the client closes the connection."""
    return Outcome(None, status, body)


def accept_then_poison(body: bytes = b"hello", *, status: int = 200) -> Outcome:
    """Expect a response, and that leftover bytes corrupt the next call."""
    return Outcome(None, status, body, "poisoned")


PROTOCOL_ERROR = Outcome(httpx.RemoteProtocolError)
READ_ERROR = Outcome(httpx.ReadError)
READ_TIMEOUT = Outcome(httpx.ReadTimeout)
CONNECT_ERROR = Outcome(httpx.ConnectError)


@dataclass(frozen=True, slots=True)
class Call:
    """The request that the client sends.

    `timeout` is in seconds and applies to reading and to writing. `warm` means that the
    connection has already served one request. An empty `scheme` is the server's own.
    """

    method: str = "GET"
    content: bytes = b""
    scheme: Literal["", "http", "https"] = ""
    timeout: float = 5.0
    warm: bool = False


GET = Call()
HEAD = Call("HEAD")


@dataclass(frozen=True, slots=True)
class Case:
    """What the server does on its first connection, and what each transport makes of it.

    `expected` is the outcome with Lockgate's transport. `expected_httpx` is the outcome with
    httpx's; None means the same. `reason` says in one sentence why the two differ.
    `request_count` is how many requests the server receives. `known_bug` describes a defect of
    Lockgate that makes the case fail today. `response` holds the bytes that the server sends, if
    it does nothing else after them.
    """

    name: str
    script: Script
    expected: Outcome
    expected_httpx: Outcome | None = None
    reason: str = ""
    call: Call = GET
    server: Server = "plain"
    request_count: int = 1
    known_bug: str = ""
    response: bytes = b""

    def __post_init__(self) -> None:
        """Check that the case has a reason exactly when the two transports differ.

        Raises:
            ValueError: a difference has no reason, a reason has no difference, or the case allows
                Lockgate to poison a connection.
        """
        if (self.expected_httpx not in (None, self.expected)) != bool(self.reason):
            raise ValueError(f"{self.name}: a difference needs a reason, and a reason a difference")
        if self.expected.connection == "poisoned":
            raise ValueError(f"{self.name}: Lockgate must never poison a connection")


def make_case(
    name: str,
    response: bytes,
    expected: Outcome,
    expected_httpx: Outcome | None = None,
    reason: str = "",
    *,
    call: Call = GET,
    then: Callable[[Peer], None] | None = None,
    known_bug: str = "",
) -> Case:
    """Make a case whose server reads the request, sends `response` and then runs `then`.

    Without `then` the server keeps the connection open.
    """

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.drip([response])
        if then is not None:
            then(peer)

    return Case(
        name,
        script,
        expected,
        expected_httpx,
        reason,
        call,
        known_bug=known_bug,
        response=b"" if then else response,
    )


def close(peer: Peer) -> None:
    """Close the connection with FIN."""
    peer.writer.close()


def reset(peer: Peer) -> None:
    """Reset the connection with RST."""
    peer.reset()
