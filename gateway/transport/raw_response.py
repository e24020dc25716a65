"""What a typed client needs to know of an answer, read whole."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import httpx

from gateway.http1_grammar import FieldList

_REFUSAL_BYTES = 16_384


class RawResponse(NamedTuple):
    """Status, the fields that matter, and the body.

    The body is as long as `wanted` at most, and the piece that went beyond; `cut` is what broke
    it off. `head` is not parsed until `headers` is read: the bytes of the head without its last
    empty line, or the fields where a parser has collected them.
    """

    status: int
    selected: Mapping[bytes, bytes]
    body: bytes = b""
    cut: httpx.RequestError | None = None
    head: bytes | FieldList = b""

    @property
    def headers(self) -> httpx.Headers:
        """All header fields, parsed anew at each read."""
        head = self.head
        return httpx.Headers(_parse_fields(head) if isinstance(head, bytes) else head)

    @property
    def success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def compressed(self) -> bool:
        """Its body is not what it stands for, although nobody asked for that."""
        coding = self.selected.get(b"content-encoding")
        return coding is not None and coding.lower() != b"identity"

    def text(self, name: bytes) -> str:
        """One of the fields; "" if it is not there."""
        return self.selected.get(name, b"").decode("latin-1")

    def wanted(self, max_body_bytes: int) -> int:
        """How many bytes of the body are worth waiting for.

        A short refusal read to its end leaves a connection that can be used again.
        """
        if not self.success:
            return _REFUSAL_BYTES
        return 0 if self.compressed else max_body_bytes


def _parse_fields(head: bytes) -> FieldList:
    """The fields of a head that `parse_simple_response` has accepted: no line is folded."""
    fields = []
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        fields.append((name, value.strip(b" \t")))
    return fields


Outcome = RawResponse | httpx.TransportError
"""What came of a request: the response, or why there is none."""

OnComplete = Callable[[Outcome, bool], None]
"""Hears once of an outcome, and whether the request may be sent again."""
