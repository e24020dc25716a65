"""When a request may be sent a second time."""

import httpx

from clients.connection import Connection


def may_send_again(connection: Connection, error: BaseException, *, replayable: bool) -> bool:
    """Whether an exchange that failed so may be tried once more, over a fresh connection.

    It may for what is `replayable`, and so can safely be sent twice, when a kept connection turns
    out to be closed (RFC 9110, 9.2.2). A fresh one never turns out so: there is no third time.
    To be asked before the connection is released, which may close it.
    """
    return replayable and connection.stale and isinstance(error, httpx.TransportError)
