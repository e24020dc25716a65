"""Checks `remove_headers`, the header fields that callers of a proxied route must not send."""

import re
from collections.abc import Iterator, Sequence

_PLAIN_NAME = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
_OWN = frozenset({"connection", "content-length", "forwarded", "host", "transfer-encoding", "via"})
_OWN_BEGINNINGS = ("sec-websocket-", "x-forwarded-")


def find_header_errors(names: Sequence[str], *, forward_token: bool) -> Iterator[str]:
    """Yield the errors of `remove_headers`."""
    lowered = [name.lower() for name in names]
    for name, lower in zip(names, lowered, strict=True):
        if not _PLAIN_NAME.fullmatch(lower):
            yield (
                f"remove_headers has {name!r:.80}; a name has letters, digits and hyphens alone "
                "(fields with other names are removed in any case)"
            )
        elif lower in _OWN or lower.startswith(_OWN_BEGINNINGS):
            yield f"remove_headers has {name}, which the gateway reads, and sets itself"
        elif lower == "authorization" and forward_token:
            yield "remove_headers has authorization, which forward_token sends"
    if len(set(lowered)) < len(lowered):
        yield f"remove_headers has a name twice: {', '.join(names)}"
