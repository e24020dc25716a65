"""The base of every typed client: from a path template to a value of a type, or an error."""

import re
from types import TracebackType
from typing import ClassVar, Final, Self, TypeVar

import httpx

from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.call import Call
from gateway.upstream.call_executor import CallExecutor
from gateway.upstream.direct_sender import sender_over
from gateway.upstream.httpx_sender import Bounds
from gateway.upstream.pending import PendingCall
from gateway.upstream.verbs import Verbs

T = TypeVar("T")

NoContent: Final = type(None)
"""`into=NoContent`: a success is all that is asked for, whatever body comes with it."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class ServiceClient(Verbs):
    """A downstream service as typed methods.

    A subclass names its service, `class Orders(ServiceClient, name="orders")`, and its methods
    call `get`, `post` and so on. `timeout` is seconds for a whole call; a
    deadline set around it (`deadline.py`) can only shorten it. Nothing is retried here,
    redirected, kept in cookies or taken from the environment.
    """

    name: ClassVar[str]

    def __init_subclass__(cls, *, name: str | None = None) -> None:
        """Note the name of the service; a class without one is a variant of its parent.

        Raises:
            TypeError: the name is missing or not a lower-case identifier.
        """
        super().__init_subclass__()
        if name is None and hasattr(cls, "name"):
            return
        if name is None or not _NAME.fullmatch(name):
            raise TypeError(f"{cls.__name__}: name={name!r} is not a lower-case identifier")
        cls.name = name

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = 2.0,
        connect_timeout: float = 1.0,
        max_body_bytes: int = 2_097_152,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Talk to the service at `base_url`, in at most so many seconds and bytes a call.

        Raises:
            ValueError: `base_url` is more, or less, than scheme, host, port and path.
        """
        self._transport = transport or Transport()
        channel = sender_over(
            self._transport, BaseUrl.of(base_url), Bounds(connect_timeout, max_body_bytes)
        )
        self._caller = CallExecutor(self.name, channel, timeout, max_body_bytes)

    async def __aenter__(self) -> Self:
        """The client itself; leaving closes it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; the client cannot be used again."""
        await self._transport.aclose()

    def call(self, call: Call, *, into: type[T]) -> PendingCall[T]:
        """A call, made once it is awaited: a success that is an `into`, or an error.

        Awaiting it raises:
            UpstreamTimeout: no answer in time.
            UpstreamUnavailable: not reached, broken off, 5xx or 429.
            UpstreamRefused: 3xx or 4xx.
            UpstreamInvalid: a success that is no `into`.
            ValueError: the call cannot be written as a request.
        """
        return PendingCall(self._caller, call, into)
