"""What a typed client needs to know of an answer, read whole."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import httpx

_REFUSAL_BYTES = 16_384


class RawResponse(NamedTuple):
    """Status, the fields that matter, and the body.

    The body is as long as `wanted` at most, and the piece that went beyond; `cut` is what broke
    it off.
    """

    status: int
    selected: Mapping[bytes, bytes]
    body: bytes = b""
    cut: httpx.RequestError | None = None

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


Outcome = RawResponse | httpx.TransportError
"""What came of a request: the response, or why there is none."""

OnComplete = Callable[[Outcome, bool], None]
"""Hears once of an outcome, and whether the request may be sent again."""
