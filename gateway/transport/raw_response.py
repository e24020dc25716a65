"""A response with its whole body, as the transport returns it to a typed client."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import httpx

from gateway.http1_grammar import FieldList

MAX_ERROR_BODY_BYTES = 16_384
"""The size of the body of an unsuccessful response up to which it is read."""


class RawResponse(NamedTuple):
    """Status, selected headers, and the body as bytes.

    The body ends with the first piece that exceeds `max_body_to_read`. `error` is the reason why
    the body is shorter than announced; None if it is complete or was not read to its end. `head`
    holds the bytes of the head without its last empty line (fast path), or the fields that a
    parser has collected; it is parsed when `headers` is read.
    """

    status: int
    selected: Mapping[bytes, bytes]
    body: bytes = b""
    error: httpx.RequestError | None = None
    head: bytes | FieldList = b""

    @property
    def fields(self) -> FieldList:
        """All header fields in their order; every read parses `head` again."""
        return _parse_fields(self.head) if isinstance(self.head, bytes) else self.head

    @property
    def headers(self) -> httpx.Headers:
        """All header fields, as httpx represents them."""
        return httpx.Headers(self.fields)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def header(self, name: bytes) -> str:
        """Return one of the selected headers by its lower-case name; "" if it is absent."""
        return self.selected.get(name, b"").decode("latin-1")

    def max_body_to_read(self, max_body_bytes: int) -> int:
        """Return the number of bytes of the body to wait for.

        A short error body is read to its end, so that its connection can be used again.
        """
        return max_body_bytes if self.is_success else MAX_ERROR_BODY_BYTES


def _parse_fields(head: bytes) -> FieldList:
    """Parse a head that `parse_simple_response` has accepted: no line of it is folded."""
    fields = []
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        fields.append((name, value.strip(b" \t")))
    return fields


Outcome = RawResponse | httpx.TransportError
"""How a request ended: with a response, or with the reason why there is none."""

OnComplete = Callable[[Outcome, bool], None]
"""Called once with the outcome of a request and whether the request may be sent again."""
