"""A ticket survives its form in a store, whatever its caller is."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.api_keys.api_key import ISSUER as KEY_ISSUER
from gateway.auth.principal import Actor, Principal, SourceToken
from gateway.tickets.signed_tickets import MAX_BYTES, InvalidTicket, SignedTickets
from gateway.tickets.ticket import Ticket
from tests.gateway.identity.verifiers import GATEWAY
from tests.gateway.tickets.signed import ISSUER, make_tokens

SIGNED = SignedTickets(make_tokens(), [ISSUER])

# What a claim of a token can be: printable text.
_NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)
_MAYBE = st.none() | _NAMES

_PRINCIPALS = st.builds(
    Principal,
    issuer=st.just(ISSUER.issuer),
    subject=_NAMES,
    scopes=st.frozensets(st.from_regex(r"[!#-Z]{1,20}", fullmatch=True)),
    user_id=_MAYBE,
    service=_MAYBE,
    tenant=_MAYBE,
    expires_at=st.floats(0, 253_402_300_800),
    client=_MAYBE,
    actors=st.lists(st.builds(Actor, _NAMES, _NAMES), max_size=3).map(tuple),
    token_issuer=st.sampled_from([ISSUER.issuer, GATEWAY]),
    sources=st.lists(
        st.builds(SourceToken, _NAMES, _MAYBE, st.none() | st.floats(0, 4e9)), max_size=3
    ).map(tuple),
    services=st.none() | st.frozensets(_NAMES, min_size=1, max_size=3),
)


@settings(max_examples=50)
@given(_NAMES, _PRINCIPALS)
def test_a_ticket_survives_a_store(path: str, principal: Principal) -> None:
    ticket = Ticket(path, principal)
    assert SIGNED.parse("a", SIGNED.sign("a", ticket, 30).encode()) == ticket


@pytest.mark.parametrize(
    "stored", [b"", b"{}", b"\xff", b"." * 3, b"a.b.c", b"a" * (MAX_BYTES + 1)]
)
def test_what_is_no_ticket_is_refused(stored: bytes) -> None:
    with pytest.raises(InvalidTicket, match="no key in force has signed it"):
        SIGNED.parse("a", stored)


@given(st.integers(0), st.integers(0, 7))
def test_a_changed_bit_is_refused(index: int, bit: int) -> None:
    principal = Principal(ISSUER.issuer, "u1", frozenset(), None, None, None, 4e9)
    stored = bytearray(SIGNED.sign("a", Ticket("/", principal), 30).encode())
    stored[index % len(stored)] ^= 1 << bit
    with pytest.raises(InvalidTicket):
        SIGNED.parse("a", bytes(stored))


@pytest.mark.parametrize(
    ("changes", "is_known"),
    [
        ({}, True),
        ({"token_issuer": GATEWAY}, True),
        ({"issuer": GATEWAY}, True),
        ({"issuer": KEY_ISSUER}, True),
        ({"issuer": KEY_ISSUER, "token_issuer": GATEWAY}, True),
        ({"issuer": "https://other.test"}, False),
        ({"issuer": "https://other.test", "token_issuer": GATEWAY}, False),
        ({"token_issuer": "https://other.test"}, False),
    ],
)
def test_a_ticket_is_for_a_caller_whose_issuer_is_known(
    changes: dict[str, Any], is_known: bool
) -> None:
    caller = Principal(ISSUER.issuer, "u1", frozenset(), None, None, None, 4e9)
    caller = replace(caller, **{"token_issuer": "", **changes})
    stored = SIGNED.sign("a", Ticket("/", caller), 30).encode()
    if is_known:
        assert SIGNED.parse("a", stored).principal == caller
        return
    with pytest.raises(InvalidTicket, match="an issuer that the settings do not have"):
        SIGNED.parse("a", stored)
