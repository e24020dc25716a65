"""Content codings of a document, and bombs in them."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial

import brotli
import pytest
import zstandard

from gateway.auth.jwks.content_coding import decode_content

BODY = b'{"keys":[]}' * 20
LIMIT = 1_000


def raw_deflate(data: bytes) -> bytes:
    """Compress without the header of zlib."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def zstd_of_unknown_size(data: bytes) -> bytes:
    """Compress as a stream, so that the frame does not name its size."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "deflate": zlib.compress,
    " deflate ": raw_deflate,
    "br": partial(brotli.compress, quality=1),
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd,": zstd_of_unknown_size,
    "identity": bytes,
    "": bytes,
    "identity, gzip": gzip.compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data), quality=1),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_is_decoded(coding: str) -> None:
    assert decode_content(CODINGS[coding](BODY), coding, LIMIT) == BODY


def test_members_of_gzip_and_frames_of_zstd_are_joined() -> None:
    assert decode_content(gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]), "gzip", LIMIT) == BODY
    compress = zstandard.ZstdCompressor().compress
    assert decode_content(compress(BODY[:9]) + compress(BODY[9:]), "zstd", LIMIT) == BODY


COMPRESSED = [name for name in CODINGS if name not in {"", "identity"}]


@pytest.mark.parametrize("coding", COMPRESSED)
def test_the_bound_holds(coding: str) -> None:
    assert len(decode_content(CODINGS[coding](b"x" * LIMIT), coding, LIMIT)) == LIMIT
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        decode_content(CODINGS[coding](b"x" * (LIMIT + 1)), coding, LIMIT)


@pytest.mark.parametrize("coding", COMPRESSED)
def test_a_bomb_costs_no_memory(coding: str) -> None:
    bomb = CODINGS[coding](bytes(30_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than 1000 bytes"):
            decode_content(bomb, coding, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("coding", COMPRESSED)
def test_an_incomplete_or_corrupt_body_is_refused(coding: str) -> None:
    body = CODINGS[coding](BODY)
    with pytest.raises(ValueError, match="not valid"):
        decode_content(b"no such format" + body, coding, LIMIT)
    if "zstd" in coding:  # the decoder does not tell; an incomplete JSON document is refused later
        assert len(decode_content(body[:-1], coding, LIMIT)) <= len(BODY)
        return
    for incomplete in (body[:-1], body[: len(body) // 2]):
        with pytest.raises(ValueError, match="not valid"):
            decode_content(incomplete, coding, LIMIT)


@pytest.mark.parametrize(
    ("coding", "problem"),
    [
        ("compress", "unknown content coding 'compress'"),
        ("gzip;q=1", "unknown content coding 'gzip;q=1'"),
        ("gzip, gzip, gzip", "more than 2 content codings"),
    ],
)
def test_other_codings_are_refused(coding: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode_content(gzip.compress(BODY), coding, LIMIT)
