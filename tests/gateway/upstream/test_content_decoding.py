"""Compressed responses: decoded within the bound, on both transports; bombs are cheap."""

import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import httpx
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport.raw_response import MAX_ERROR_BODY_BYTES
from gateway.upstream.content_decoding import ContentDecoder, NotDecodable, decode_content
from gateway.upstream.errors import UpstreamInvalid, UpstreamRefused
from tests.gateway.transport.scripted_server import OK, respond_and_close, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

MAX = 2_097_152
JSON = b"Content-Type: application/json\r\n"
BODY = json.dumps({"sku": "A" * 50_000}).encode()


def compress_gzip(data: bytes) -> bytes:
    """Compress without the time, so that a test has the same name in each process."""
    return gzip.compress(data, mtime=0)


def deflate_raw(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


ENCODERS = {
    "gzip": compress_gzip,
    "x-gzip": compress_gzip,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
EVERY = [*ENCODERS.items(), ("deflate", deflate_raw)]
CODINGS = pytest.mark.parametrize(
    ("coding", "body"),
    [pytest.param(name, encode(BODY), id=f"{name} {encode.__name__}") for name, encode in EVERY],
)


def response(codings: str, body: bytes, status: bytes = OK) -> bytes:
    fields = b"Content-Encoding: %b\r\nContent-Length: %d\r\n" % (codings.encode(), len(body))
    return status + JSON + fields + b"\r\n" + body


@CODINGS
async def test_a_compressed_response(
    coding: str, body: bytes, either: httpx.AsyncBaseTransport
) -> None:
    async with serve_script(respond_and_close(response(coding, body))) as server:
        client = ExampleClient(server.url, transport=either)
        assert await client.item("A") == Item(sku="A" * 50_000)


@CODINGS
async def test_a_compressed_stream(
    coding: str, body: bytes, either: httpx.AsyncBaseTransport
) -> None:
    async with serve_script(respond_and_close(response(coding, body))) as server:
        client = ExampleClient(server.url, transport=either)
        async with client.stream("GET", "/") as stream:
            assert "content-encoding" not in stream.headers
            assert "content-length" not in stream.headers
            assert b"".join([piece async for piece in stream]) == BODY


@CODINGS
async def test_a_compressed_refusal(coding: str, body: bytes) -> None:
    small = ENCODERS[coding](b'{"sku":"A"}')
    status = b"HTTP/1.1 409 Conflict\r\n"
    async with serve_script(respond_and_close(response(coding, small, status))) as server:
        with pytest.raises(UpstreamRefused) as refused:
            await ExampleClient(server.url).item("A")
    assert refused.value.body == b'{"sku":"A"}'
    assert refused.value.decode(Item) == Item(sku="A")


async def test_a_bomb_in_a_refusal_has_no_body() -> None:
    bomb = compress_gzip(b" " * (MAX_ERROR_BODY_BYTES + 1))
    status = b"HTTP/1.1 409 Conflict\r\n"
    async with serve_script(respond_and_close(response("gzip", bomb, status))) as server:
        with pytest.raises(UpstreamRefused) as refused:
            await ExampleClient(server.url).item("A")
    assert refused.value.body == b""
    with pytest.raises(UpstreamInvalid, match="larger than 16384 bytes"):
        refused.value.decode(Item)


@CODINGS
@pytest.mark.parametrize("missing", [1, 5, 100])
async def test_a_body_that_is_cut_off_is_invalid(coding: str, body: bytes, missing: int) -> None:
    cut = response(coding, body[: max(1, len(body) - missing)])
    async with serve_script(respond_and_close(cut)) as server:
        with pytest.raises(UpstreamInvalid, match=r"is cut off|is not valid"):
            await ExampleClient(server.url).item("A")


@CODINGS
async def test_a_stream_that_is_cut_off_is_invalid(coding: str, body: bytes) -> None:
    cut = response(coding, body[:-1])
    async with (
        serve_script(respond_and_close(cut)) as server,
        ExampleClient(server.url).stream("GET", "/") as stream,
    ):
        with pytest.raises(UpstreamInvalid, match="is cut off"):
            [piece async for piece in stream]


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("br, gzip", compress_gzip(brotli.compress(BODY))),
        ("gzip,gzip , gzip", compress_gzip(compress_gzip(compress_gzip(BODY)))),
        ("identity, GZIP", compress_gzip(BODY)),
        ("gzip", compress_gzip(BODY[:9]) + compress_gzip(BODY[9:])),
        ("gzip", compress_gzip(BODY) + b"\0" * 99),
        ("zstd", zstandard.compress(BODY[:9]) + zstandard.compress(BODY[9:])),
        ("identity", BODY),
        ("utf-8", BODY),
        ("", BODY),
    ],
)
def test_several_codings_and_members(codings: str, body: bytes) -> None:
    assert decode_content(codings, body, MAX) == BODY


@pytest.mark.parametrize(
    ("codings", "body", "reason"),
    [
        ("compress", b"x", "the content coding 'compress' is unknown"),
        ("gzip;q=1", b"x", "the content coding 'gzip;q=1' is unknown"),
        ("gzip, gzip, gzip, gzip", b"x", "the body has more than 3 content codings"),
        ("gzip", b"not gzip", "the body is not valid gzip"),
        ("gzip", compress_gzip(b"a") + b"garbage", "the body is not valid gzip"),
        ("gzip", compress_gzip(b"a")[:-4] + b"\0\0\0\0", "the body is not valid gzip"),
        ("deflate", b"\xff\xff\xff", "the body is not valid deflate"),
        ("deflate", zlib.compress(b"a") + b"garbage", "the body is not valid deflate"),
        ("deflate", b"x", "the deflate body is cut off"),
        ("br", brotli.compress(b"a") + b"garbage", "the body is not valid br"),
        ("zstd", zstandard.compress(b"a") + b"garbage", "the body is not valid zstd"),
        ("zstd", b"\x28\xb5\x2f\xfd\xff", "the zstd body is cut off"),
    ],
)
def test_an_invalid_body(codings: str, body: bytes, reason: str) -> None:
    with pytest.raises(NotDecodable) as refused:
        decode_content(codings, body, MAX)
    assert str(refused.value) == reason


def test_an_empty_body_has_no_coding() -> None:
    assert decode_content("gzip", b"", MAX) == b""


def make_wide_frame() -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(b"x" * 1_000) + compressor.flush()


ZEROS = b"\0" * 2**26
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip": ("gzip", lambda: compress_gzip(ZEROS)),
    "deflate": ("deflate", lambda: zlib.compress(ZEROS)),
    "br": ("br", lambda: brotli.compress(ZEROS, quality=5)),
    "zstd": ("zstd", lambda: zstandard.ZstdCompressor(level=9).compress(ZEROS)),
    "gzip in gzip": ("gzip, gzip", lambda: compress_gzip(compress_gzip(ZEROS))),
    "empty members": ("gzip, gzip", lambda: compress_gzip(compress_gzip(b"") * 200_000)),
    "more empty members": ("gzip", lambda: compress_gzip(b"") * 100_000),
    "empty frames": ("zstd", lambda: zstandard.compress(b"") * 100_000),
    "a window of 128 MiB": ("zstd", make_wide_frame),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_costs_no_more_than_a_valid_body(bomb: str) -> None:
    codings, make = BOMBS[bomb]
    body = make()
    started = time.process_time()
    tracemalloc.start()
    with pytest.raises(NotDecodable, match=r"larger than 2097152 bytes|not valid"):
        decode_content(codings, body, MAX)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MAX
    assert time.process_time() - started < 5  # without the bounds some take minutes


@given(
    st.lists(st.sampled_from(sorted(ENCODERS)), min_size=1, max_size=3),
    st.binary(max_size=5_000),
    st.integers(1, 700),
)
def test_decoding_is_the_inverse_of_encoding_however_the_pieces_fall(
    codings: list[str], data: bytes, size: int
) -> None:
    body = data
    for coding in codings:
        body = ENCODERS[coding](body)
    decoder = ContentDecoder(", ".join(codings), MAX)
    pieces = [
        piece
        for start in range(0, len(body), size)
        for piece in decoder.decode(body[start : start + size])
    ]
    decoder.finish()
    assert b"".join(pieces) == data
