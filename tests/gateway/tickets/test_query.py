"""Tickets are taken out of a query, and nothing else."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tickets.query import split_tickets


@pytest.mark.parametrize(
    ("query", "tickets", "rest"),
    [
        (b"", [], b""),
        (b"a=1", [], b"a=1"),
        (b"ticket=x", [b"x"], b""),
        (b"ticket", [b""], b""),
        (b"ticket=", [b""], b""),
        (b"ticket=x=y", [b"x=y"], b""),
        (b"a&ticket=x&&b=%zz&c=+", [b"x"], b"a&&b=%zz&c=+"),
        (b"ticket=x&ticket=y", [b"x", b"y"], b""),
        (b"t%69cket=x", [b"x"], b""),
        (
            b"Ticket=x&ticket[]=x&tickets=x&a=ticket=x",
            [],
            b"Ticket=x&ticket[]=x&tickets=x&a=ticket=x",
        ),
        (b"+ticket=x&ticket+=x&%00ticket=x", [], b"+ticket=x&ticket+=x&%00ticket=x"),
    ],
)
def test_split_tickets(query: bytes, tickets: list[bytes], rest: bytes) -> None:
    assert split_tickets(query) == (tickets, rest)


@given(st.lists(st.sampled_from(["ticket", "t%69cket", "=", "&", "a", "%", "+", ";", "%26"])))
def test_no_ticket_is_left_for_a_parser_of_queries(pieces: list[str]) -> None:
    query = "".join(pieces)
    tickets, rest = split_tickets(query.encode())
    before = parse_qsl(query, keep_blank_values=True)
    after = parse_qsl(rest.decode(), keep_blank_values=True)
    assert after == [pair for pair in before if pair[0] != "ticket"]
    assert len(tickets) == len(before) - len(after)
