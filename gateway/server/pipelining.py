"""Requests that wait behind the one in flight, and what was read but is not parsed yet."""

from gateway.server.request_body import HIGH_WATER_LIMIT
from gateway.server.request_cycle import RequestResponseCycle
from gateway.server.request_parser import RequestParser

MAX_PIPELINED = 16
"""Requests that wait on one connection behind the one in flight; above it, parsing pauses."""

PARSE_BYTES = 4_096
"""Bytes to parse at once; the requests in them may exceed MAX_PIPELINED."""

CHUNK_PARSE_BYTES = 32_768
"""Bytes to parse at once where they are known to be of one chunk of a body.

Larger pieces cost more: glibc takes the memory of their copies from the system, page by page.
"""


class Pipeline:
    """The requests of one connection that wait for the response of the one before, in order.

    `unparsed` holds the rest of the last read while the pipeline is full.
    """

    __slots__ = ("unparsed", "waiting")

    def __init__(self) -> None:
        self.waiting: list[RequestResponseCycle] = []
        self.unparsed: bytes | memoryview = b""

    @property
    def is_full(self) -> bool:
        """Whether so many requests, or bytes of their bodies, wait that parsing must pause."""
        return bool(self.waiting) and (
            len(self.waiting) >= MAX_PIPELINED
            or sum(cycle.buffered_bytes for cycle in self.waiting) > HIGH_WATER_LIMIT
        )

    def add_unparsed(self, data: bytes) -> None:
        """Add what was read to what is not parsed yet."""
        self.unparsed = bytes(self.unparsed) + data if self.unparsed else data

    def take_unparsed(self, parser: RequestParser) -> bytes | memoryview:
        """Take the next piece to parse: a large one if no request can begin in it.

        A piece of a chunk is a memoryview.
        """
        body_bytes = 0 if parser.is_in_head else parser.body_bytes_ahead
        if body_bytes >= len(self.unparsed):
            piece, self.unparsed = bytes(self.unparsed), b""
            return piece
        rest = memoryview(self.unparsed)
        chunk_bytes = 0 if body_bytes else parser.count_chunk_bytes(rest)
        is_in_chunk = chunk_bytes > PARSE_BYTES
        size = min(chunk_bytes, CHUNK_PARSE_BYTES) if is_in_chunk else body_bytes or PARSE_BYTES
        self.unparsed = rest[size:]
        return rest[:size] if is_in_chunk else bytes(rest[:size])

    def clear(self) -> None:
        """Drop all."""
        self.waiting.clear()
        self.unparsed = b""
