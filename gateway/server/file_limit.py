"""The limit of open files (RLIMIT_NOFILE), and the limit of connections that follows from it."""

import resource

DEFAULT_MAX_CONNECTIONS = 10_000
"""The limit of connections where the limit of open files allows it."""

MIN_RESERVE = 64
"""Descriptors for everything but connections of clients; `server.max_connections` leaves them."""

MAX_RESERVE = 4_096
"""Descriptors that the default leaves at most: for connections to services, above all."""


def get_file_limit() -> int:
    """Return the number of files and sockets that the process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _as_number(soft)


def raise_file_limit() -> None:
    """Raise the soft limit to the hard limit.

    The soft limit is often 1,024, for programs that use select(2); this one does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS refuses an unlimited soft limit
        return


def choose_max_connections(configured: int | None, file_limit: int) -> int:
    """Return the limit of connections: `server.max_connections`, if the limit of files allows it.

    By default half of the descriptors are left for everything else, MAX_RESERVE at most: a request
    in flight needs one for each service that it calls.
    """
    possible = max(1, file_limit - MIN_RESERVE)
    if configured is not None:
        return min(configured, possible)
    reserve = max(MIN_RESERVE, min(file_limit // 2, MAX_RESERVE))
    return max(1, min(DEFAULT_MAX_CONNECTIONS, file_limit - reserve))


def _as_number(limit: int) -> int:
    return 1 << 30 if limit == resource.RLIM_INFINITY else limit
