"""Tickets: a short credential in the query, for browsers that cannot send `Authorization`.

`POST /auth/tickets` issues one for a path; `accept_ticket()` on the route of that path redeems it.
"""

from gateway.tickets.redeem_ticket import accept_ticket

__all__ = ["accept_ticket"]
