"""When a request may be sent a second time."""

import httpx

from clients.connection import Connection
from clients.pool import Pool


def may_send_again(
    pool: Pool, connection: Connection, error: BaseException, *, replayable: bool
) -> bool:
    """Give a connection back over which an exchange failed; say if a fresh one may try once more.

    It may for what is `replayable`, and so can safely be sent twice, when a kept connection turns
    out to be closed (RFC 9110, 9.2.2). A fresh one never turns out so: there is no third time.
    """
    stale = connection.stale  # asked now, for who releases it may close it
    pool.release(connection)
    return stale and replayable and isinstance(error, httpx.TransportError)
