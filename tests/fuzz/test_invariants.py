"""The fuzzer's invariants in small, for every run of the suite; `make fuzz` looks further."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http1_grammar import MAX_HEAD_BYTES
from gateway.transport.response_parser import MalformedResponse, ResponseParser
from tests.fuzz.exchanges import Exchanges
from tests.fuzz.invariants import check, cut
from tests.fuzz.reference import read
from tests.fuzz.rival import rival
from tests.fuzz.seeds import WORDS, seeds

SEEDS = list(seeds())
PIECES = [word.encode().decode("unicode_escape").encode() for word in WORDS]
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
CUTS = st.lists(st.integers(0, 5_000), max_size=4)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """An answer of the table with a few pieces put in, taken out or put in place of others."""
    answer = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(answer)))
        end = start + draw(st.sampled_from([0, 0, 1, 2, 9]))
        answer = (
            answer[:start] + draw(st.sampled_from(PIECES) | st.binary(max_size=3)) + answer[end:]
        )
    return answer


@settings(max_examples=100)
@given(answers(), CUTS, st.booleans())
def test_what_ours_believes_others_believe_however_it_is_cut(
    answer: bytes, cuts: list[int], bodiless: bool
) -> None:
    check(answer, cuts, bodiless=bodiless)


@pytest.mark.parametrize("bodiless", [False, True])
def test_the_answers_of_the_table_are_read_alike(bodiless: bool) -> None:
    for seed in SEEDS:
        check(seed, [7, 19, 41], bodiless=bodiless)


def test_both_other_readers_read_what_is_well_formed() -> None:
    whole = _CHUNKED + b"3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n"
    for other in (read, rival):
        found = other(whole, bodiless=False)
        assert (found.state, found.status, found.body) == ("whole", 200, b"hello")
        assert other(whole[:-1], bodiless=False).state != "whole"
        assert other(whole.replace(b"3;", b"z;"), bodiless=False).state == "none"
    assert read(whole, bodiless=False).keeps_alive
    assert not read(whole + b"x", bodiless=False).keeps_alive


async def test_whole_exchanges() -> None:
    async with Exchanges() as exchanges:
        for seed in SEEDS:
            await exchanges.put(cut(seed, [11, 37]), bodiless=False)


@pytest.mark.parametrize("size", [10, 1_000, 200_000])
@pytest.mark.parametrize(
    ("start", "forever"),
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
def test_what_is_no_body_ends_soon_however_it_comes(
    start: bytes, forever: bytes, size: int
) -> None:
    parser = ResponseParser()
    parser.begin(has_no_body=False)
    parser.feed(start) if start else None
    piece = (forever * size)[: max(size, len(forever))]
    pieces = 2 * MAX_HEAD_BYTES // len(piece) + 2
    with pytest.raises(MalformedResponse):
        _feed_all(parser, [piece] * pieces)
    assert parser.buffered == 0


def _feed_all(parser: ResponseParser, pieces: list[bytes]) -> None:
    for piece in pieces:
        parser.feed(piece)
