"""The parser agrees with every response that the fast path accepts; tests/fuzz covers more."""

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.transport.fast_response import _line_cache, parse_simple_response
from gateway.transport.response_parser import MalformedResponse, ResponseParser

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"

STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 404 ", b"HTTP/1.1 500", b"HTTP/1.1 204 No", b"HTTP/1.0 200 OK",
     b"HTTP/1.1 304 Not", b"HTTP/1.1 100 Go", b"HTTP/1.1 200 \xe9\x80", b"http/1.1 200 OK"]
)  # fmt: skip
LINES = st.sampled_from(
    [b"Content-Length: 5", b"content-length:5", b"Content-Length:\t5 ", b"Content-Length: 6",
     b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length: 05", b"Content-Length:",
     b"Content-Type: application/json", b"CONTENT-TYPE: application/json; charset=utf-8 ",
     b"Content-Type:", b"Content-Type: a\tb", b"Content-Encoding: gzip", b"Retry-After: 3",
     b"Connection: keep-alive", b"Connection: close", b"connection: Keep-Alive", b"Connection:",
     b"Transfer-Encoding: chunked", b"Transfer-Encoding:", b"Upgrade: h2c", b"Trailer: X",
     b"Server: x", b"X-Empty:", b"X: \xff\xfe", b"X : y", b" X: y", b"X: a\x00b", b"X", b": x",
     b"Proxy-Connection: close", b"Keep-Alive: timeout=5", b"ETag:\"a:b\"",
     b"X-Total-Count: \t 7 \t", b"Link: </items?page=2>; rel=\"next\"", b"Set-Cookie: a=1",
     b"set-cookie: b=2", b"X: ::", b"X:\xa0y"]
)  # fmt: skip
BODIES = st.sampled_from(
    [b"hello", b"", b"hell", b"hello!", b"\r\nhel", b"5\r\nhello\r\n0\r\n\r\n"]
)


def parse(data: bytes) -> ResponseParser:
    parser = ResponseParser()
    parser.begin(has_no_body=False)
    parser.feed(data)
    return parser


def check(data: bytes) -> None:
    fast = parse_simple_response(data)
    if fast is None:
        return
    parser = parse(data)
    assert parser.is_complete
    assert parser.keeps_alive
    assert parser.head is not None
    assert parser.head.status == fast.status
    assert parser.head.selected.items() >= fast.selected.items()
    assert fast.headers.raw == httpx.Headers(parser.head.fields).raw
    # The fast path leaves out only headers that it has interpreted itself.
    assert parser.head.selected.keys() <= {b"content-type", b"content-length", b"connection"}
    assert parser.take_body() == fast.body


@settings(deadline=None, max_examples=600)
@given(st.lists(LINES, max_size=4), STATUS_LINES, BODIES, st.sampled_from([b"\r\n", b"\n"]))
@example([b"Content-Length: 5", b"Content-Length: 5"], b"HTTP/1.1 200 OK", b"hello", b"\r\n")
def test_fast_path_and_parser_read_a_response_alike(
    lines: list[bytes], status: bytes, body: bytes, end: bytes
) -> None:
    check(end.join([status, *lines, b"", body]))


@settings(deadline=None, max_examples=400)
@given(st.integers(0, len(PLAIN)), st.binary(max_size=3), st.integers(0, 3))
def test_they_read_a_mutated_simple_response_alike(at: int, instead: bytes, cut: int) -> None:
    check(PLAIN[:at] + instead + PLAIN[at + cut :])


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.replace(b"200 OK", b"503 Busy"),
        PLAIN.replace(b"Content-Type", b"Connection: keep-alive\r\ncontent-type"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_simple_responses_take_the_fast_path(data: bytes) -> None:
    assert parse_simple_response(data) is not None
    check(data)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:-1],
        PLAIN + b"!",
        PLAIN.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        PLAIN.replace(b"\r\nContent-Length", b"\r\nConnection: close\r\nContent-Length"),
        PLAIN.replace(b"\r\nContent-Length", b"\r\nContent-Encoding: gzip\r\nContent-Length"),
        PLAIN.replace(b"1.1", b"1.0"),
        PLAIN.replace(b"200 OK", b"204 OK"),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100 + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 9_000 + b"\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_every_other_response_is_left_to_the_parser(data: bytes) -> None:
    assert parse_simple_response(data) is None


def test_any_header_of_a_fast_response_can_be_read() -> None:
    fields = b"\r\nLink: <a>\r\nlink:\t<b> \r\nX-Total-Count:70\r\nX-Empty:\r\n\r\n"
    response = parse_simple_response(PLAIN.replace(b"\r\n\r\n", fields))
    assert response is not None
    headers = response.headers
    assert headers["link"] == "<a>, <b>"
    assert (headers["X-Total-Count"], headers["x-empty"]) == ("70", "")
    assert headers["content-type"] == "application/json"
    assert "HTTP/1.1 200 OK" not in headers


def test_the_parser_refuses_two_equal_lengths() -> None:
    with pytest.raises(MalformedResponse):
        parse(PLAIN.replace(b"Content-Type", b"Content-Length: 5\r\nContent-Type"))


def test_the_line_cache_is_bounded() -> None:
    for number in range(3_000):
        response = parse_simple_response(
            PLAIN.replace(b"\r\n\r\n", b"\r\nX-Id: %d\r\n\r\n" % number)
        )
        assert response is not None
    assert len(_line_cache) <= 1_024
    assert (
        parse_simple_response(PLAIN.replace(b"\r\n\r\n", b"\r\nX-Id: %b\r\n\r\n" % (b"1" * 4_000)))
        is not None
    )
    assert max(map(len, _line_cache)) <= 256


def test_a_cookie_is_never_cached() -> None:
    cookie = b"Set-Cookie: session=secret"
    assert (
        parse_simple_response(PLAIN.replace(b"\r\n\r\n", b"\r\n" + cookie + b"\r\n\r\n"))
        is not None
    )
    assert cookie not in _line_cache
