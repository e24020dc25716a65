"""A service that keeps every byte it receives, and a reading of them that leaves no choice."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.gateway.transport.scripted_server import Peer, serve_script

Fields = list[tuple[bytes, bytes]]

FRAMING = frozenset({b"content-length", b"transfer-encoding"})

_REQUEST_LINE = re.compile(rb"([A-Z-]+) (/[!-~]*) HTTP/1\.1")
_FIELD = re.compile(rb"([a-z0-9]+(?:-+[a-z0-9]+)*): ([\t\x20-\x7e\x80-\xff]*)")
_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")
_STATUS = re.compile(rb"/status/(\d{3})")
_RESPONSE = b"HTTP/1.1 %b Status\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok"


class AmbiguousBytes(Exception):
    """Two programs could read these bytes differently."""


class IncompleteBytes(AmbiguousBytes):
    """The end of a request has not arrived."""


@dataclass(frozen=True)
class Received:
    """One request as it was received; some services take `trailers` for fields."""

    method: bytes
    target: bytes
    fields: Fields
    body: bytes
    trailers: Fields

    def get_all(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.fields if found == name]


def read_strictly(data: bytes) -> list[Received]:
    """Read requests by a grammar in which every program reads the same.

    Lines end with CRLF. A field name has letters, digits and hyphens, and stands at the beginning
    of its line. A body has one length, or minimal chunks without extensions. A trailer has another
    name than all fields of the head.

    Raises:
        AmbiguousBytes: the data is not of this grammar.
    """
    requests = []
    while data:
        request, data = _read_one(data)
        requests.append(request)
    return requests


def _read_one(data: bytes) -> tuple[Received, bytes]:
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        raise IncompleteBytes(head)
    request_line, *lines = head.split(b"\r\n")
    start = _REQUEST_LINE.fullmatch(request_line)
    fields = _read_fields(lines)
    names = [name for name, _ in fields]
    framing = [name for name in names if name in FRAMING]
    if start is None or names.count(b"host") != 1 or len(framing) > 1:
        raise AmbiguousBytes(head)
    body, trailers = b"", Fields()
    if b"transfer-encoding" in framing:
        if dict(fields)[b"transfer-encoding"] != b"chunked":
            raise AmbiguousBytes(head)
        body, rest = _read_chunks(rest)
        trailers, rest = _read_trailers(rest)
    elif framing:
        body, rest = _read_body(dict(fields)[b"content-length"], rest)
    if {name for name, _ in trailers} & {*names, *FRAMING}:
        raise AmbiguousBytes(trailers)
    return Received(start[1], start[2], fields, body, trailers), rest


def _read_fields(lines: list[bytes]) -> Fields:
    matches = [_FIELD.fullmatch(line) for line in lines]
    if None in matches:
        raise AmbiguousBytes(lines)
    return [(match[1], match[2]) for match in matches if match]


def _read_body(length: bytes, data: bytes) -> tuple[bytes, bytes]:
    if not re.fullmatch(rb"0|[1-9][0-9]*", length):
        raise AmbiguousBytes(length)
    if len(data) < int(length):
        raise IncompleteBytes(length)
    return data[: int(length)], data[int(length) :]


def _read_chunks(data: bytes) -> tuple[bytes, bytes]:
    """Read the chunks; return their data, and what follows the size of the last one."""
    body = b""
    while chunk := _CHUNK.match(data):
        start = chunk.end()
        end = start + int(chunk[1], 16)
        if start == end:
            return body, data[start:]
        if len(data) < end + 2:
            raise IncompleteBytes(data)
        if data[end : end + 2] != b"\r\n":
            raise AmbiguousBytes(data)
        body, data = body + data[start:end], data[end + 2 :]
    raise AmbiguousBytes(data) if b"\r\n" in data else IncompleteBytes(data)


def _read_trailers(data: bytes) -> tuple[Fields, bytes]:
    if data.startswith(b"\r\n"):
        return [], data[2:]
    lines, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        raise IncompleteBytes(data)
    return _read_fields(lines.split(b"\r\n")), rest


@dataclass
class Recording:
    """What has arrived on each connection, and the address of the service.

    If `response` is set, the service sends it instead of its own, and closes the connection.
    """

    url: str = ""
    response: bytes = b""
    connections: list[bytearray] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        return b"".join(self.connections)

    def read(self) -> list[Received]:
        """Read all requests of all connections.

        Raises:
            AmbiguousBytes: two programs could read a connection differently.
        """
        return [request for data in self.connections for request in read_strictly(bytes(data))]

    def read_complete(self) -> list[Received]:
        """Read all requests but one at the end of a connection that is not complete.

        Raises:
            AmbiguousBytes: two programs could read a connection differently.
        """
        requests = []
        for received in self.connections:
            data = bytes(received)
            with suppress(IncompleteBytes):
                while data:
                    request, data = _read_one(data)
                    requests.append(request)
        return requests

    def clear(self) -> None:
        """Forget what has arrived."""
        for data in self.connections:
            data.clear()


@asynccontextmanager
async def record_service() -> AsyncIterator[Recording]:
    """Run the service. It responds to a request once its body is complete.

    The status is 200, or that of the path, as in `/status/401`.
    """
    recording = Recording()

    async def script(peer: Peer) -> None:
        received = bytearray()
        recording.connections.append(received)
        pending = b""
        while piece := await peer.reader.read(65_536):
            received += piece
            pending += piece
            while pending:
                try:
                    request, pending = _read_one(pending)
                except AmbiguousBytes:
                    break
                if recording.response:
                    peer.send(recording.response)
                    return
                status = _STATUS.fullmatch(request.target)
                peer.send(_RESPONSE % (status[1] if status else b"200"))

    async with serve_script(script) as served:
        recording.url = served.url
        yield recording
        await asyncio.sleep(0)
