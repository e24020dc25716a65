"""Headers of the incoming request that every call made for it sends along: its id, its trace."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Final, Self

from gateway.upstream.headers import serialize_headers, validate_headers

_EVERY_CALL: Mapping[str, str] = MappingProxyType(
    {
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "lockgate",
    }
)
_OURS = frozenset(_EVERY_CALL)


@dataclass(slots=True)
class PropagatedHeaders:
    """What every call made here sends: the forwarded fields, and all of them as `lines`.

    Nobody changes it.
    """

    forwarded: dict[str, str]
    lines: str

    def with_more(self, more: Mapping[str, str]) -> Self:
        """The same with more fields forwarded, over those of the same names."""
        fields = {**self.forwarded, **more}
        if len(fields) == len(self.forwarded) + len(more) and _OURS.isdisjoint(more):
            return type(self)(fields, self.lines + serialize_headers(more))
        return type(self)(fields, serialize_headers({**_EVERY_CALL, **fields}))

    def with_own(self, own: Mapping[str, str]) -> str:
        """The lines with a call's own fields put over them."""
        return serialize_headers({**_EVERY_CALL, **self.forwarded, **own})


_NONE: Final = PropagatedHeaders({}, serialize_headers(_EVERY_CALL))
_sent: ContextVar[PropagatedHeaders] = ContextVar("sent", default=_NONE)


def propagate_headers(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """Send `headers` with every call made inside, on top of what an outer block sends.

    Raises:
        ValueError: one of them is not a header a caller may set.
    """
    return _Forwarding(validate_headers(headers))


def propagated_headers() -> Mapping[str, str]:
    """What is sent along here, names in lower case."""
    return MappingProxyType(_sent.get().forwarded)


sent = _sent.get
"""What is sent here, forwarded or not."""


class _Forwarding(AbstractContextManager[None]):
    # Entered once a request: a generator would cost as much again as all that is done here.
    __slots__ = ("_headers", "_token")

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def __enter__(self) -> None:
        self._token: Token[PropagatedHeaders] = _sent.set(_sent.get().with_more(self._headers))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _sent.reset(self._token)
