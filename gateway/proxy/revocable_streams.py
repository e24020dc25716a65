"""`RevocableStreams`: ends the open streams of a caller whose token is revoked."""

import asyncio
from typing import Protocol

from gateway.auth.principal import Principal
from gateway.auth.revocation_check import IsRevoked, RevocationCheck


class RevocableStream(Protocol):
    """A stream that `revoke` ends; `principal` is its caller, None on a public route."""

    @property
    def principal(self) -> Principal | None: ...

    def revoke(self) -> None: ...


class RevocableStreams:
    """The open streams of this process."""

    def __init__(self, revocations: RevocationCheck) -> None:
        self._revocations = revocations
        self._streams = set[RevocableStream]()
        revocations.call_on_change(self._end_revoked)

    def __len__(self) -> int:
        """Return the number of streams."""
        return len(self._streams)

    def add(self, stream: RevocableStream) -> None:
        """Follow a stream; it ends soon if its token was revoked since its request arrived."""
        self._streams.add(stream)
        if _is_named(stream, self._revocations.is_revoked):
            asyncio.get_running_loop().call_soon(stream.revoke)

    def discard(self, stream: RevocableStream) -> None:
        """Follow a stream no longer."""
        self._streams.discard(stream)

    def _end_revoked(self, is_revoked: IsRevoked) -> None:
        for stream in [it for it in self._streams if _is_named(it, is_revoked)]:
            stream.revoke()


def _is_named(stream: RevocableStream, is_revoked: IsRevoked) -> bool:
    principal = stream.principal
    return principal is not None and is_revoked(principal)
