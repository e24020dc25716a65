"""Looks host names up, in threads of its own, and opens sockets to the addresses."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from os import strerror
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class SocketAddress(NamedTuple):
    """An address of a host, with its port, as the `socket` module takes it."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]

    @property
    def text(self) -> str:
        """The address for a message, such as `192.0.2.1:80` or `[2001:db8::1]:80`."""
        host, port = self.sockaddr[:2]
        return f"[{host}]:{port}" if self.family == socket.AF_INET6 else f"{host}:{port}"

    async def connect(self) -> socket.socket:
        """Open a TCP connection.

        Raises:
            OSError: it was refused, or the address cannot be reached.
        """
        opened = socket.socket(self.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            opened.setblocking(False)
            try:
                opened.connect(self.sockaddr)
            except BlockingIOError:
                await _wait_connected(opened)
        except BaseException:
            opened.close()
            raise
        return opened


class Resolver:
    """Looks names up with `getaddrinfo`, each name once at a time.

    A lookup can hang for half a minute and cannot be cancelled. All callers wait for the same one,
    so that a name whose servers do not respond takes one thread. The threads are daemons, because
    the process must not wait for them at its end. The pools of asyncio (one thread per core and
    four) and of uvloop (two threads for lookups) would let two such names stop all lookups.
    """

    def __init__(self) -> None:
        self._lookups: dict[tuple[str, int], asyncio.Future[list[SocketAddress]]] = {}

    async def resolve(self, host: str, port: int) -> list[SocketAddress]:
        """Return the addresses of a host, as the system orders them (RFC 6724).

        Raises:
            OSError: the name is unknown, or its servers failed.
            UnicodeError: it is not a host name.
        """
        with suppress(socket.gaierror):
            return _get_addresses(host, port, socket.AI_NUMERICHOST)  # needs no lookup
        lookup = self._lookups.get((host, port))
        if lookup is None:
            lookup = self._lookups[host, port] = self._start(host, port)
        try:
            return await asyncio.shield(lookup)
        except socket.gaierror as error:
            raise OSError(f"{host}: {error.strerror}") from None

    def _start(self, host: str, port: int) -> asyncio.Future[list[SocketAddress]]:
        loop = asyncio.get_running_loop()
        lookup: asyncio.Future[list[SocketAddress]] = loop.create_future()
        lookup.add_done_callback(partial(self._end, (host, port)))
        arguments = (loop, lookup, host, port)
        thread = threading.Thread(target=_look_up, args=arguments, name="resolver", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the process has as many threads as it may have
            raise OSError(f"{host}: {error}") from None
        return lookup

    def _end(self, key: tuple[str, int], lookup: asyncio.Future[list[SocketAddress]]) -> None:
        del self._lookups[key]
        if not lookup.cancelled():
            lookup.exception()  # retrieved, even if each caller has gone


async def _wait_connected(opened: socket.socket) -> None:
    # Not `loop.sock_connect`: that of uvloop resolves the address once more, in a thread.
    loop = asyncio.get_running_loop()
    writable: asyncio.Future[None] = loop.create_future()
    loop.add_writer(opened, _set_result, writable, None)
    try:
        await writable
    finally:
        loop.remove_writer(opened)
    if code := opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, strerror(code))


def _look_up(
    loop: asyncio.AbstractEventLoop,
    lookup: asyncio.Future[list[SocketAddress]],
    host: str,
    port: int,
) -> None:
    """Run in a thread, which may end after the event loop."""
    set_outcome: Callable[[], None]
    try:
        set_outcome = partial(_set_result, lookup, _get_addresses(host, port))
    except Exception as error:  # noqa: BLE001 - passed on to the callers
        set_outcome = partial(_set_exception, lookup, error)
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(set_outcome)


def _get_addresses(host: str, port: int, flags: int = 0) -> list[SocketAddress]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [SocketAddress(family, sockaddr) for family, _, _, _, sockaddr in found]


def _set_result(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[T], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
