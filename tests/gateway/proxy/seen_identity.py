"""The identity that a service finds in a request, in each way of reading the names of fields."""

import re
from collections.abc import Callable

from tests.gateway.auth.token_factory import ISSUER
from tests.gateway.proxy.recorded_proxy import SCOPE
from tests.gateway.proxy.recording_service import Received


def _as_cgi(name: bytes) -> bytes:
    return name.upper().replace(b"-", b"_")


def _as_old_apache(name: bytes) -> bytes:
    return re.sub(rb"[^A-Z0-9]", b"_", name.upper())


def _as_node(name: bytes) -> bytes:
    return name.lower()


READERS: tuple[Callable[[bytes], bytes], ...] = (_as_cgi, _as_old_apache, _as_node)
IDENTITY = {
    b"x-user-id": b"42",
    b"x-user-issuer": ISSUER.encode(),
    b"x-user-scopes": SCOPE.encode(),
    b"x-user-tenant": b"acme",
}


def check_identity(received: Received, *, is_known: bool) -> None:
    """Check what a service sees that reads names as CGI, as an old Apache, or as Node does."""
    fields = [*received.fields, *received.trailers]
    for read in READERS:
        for name, value in IDENTITY.items():
            seen = [v for n, v in fields if read(n) == read(name)]
            assert seen == ([value] if is_known else []), (read, name)
