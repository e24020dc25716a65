"""A connection of psycopg whose waits for the server end.

libpq bounds a connect, and the server bounds its statements; nothing bounds the wait for a server
whose process is frozen, or that a firewall cuts off. The timeout of `Connection.wait` is not in
psycopg's documentation, so `pyproject.toml` has an upper bound for its version.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

T = TypeVar("T")

_POLL_SECONDS = 0.1


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed if the server does not respond within `response_timeout`."""

    response_timeout: float | None = None

    def wait(
        self, gen: PQGen[T], interval: float = _POLL_SECONDS, timeout: float | None = None
    ) -> T:
        """Wait for the response of the server.

        Raises:
            OperationalError: there is none in time.
        """
        try:
            return super().wait(gen, interval, timeout or self.response_timeout)
        except _WaitTimeout as error:
            self.close()
            raise psycopg.OperationalError("the server does not respond") from error


def create_connect(timeout: float) -> Callable[..., BoundedConnection]:
    """Return a function like `psycopg.connect` whose connections wait `timeout` seconds."""

    def connect(*args: Any, **parameters: Any) -> BoundedConnection:  # noqa: ANN401 - as psycopg's
        connection = BoundedConnection.connect(*args, **parameters)
        connection.response_timeout = timeout
        return connection

    return connect
