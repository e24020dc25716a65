"""What a typed client needs to know of an answer, read whole."""

from collections.abc import Iterable
from typing import NamedTuple, Self

import httpx

_KEPT = frozenset({b"content-type", b"content-encoding", b"retry-after"})
_REFUSAL_BYTES = 16_384


class Reply(NamedTuple):
    """Status, three fields ("" where they are not) and the body.

    The body is as long as `wanted` at most, and the piece that went beyond; `cut` is what broke
    it off.
    """

    status: int
    content_type: str
    content_encoding: str
    retry_after: str
    body: bytes
    cut: httpx.RequestError | None

    @classmethod
    def of(
        cls,
        status: int,
        fields: Iterable[tuple[bytes, bytes]],
        body: bytes = b"",
        cut: httpx.RequestError | None = None,
    ) -> Self:
        """What is kept of an answer; a field that comes again is one list (RFC 9110, 5.3)."""
        kept: dict[bytes, bytes] = {}
        for name, value in fields:
            lowered = name.lower()
            if lowered in _KEPT:
                kept[lowered] = kept[lowered] + b", " + value if lowered in kept else value
        return cls(
            status,
            kept.get(b"content-type", b"").decode("latin-1"),
            kept.get(b"content-encoding", b"").decode("latin-1"),
            kept.get(b"retry-after", b"").decode("latin-1"),
            body,
            cut,
        )

    @property
    def success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def compressed(self) -> bool:
        """Its body is not what it stands for, although nobody asked for that."""
        return self.content_encoding.lower() not in {"", "identity"}

    def wanted(self, max_body_bytes: int) -> int:
        """How many bytes of the body are worth waiting for.

        A short refusal read to its end leaves a connection that can be used again.
        """
        if not self.success:
            return _REFUSAL_BYTES
        return 0 if self.compressed else max_body_bytes
