"""Sends and receives large bodies and events, over plain blocking sockets."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PIECE = 1 << 18
_TIMEOUT_SECONDS = 120
_MAX_HEAD = 1 << 16
_EVENT = re.compile(rb"data: (\d+)\n\n")
_ZEROS = memoryview(bytes(PIECE))


@dataclass(frozen=True, slots=True)
class Target:
    """The port, the path and the token of a request."""

    port: int
    path: str
    token: str = ""


class TransferFailed(Exception):
    """The response is not the one expected."""


def download(target: Target, size: int) -> None:
    """Receive a body of `size` bytes and discard it.

    Raises:
        TransferFailed: the response is not a 200 with that many bytes.
    """
    buffer = memoryview(bytearray(PIECE))
    with _connect(target) as sock:
        sock.sendall(_make_head("GET", target))
        head, start = _read_head(sock)
        if f"\r\ncontent-length: {size}\r\n".encode() not in head.lower():
            raise TransferFailed(f"a response without Content-Length: {size}: {head!r}")
        received = len(start)
        while received < size:
            count = sock.recv_into(buffer)
            if not count:
                raise TransferFailed(f"the response ended after {received} of {size} bytes")
            received += count


def upload(target: Target, size: int) -> None:
    """Send a body of `size` zeros.

    Raises:
        TransferFailed: the response is not a 200 that confirms the size.
    """
    with _connect(target) as sock:
        sock.sendall(_make_head("PUT", target, f"Content-Length: {size}"))
        for _ in range(size // PIECE):
            sock.sendall(_ZEROS)
        sock.sendall(_ZEROS[: size % PIECE])
        head, body = _read_head(sock)
        expected = b'{"received": %d}' % size
        while len(body) < len(expected) and (piece := sock.recv(PIECE)):
            body += piece
        if body != expected:
            raise TransferFailed(f"the upload was not received: {head!r} {body!r}")


def time_events(target: Target, count: int) -> list[float]:
    """Receive `count` events; return the milliseconds from the sending of each to its arrival.

    Raises:
        TransferFailed: the response is not a 200 with that many events.
    """
    delays: list[float] = []
    with _connect(target) as sock:
        sock.sendall(_make_head("GET", target))
        _, received = _read_head(sock)
        while len(delays) < count:
            arrived_at = time.monotonic_ns()
            events = list(_EVENT.finditer(received))
            delays += [(arrived_at - int(event[1])) / 1e6 for event in events]
            received = received[events[-1].end() :] if events else received
            if len(delays) < count:
                piece = sock.recv(PIECE)
                if not piece:
                    raise TransferFailed(f"the stream ended after {len(delays)} of {count} events")
                received += piece
    return delays


@contextmanager
def _connect(target: Target) -> Iterator[socket.socket]:
    try:
        with socket.create_connection(("127.0.0.1", target.port), _TIMEOUT_SECONDS) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield sock
    except OSError as error:
        raise TransferFailed(f"{target.path}: {error}") from error


def _make_head(method: str, target: Target, *fields: str) -> bytes:
    lines = (
        f"{method} {target.path} HTTP/1.1",
        f"Host: 127.0.0.1:{target.port}",
        f"Authorization: Bearer {target.token}",
        *fields,
    )
    return "\r\n".join((*lines, "", "")).encode()


def _read_head(sock: socket.socket) -> tuple[bytes, bytes]:
    """Read the head of a response, and return it with the bytes that arrived after it."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = sock.recv(4096)
        if not piece or len(received) > _MAX_HEAD:
            raise TransferFailed(f"no response: {received!r}")
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise TransferFailed(f"{head!r} {rest!r}")
    return head + b"\r\n", rest
