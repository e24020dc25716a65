"""Happy Eyeballs (RFC 8305): connects to the first address of a host that works.

uvloop and redis-py try one address after the other, so that an address that does not respond uses
up the time of all. An attempt here includes the TLS handshake, so that an address that accepts
connections and then resets them is left behind too.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from errno import ECONNRESET
from itertools import zip_longest
from os import strerror
from socket import AddressFamily
from typing import Generic, NamedTuple, TypeVar

from gateway.tls_error import describe_certificate_error, describe_tls_error
from gateway.transport.resolver import Resolver, SocketAddress

T = TypeVar("T")

MAX_ADDRESSES = 16
MAX_DELAY = 0.25
MIN_DELAY = 0.01
AVOID_SECONDS = 60.0

_MAX_FAILURES_SHOWN = 4


class HostUnreachable(OSError):
    """No connection to a host; the message has the reasons, and nothing of a URL but the host."""


class Attempt(NamedTuple, Generic[T]):
    """How to connect to one address, and how to close a connection that lost the race."""

    connect: Callable[[SocketAddress], Awaitable[T]]
    close: Callable[[T], None]


class HostConnector:
    """Opens connections to one host; an address that failed lately is tried after the others.

    The name is looked up again for each connection, so that a change in DNS takes effect.
    """

    # An address is avoided (tried last) for `AVOID_SECONDS` after an attempt that failed, that was
    # overtaken by a later one, or that was still open when the time was up. Without this memory, a
    # call with a timeout below the delay would start with the same silent address forever. The
    # other addresses stay in the order of the resolver, which spreads the load over them.

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._resolver = Resolver()
        self._avoided: dict[SocketAddress, float] = {}

    def __str__(self) -> str:
        """Return the host, and the addresses that have failed lately."""
        avoided = [address.text for address in self._avoided][:_MAX_FAILURES_SHOWN]
        return f"{self._host}:{self._port}" + (f" ({', '.join(avoided)})" if avoided else "")

    async def connect(self, attempt: Attempt[T], seconds: float | None) -> T:
        """Return the connection to the first address that works.

        `seconds` is the time that the caller gives, which this method shares out but does not
        enforce.

        Raises:
            HostUnreachable: the name is unknown, or each address failed.
            UnicodeError: the host is not a name.
        """
        now = asyncio.get_running_loop().time()
        addresses = self._order(await self._resolve(), now)
        if len(addresses) == 1:
            return await self._connect_to_only(addresses[0], attempt)
        race = _Race(attempt, get_delay(len(addresses), seconds))
        try:
            connection = await race.run(addresses)
        finally:
            self._avoid_slow(race, addresses, now)
        if connection is None:
            raise HostUnreachable(self._name_host(_join_failures(race.failures)))
        return connection

    def _name_host(self, failures: str) -> str:
        """Put the name of the host before its failures, unless it is itself the address."""
        is_address = failures.startswith((f"{self._host}:", f"[{self._host}]:"))
        return failures if is_address else f"{self._host}: {failures}"

    async def _resolve(self) -> list[SocketAddress]:
        try:
            return await self._resolver.resolve(self._host, self._port)
        except OSError as error:
            raise HostUnreachable(str(error)) from None

    async def _connect_to_only(self, address: SocketAddress, attempt: Attempt[T]) -> T:
        try:
            return await attempt.connect(address)
        except OSError as error:
            raise HostUnreachable(
                self._name_host(f"{address.text} {describe_error(error)}")
            ) from error

    def _order(self, addresses: Iterable[SocketAddress], now: float) -> list[SocketAddress]:
        """Alternate the families (RFC 8305, 4); avoided addresses come last, the oldest first."""
        avoided = {
            address: since
            for address, since in self._avoided.items()
            if now - since < AVOID_SECONDS
        }
        ordered = sorted(interleave(addresses), key=lambda address: avoided.get(address, 0.0))
        return ordered[:MAX_ADDRESSES]

    def _avoid_slow(self, race: "_Race[T]", addresses: Sequence[SocketAddress], now: float) -> None:
        avoided = self._avoided | dict.fromkeys(race.slow, now)
        if race.winner is not None:
            avoided.pop(race.winner, None)
        self._avoided = {key: since for key, since in avoided.items() if key in addresses}


class _Race(Generic[T]):
    """Attempts that start one after the other, each when the one before has failed or is slow."""

    def __init__(self, attempt: Attempt[T], delay: float) -> None:
        self.failures: dict[SocketAddress, str] = {}
        self.winner: SocketAddress | None = None
        self._attempt = attempt
        self._delay = delay
        self._pending: dict[asyncio.Future[T], SocketAddress] = {}

    @property
    def slow(self) -> list[SocketAddress]:
        """The addresses whose attempts failed or had not succeeded when the race ended."""
        return [*self.failures, *self._pending.values()]

    async def run(self, addresses: Iterable[SocketAddress]) -> T | None:
        """Return the first connection, or None if each attempt failed with an OSError."""
        waiting = deque(addresses)
        try:
            while waiting or self._pending:
                if waiting:
                    self._start(waiting.popleft())
                done, _ = await asyncio.wait(
                    self._pending,
                    timeout=self._delay if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    if not self._record_failure(task):
                        self.winner = self._pending.pop(task)
                        return task.result()
            return None
        finally:
            for task in self._pending:
                task.cancel()
                task.add_done_callback(self._close_loser)

    def _start(self, address: SocketAddress) -> None:
        self._pending[asyncio.ensure_future(self._attempt.connect(address))] = address

    def _record_failure(self, task: asyncio.Future[T]) -> bool:
        error = task.exception()
        if error is None or not isinstance(error, OSError):
            return False
        address = self._pending.pop(task)
        self.failures[address] = f"{address.text} {describe_error(error)}"
        return True

    def _close_loser(self, task: asyncio.Future[T]) -> None:
        """Close a connection that was opened just when another one had won."""
        if not task.cancelled() and task.exception() is None:
            self._attempt.close(task.result())


def interleave(addresses: Iterable[SocketAddress]) -> list[SocketAddress]:
    """Alternate between IPv6 and IPv4, beginning with the family of the first address."""
    families: dict[AddressFamily, list[SocketAddress]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(address.family, []).append(address)
    return [address for row in zip_longest(*families.values()) for address in row if address]


def get_delay(count: int, seconds: float | None) -> float:
    """Return the seconds between two attempts: 250 ms (RFC 8305, 5), less if the time is short.

    All addresses get their turn in the first half of the time.
    """
    if seconds is None:
        return MAX_DELAY
    return max(MIN_DELAY, min(MAX_DELAY, seconds / 2 / max(1, count - 1)))


def describe_error(error: OSError) -> str:
    """Return the reason of a failed attempt in the words of the system or of OpenSSL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not valid: {describe_certificate_error(error)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS handshake failed: {describe_tls_error(error)}"
    # asyncio replaces the words of the system by others, which repeat the address.
    number = error.errno or (ECONNRESET if isinstance(error, ConnectionResetError) else None)
    return strerror(number) if number else str(error) or type(error).__name__


def _join_failures(failures: dict[SocketAddress, str]) -> str:
    shown = list(failures.values())[:_MAX_FAILURES_SHOWN]
    if more := len(failures) - len(shown):
        shown.append(f"and {more} more")
    return "; ".join(shown) or "the name has no address"
