"""The time for which a server keeps an idle connection open."""

import re
from math import inf

from gateway.http1_grammar import Fields

_KEEP_ALIVE = re.compile(rb"(?i:timeout)[ \t]*=[ \t]*\"?([0-9]{1,9})")


def find_keep_alive_seconds(fields: Fields) -> float:
    """Return the seconds for which a connection may stay idle (RFC 2068, 19.7.1.1).

    That is a little less than the server announces, since its time began earlier; infinity if it
    announces none.
    """
    for name, value in fields:
        if name.lower() == b"keep-alive" and (match := _KEEP_ALIVE.search(value)):
            seconds = int(match[1])
            return max(seconds - 1.0, seconds / 2)
    return inf
