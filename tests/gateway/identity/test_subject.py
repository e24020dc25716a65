"""The subject of an internal token: different pairs of issuer and subject never share one."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.subject import encode_subject

# Few characters, among them all that could be taken for a separator or an escape.
_TEXTS = st.text(st.sampled_from("a#%23|:/?&= é"), max_size=6) | st.text(max_size=6)


@pytest.mark.parametrize(
    ("issuer", "subject", "expected"),
    [
        ("https://login.example.com", "42", "https://login.example.com#42"),
        ("https://login.example.com/", "42", "https://login.example.com/#42"),
        ("accounts.google.com", "jane@example.com", "accounts.google.com#jane%40example.com"),
        ("https://a.example#1", "2", "https://a.example%231#2"),
        ("https://a.example", "1#2", "https://a.example#1%232"),
        ("https://a.example%231", "2", "https://a.example%25231#2"),
        ("https://a.example", "Zoë Š", "https://a.example#Zo%C3%AB%20%C5%A0"),
    ],
)
def test_issuer_and_subject_form_one_text(issuer: str, subject: str, expected: str) -> None:
    assert encode_subject(issuer, subject) == expected


@given(_TEXTS, _TEXTS, _TEXTS, _TEXTS)
def test_different_pairs_never_share_a_subject(a: str, b: str, c: str, d: str) -> None:
    assert (encode_subject(a, b) == encode_subject(c, d)) is ((a, b) == (c, d))


@given(_TEXTS, _TEXTS)
def test_the_pair_can_be_read_back(issuer: str, subject: str) -> None:
    parts = encode_subject(issuer, subject).split("#")
    assert [unquote(part) for part in parts] == [issuer, subject]
