"""The fuzzer's invariants on few inputs, for the test suite; `make fuzz` runs more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http1_grammar import MAX_HEAD_BYTES
from gateway.transport.response_parser import MalformedResponse, ResponseParser
from tests.fuzz.exchanges import ExchangeHarness
from tests.fuzz.h11_parser import parse_with_h11
from tests.fuzz.invariants import check_parser, split
from tests.fuzz.reference_parser import parse_with_reference
from tests.fuzz.seeds import DICTIONARY, iterate_seeds

SEEDS = list(iterate_seeds())
PIECES = [word.encode().decode("unicode_escape").encode() for word in DICTIONARY]
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
SPLITS = st.lists(st.integers(0, 5_000), max_size=4)


@st.composite
def mutated_responses(draw: st.DrawFn) -> bytes:
    """A response of the table with up to three insertions, deletions or replacements."""
    response = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(response)))
        end = start + draw(st.sampled_from([0, 0, 1, 2, 9]))
        response = (
            response[:start]
            + draw(st.sampled_from(PIECES) | st.binary(max_size=3))
            + response[end:]
        )
    return response


@settings(max_examples=100)
@given(mutated_responses(), SPLITS, st.booleans())
def test_other_parsers_agree_on_mutated_responses(
    response: bytes, split_at: list[int], bodiless: bool
) -> None:
    check_parser(response, split_at, bodiless=bodiless)


@pytest.mark.parametrize("bodiless", [False, True])
def test_other_parsers_agree_on_the_responses_of_the_table(bodiless: bool) -> None:
    for seed in SEEDS:
        check_parser(seed, [7, 19, 41], bodiless=bodiless)


def test_the_other_parsers_parse_a_valid_response() -> None:
    response = _CHUNKED + b"3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n"
    for parse in (parse_with_reference, parse_with_h11):
        result = parse(response, bodiless=False)
        assert (result.state, result.status, result.body) == ("complete", 200, b"hello")
        assert parse(response[:-1], bodiless=False).state != "complete"
        assert parse(response.replace(b"3;", b"z;"), bodiless=False).state == "invalid"
    assert parse_with_reference(response, bodiless=False).keeps_alive
    assert not parse_with_reference(response + b"x", bodiless=False).keeps_alive


async def test_exchanges_over_a_socket() -> None:
    async with ExchangeHarness() as harness:
        for seed in SEEDS:
            await harness.exchange(split(seed, [11, 37]), bodiless=False)


@pytest.mark.parametrize("size", [10, 1_000, 200_000])
@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        (b"HTTP/1.1 200 ", b"a"),
        (_OK + b"X: ", b"a"),
        (_OK, b"a"),
        (_OK, b"X: y\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (_CHUNKED + b"5;", b"a"),
        (_CHUNKED + b"5", b";a=b"),
        (_CHUNKED, b"0"),
        (_CHUNKED + b"0\r\n", b"X: y\r\n"),
        (_CHUNKED + b"0\r\nX: ", b"a"),
    ],
)
def test_an_endless_response_without_body_is_refused_early(
    start: bytes, repeated: bytes, size: int
) -> None:
    parser = ResponseParser()
    parser.begin(has_no_body=False)
    parser.feed(start) if start else None
    piece = (repeated * size)[: max(size, len(repeated))]
    pieces = 2 * MAX_HEAD_BYTES // len(piece) + 2
    with pytest.raises(MalformedResponse):
        _feed_all(parser, [piece] * pieces)
    assert parser.buffered == 0


def _feed_all(parser: ResponseParser, pieces: list[bytes]) -> None:
    for piece in pieces:
        parser.feed(piece)
