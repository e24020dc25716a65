"""The choice of a content coding by `Accept-Encoding`."""

import gzip

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.content_encoding import CODINGS, MAX_HEADER_BYTES, choose_coding


@pytest.mark.parametrize(
    ("accept_encoding", "coding", "is_identity_refused"),
    [
        ("gzip, deflate, br, zstd", "zstd", False),
        ("gzip, deflate, br", "br", False),
        ("gzip", "gzip", False),
        ("GZip", "gzip", False),
        ("x-gzip", "gzip", False),
        ("gzip;q=1.0, br;q=0.5", "gzip", False),
        ("br;q=0.500,gzip;q=0.501", "gzip", False),
        ("gzip ; q=0.5 , zstd;q=0", "gzip", False),
        ("gzip;q=0", None, False),
        ("gzip;q=0.000", None, False),
        ("zstd;q=0, br;q=0, *", "gzip", False),
        ("*", "zstd", False),
        ("*;q=0", None, False),
        ("gzip, *;q=0", "gzip", True),
        ("gzip, identity;q=0", "gzip", True),
        ("gzip, *;q=0, identity;q=0.1", "gzip", False),
        ("identity;q=0", None, False),
        ("identity", None, False),
        ("identity, gzip;q=0.5", None, False),
        ("identity;q=0.5, gzip", "gzip", False),
        ("identity;q=1, gzip;q=1", "gzip", False),
        ("deflate", None, False),
        ("compress, exi, pack200-gzip", None, False),
        ("", None, False),
        (",, ,", None, False),
        ("gzip;q=2", None, False),
        ("gzip;q=-1", None, False),
        ("gzip;q=abc", None, False),
        ("gzip;q=", None, False),
        ("gzip;q=0.1234", None, False),
        ("gzip;level=9", None, False),
        ("gzip;q=nan", None, False),
        ("gz ip", None, False),
        ("gzip;q=x, br", "br", False),
        ("gzip;Q=0", None, False),
        ("gzip, gzip;q=0", None, False),
        ("\xff", None, False),
        ("gzip," * MAX_HEADER_BYTES, None, False),
    ],
)
def test_the_coding_that_a_client_wants_most(
    accept_encoding: str, coding: str | None, is_identity_refused: bool
) -> None:
    choice = choose_coding(accept_encoding.encode("latin-1"))
    assert (choice.coding, choice.is_identity_refused) == (coding, is_identity_refused)


WEIGHTS = st.sampled_from(["", ";q=0", ";q=0.2", ";q=0.7", ";q=1"])
NAMES = st.sampled_from(["gzip", "br", "zstd", "deflate", "identity", "*"])


@given(st.dictionaries(NAMES, WEIGHTS))
def test_no_refused_coding_is_chosen_and_none_that_is_wanted_less(wanted: dict[str, str]) -> None:
    """Compared with RFC 9110, 12.5.3, written for one coding at a time."""

    def weigh(coding: str) -> float:
        weight = wanted.get(coding, wanted.get("*"))
        return 0 if weight is None else float(weight.removeprefix(";q=") or "1")

    text = ", ".join(name + weight for name, weight in wanted.items())
    coding = choose_coding(text.encode()).coding
    best = max(map(weigh, CODINGS))
    explicit = weigh("identity") if "identity" in wanted else 0
    if best == 0 or explicit > best:
        assert coding is None
    else:
        assert coding is not None
        assert weigh(coding) == best


@pytest.mark.parametrize(
    ("coding", "decode"),
    [
        ("gzip", gzip.decompress),
        ("br", brotli.decompress),
        ("zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
    ],
)
@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_pieces_and_wholes_are_decoded_by_others(coding: str, decode: object, size: int) -> None:
    body = bytes(number * 7 % 251 for number in range(size))
    encoder = CODINGS[coding]()
    pieces = encoder.add(body[: size // 2]) + encoder.add(body[size // 2 :]) + encoder.finish()
    assert callable(decode)
    assert decode(pieces) == decode(CODINGS[coding]().encode(body)) == body
