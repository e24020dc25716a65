"""The text of a ticket, and its form in a store."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.auth.principal import Principal
from gateway.tickets.ticket import (
    Ticket,
    generate_text,
    hash_text,
    is_text,
    parse_ticket,
    serialize_ticket,
)

# What a claim of a token can be: printable text.
_NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)
_MAYBE = st.none() | _NAMES

_PRINCIPALS = st.builds(
    Principal,
    issuer=_NAMES,
    subject=_NAMES,
    scopes=st.frozensets(st.from_regex(r"[!#-Z]{1,20}", fullmatch=True)),
    user_id=_MAYBE,
    service=_MAYBE,
    tenant=_MAYBE,
    expires_at=st.floats(0, 253_402_300_800),
)


@settings(max_examples=50)
@given(_NAMES, _PRINCIPALS)
def test_a_ticket_survives_a_store(path: str, principal: Principal) -> None:
    ticket = Ticket(path, principal)
    assert parse_ticket(serialize_ticket(ticket)) == ticket


@pytest.mark.parametrize("stored", [b"", b"{}", b"[]", b"\xff", b'{"path": "/"}'])
def test_what_is_no_ticket_is_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        parse_ticket(stored)


def test_a_text_is_256_random_bits_and_stored_as_its_hash() -> None:
    texts = {generate_text() for _ in range(100)}
    assert len(texts) == 100
    assert all(map(is_text, texts))
    assert hash_text("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
