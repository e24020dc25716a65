"""Requests of arbitrary bytes to proxied routes, and responses of arbitrary bytes to them.

What the service receives must have one reading, and that reading must be what the gateway has
matched and checked. No input may cause a 500.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from posixpath import normpath
from tempfile import TemporaryDirectory
from typing import Self

import h11
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.fuzz.invariants import InvariantViolated
from tests.gateway.proxy.identity_spellings import MALLORY
from tests.gateway.proxy.path_readings import READINGS
from tests.gateway.proxy.recorded_proxy import (
    PROXIES,
    RecordedProxy,
    list_statuses,
    make_caller_token,
    serve_recorded,
)
from tests.gateway.proxy.recording_service import AmbiguousBytes, Received
from tests.gateway.proxy.seen_identity import check_identity

TOKEN = b"TOKEN"
"""Stands for an access token in a request."""

RESPONSE_FOLLOWS = b"\xfe\xfe"
"""Separates the request from the response of the service; without it, that is a plain one."""

_HOST = [("Host", "x")]
_MAX_HEAD_BYTES = 200_000

_PAUSE_SECONDS = 0.0003
_QUIET_PAUSES = 4
_MAX_PAUSES = 60
_STRICT = {it.path for it in PROXIES if not it.encoded_slashes and not it.path_parameters}


class _Spy:
    """Keeps the scopes of all requests, in which the gateway leaves what it has matched."""

    def __init__(self, app: ASGIApp, scopes: list[Scope], active: set[int]) -> None:
        self.app = app
        self._scopes = scopes
        self._active = active

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        self._scopes.append(scope)
        self._active.add(id(scope))
        try:
            await self.app(scope, receive, send)
        finally:
            self._active.discard(id(scope))


class _Client(asyncio.Protocol):
    """Collects what it receives."""

    def __init__(self) -> None:
        self.received = bytearray()

    def data_received(self, data: bytes) -> None:
        self.received += data


class ProxiedRequestHarness:
    """A gateway with proxied routes, and a service that records what it receives."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._scopes: list[Scope] = []
        self._active: set[int] = set()
        self._proxy: RecordedProxy
        self._token = make_caller_token(exp=4_000_000_000)

    async def __aenter__(self) -> Self:
        """Start the service and the gateway."""
        folder = Path(self._stack.enter_context(TemporaryDirectory()))
        spy = Middleware(_Spy, scopes=self._scopes, active=self._active)
        self._proxy = await self._stack.enter_async_context(serve_recorded(folder, spy))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop them."""
        await self._stack.aclose()

    async def exchange(self, data: bytes) -> list[int]:
        """Send a request and check what the service has received; return the statuses.

        Raises:
            InvariantViolated: a request has two readings, or another one than was checked.
        """
        request, _, response = data.partition(RESPONSE_FOLLOWS)
        recording = self._proxy.recording
        recording.response = response
        recording.clear()
        self._scopes.clear()
        answer = await self._send(request.replace(TOKEN, self._token))
        statuses = list_statuses(answer)
        if 500 in statuses:
            raise InvariantViolated(f"a 500: {answer!r}")
        if answer:
            _check_answer(answer, is_head=request.lstrip(b"\r\n").startswith(b"HEAD "))
        try:
            received = recording.read_complete()
        except AmbiguousBytes as error:
            raise InvariantViolated(f"two readings: {recording.data!r}") from error
        for one in received:
            self.check(one)
        return statuses

    def check(self, received: Received) -> None:
        """Check a request of the service against those that the gateway has matched.

        Raises:
            InvariantViolated: none of them is this one.
        """
        matches = [scope for scope in self._scopes if _get_target(scope) == received.target]
        if not matches:
            raise InvariantViolated(f"{received} was not matched")
        scope = matches[0]
        path = scope["route"].path
        is_known = path in {"/headers/{path:path}", "/forward/{path:path}"} or "user" in path
        check_identity(received, is_known=is_known)
        if MALLORY in b"".join(received.get_all(b"x-user-id")):
            raise InvariantViolated(f"a forged identity: {received}")
        if path in _STRICT:
            _check_readings(received.target.partition(b"?")[0], scope)

    async def _send(self, data: bytes) -> bytes:
        """Send bytes, and return the response bytes until no request is in flight."""
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_connection(_Client, "127.0.0.1", self._proxy.port)
        transport.write(data)
        await self._wait_until_quiet(_MAX_PAUSES)
        transport.abort()
        await self._wait_until_quiet(_MAX_PAUSES)
        return bytes(client.received)

    async def _wait_until_quiet(self, pauses: int) -> None:
        quiet = 0
        for _ in range(pauses):
            await asyncio.sleep(_PAUSE_SECONDS)
            quiet = 0 if self._active else quiet + 1
            if quiet == _QUIET_PAUSES:
                return


def _check_answer(answer: bytes, *, is_head: bool) -> None:
    """Another library must read the first response, however far it has come."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
    client.send(h11.Request(method="HEAD" if is_head else "GET", target="/", headers=_HOST))
    client.send(h11.EndOfMessage())
    try:
        client.receive_data(answer)
        while type(client.next_event()) in {h11.InformationalResponse, h11.Response, h11.Data}:
            pass
    except h11.RemoteProtocolError as error:
        raise InvariantViolated(f"an answer that h11 refuses: {answer!r}") from error


def _get_target(scope: Scope) -> bytes | None:
    """Return the target that the service should get; None for a request of no proxied route."""
    route = scope.get("route")
    if route is None or "path_params" not in scope:
        return None
    raw_path: bytes = scope["raw_path"]
    if "user" not in route.path:
        raw_path = b"/" + raw_path.split(b"/", 2)[2]
    query: bytes = scope["query_string"]
    return raw_path + b"?" + query if query else raw_path


def _check_readings(path: bytes, scope: Scope) -> None:
    """No service reads another path than the gateway has matched."""
    matched = "/" + "/".join(scope["path_params"].values())
    if "user" in scope["path_params"]:
        matched = "/users" + matched
        if scope["path_params"]["user"] != "42":
            raise InvariantViolated(f"the data of another owner: {path!r}")
    for read in READINGS:
        if normpath(read(path)) != normpath(matched.encode()):
            raise InvariantViolated(f"{read.__name__} reads {path!r} as another than {matched!r}")
