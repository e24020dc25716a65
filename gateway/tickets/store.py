"""`TicketStore`, the interface of the stores, and the store in the process."""

from abc import ABC, abstractmethod
from time import monotonic

from gateway.errors.tree import TicketsUnavailable
from gateway.tickets.ticket import LIFETIME_SECONDS, Ticket

MAX_TICKETS = 10_000  # of one process; each takes about 1 KB


class TicketStore(ABC):
    """Keeps tickets until they are redeemed or expire. Each is known by its SHA-256 alone."""

    @abstractmethod
    async def save(self, digest: str, ticket: Ticket, seconds: int) -> None:
        """Store a ticket for so many seconds.

        Raises:
            TicketsUnavailable: it cannot be stored now.
        """

    @abstractmethod
    async def take(self, digest: str) -> Ticket | None:
        """Return a ticket and remove it; None if it is unknown, used or expired.

        Of several calls for one ticket, one gets it, whichever process makes them.

        Raises:
            TicketsUnavailable: the store does not respond.
            TicketRefused: the store has something else under this name.
        """


class MemoryTicketStore(TicketStore):
    """Keeps the tickets of one process, and `max_tickets` at most."""

    def __init__(self, max_tickets: int = MAX_TICKETS) -> None:
        self._max_tickets = max_tickets
        self._tickets: dict[str, tuple[float, Ticket]] = {}

    async def save(self, digest: str, ticket: Ticket, seconds: int) -> None:
        """Store a ticket. The store is full if that many tickets have not expired."""
        now = monotonic()
        if len(self._tickets) >= self._max_tickets:
            self._remove_expired(now)
        if len(self._tickets) >= self._max_tickets:
            explanation = f"{self._max_tickets} tickets have been neither redeemed nor expired"
            raise TicketsUnavailable(LIFETIME_SECONDS, explanation)
        self._tickets[digest] = now + seconds, ticket

    async def take(self, digest: str) -> Ticket | None:
        """Return a ticket and remove it; there is no other task between the two."""
        expires_at, ticket = self._tickets.pop(digest, (0.0, None))
        return ticket if monotonic() < expires_at else None

    def _remove_expired(self, now: float) -> None:
        self._tickets = {digest: entry for digest, entry in self._tickets.items() if now < entry[0]}
