"""One hostile answer: what a server does, and what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx

from tests.gateway.transport.scripted_server import Peer, Script

Server = Literal["plain", "proper", "other host", "expired", "self-signed", "unknown authority"]
After = Literal["kept", "closed", "poisoned"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a caller gets, and what becomes of the connection.

    It is `kept` for another call, `closed`, or `poisoned`: the next call fails by it, or is given
    what this one left over.
    """

    error: type[Exception] | None = None
    status: int = 0
    body: bytes = b""
    after: After = "closed"


def whole(body: bytes = b"hello", *, status: int = 200) -> Outcome:
    """An answer, and a connection that can be used again."""
    return Outcome(None, status, body, "kept")


def last(body: bytes = b"hello", *, status: int = 200) -> Outcome:
    """An answer, the last one over its connection."""
    return Outcome(None, status, body)


def poisoned(body: bytes = b"hello", *, status: int = 200) -> Outcome:
    """An answer, after which the next call gets another's."""
    return Outcome(None, status, body, "poisoned")


REFUSED = Outcome(httpx.RemoteProtocolError)
BROKEN = Outcome(httpx.ReadError)
LATE = Outcome(httpx.ReadTimeout)
UNPROVEN = Outcome(httpx.ConnectError)


@dataclass(frozen=True, slots=True)
class Asked:
    """The call a case is an answer to.

    `patience` is seconds for each wait; `warm` if the connection has served before.
    """

    method: str = "GET"
    content: bytes = b""
    scheme: Literal["", "http", "https"] = ""
    patience: float = 5.0
    warm: bool = False


GET = Asked()
HEAD = Asked("HEAD")


@dataclass(frozen=True, slots=True)
class Case:
    """What the server does to its first connection, what ours makes of it, and what httpx.

    `theirs` None: the same. Where they differ, `why` says the reason in a sentence. `sendings`
    is how often the request arrives. `bug` says what ours does wrong, as long as it does.
    `sent` is what the server sends where that is all it does.
    """

    name: str
    does: Script
    ours: Outcome
    theirs: Outcome | None = None
    why: str = ""
    asked: Asked = GET
    server: Server = "plain"
    sendings: int = 1
    bug: str = ""
    sent: bytes = b""

    def __post_init__(self) -> None:
        """Check that every difference has its reason, and nothing else has one.

        Raises:
            ValueError: it is not so, or the case allows what nothing may allow.
        """
        if (self.theirs not in (None, self.ours)) != bool(self.why):
            raise ValueError(f"{self.name}: a difference and its reason come together")
        if self.ours.after == "poisoned":
            raise ValueError(f"{self.name}: nobody gets another's answer")


def case(
    name: str,
    sent: bytes,
    ours: Outcome,
    theirs: Outcome | None = None,
    why: str = "",
    *,
    asked: Asked = GET,
    then: Callable[[Peer], None] | None = None,
    bug: str = "",
) -> Case:
    """A server that reads the request, sends some bytes, and then stays or does `then`."""

    async def does(peer: Peer) -> None:
        await peer.request()
        await peer.drip([sent])
        if then is not None:
            then(peer)

    return Case(name, does, ours, theirs, why, asked, bug=bug, sent=b"" if then else sent)


def close(peer: Peer) -> None:
    """End the connection in good order."""
    peer.writer.close()


def reset(peer: Peer) -> None:
    """Break the connection off."""
    peer.reset()
