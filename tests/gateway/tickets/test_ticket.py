"""The text of a ticket."""

from gateway.tickets.ticket import generate_text, hash_text, is_text


def test_a_text_is_256_random_bits_and_stored_as_its_hash() -> None:
    texts = {generate_text() for _ in range(100)}
    assert len(texts) == 100
    assert all(map(is_text, texts))
    assert hash_text("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
