"""`find_secrets`: finds the end of a secret, or of a part of a token, between other bytes."""

from secrets import token_urlsafe

import pytest

from tests.proofs.secret_search import find_secrets

SECRET = f"lgs_{token_urlsafe(32)}"
TOKEN = ".".join(token_urlsafe(64) for _ in range(3))
PARTS = TOKEN.split(".")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (f"\0{SECRET}\0", {SECRET}),
        (f"before{SECRET}after", {SECRET}),
        (SECRET[-20:], {SECRET}),
        (SECRET[:-1], set()),
        (f"Bearer {TOKEN}", {TOKEN}),
        (PARTS[1], {TOKEN}),
        (PARTS[2], {TOKEN}),
        (f"{SECRET} {TOKEN}", {SECRET, TOKEN}),
        ("", set()),
    ],
    ids=range(9),  # the texts are random, and each process must collect the same tests
)
def test_a_secret_is_found(content: str, found: set[str]) -> None:
    assert find_secrets({SECRET, TOKEN}, [b"", content.encode()]) == found


def test_a_secret_that_is_too_short_is_an_error() -> None:
    with pytest.raises(AssertionError, match="too short"):
        find_secrets({"short"}, [])
