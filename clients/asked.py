"""A request that has been sent, until its connection is free again."""

from collections.abc import Callable

from clients.connection import Connection, Outcome
from clients.pool import Pool
from clients.reply import Reply
from clients.resending import may_send_again

Told = Callable[[Outcome, bool], None]
"""Hears what came, and whether the request may be sent again."""


class Asked:
    """Holds a connection until the answer has landed, or nobody wants it any longer.

    `told` hears then what came, and whether the request may be sent again over a fresh connection.
    """

    __slots__ = ("_connection", "_pool", "_replayable", "_told")

    def __init__(
        self,
        pool: Pool,
        connection: Connection,
        told: Told,
        *,
        replayable: bool,
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._told: Told | None = told
        self._replayable = replayable

    def land(self, outcome: Outcome) -> None:
        """Give the connection back, and tell."""
        told, self._told = self._told, None
        if told is None:
            return
        again = not isinstance(outcome, Reply) and may_send_again(
            self._connection, outcome, replayable=self._replayable
        )
        self._pool.release(self._connection)
        told(outcome, again)

    def abandon(self) -> None:
        """Give the connection back, and tell nobody."""
        if self._told is not None:
            self._told = None
            self._pool.release(self._connection)
