"""Headers of the incoming request that every call made for it sends along: its id, its trace."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from clients.fields import checked

_NONE: Mapping[str, str] = MappingProxyType({})
_forwarded: ContextVar[Mapping[str, str]] = ContextVar("forwarded", default=_NONE)


@contextmanager
def forwarding(headers: Mapping[str, str]) -> Iterator[None]:
    """Send `headers` with every call made inside, on top of what an outer block sends.

    Raises:
        ValueError: one of them is not a header a caller may set.
    """
    token = _forwarded.set(MappingProxyType({**_forwarded.get(), **checked(headers)}))
    try:
        yield
    finally:
        _forwarded.reset(token)


def forwarded() -> Mapping[str, str]:
    """What is sent along here, names in lower case."""
    return _forwarded.get()
