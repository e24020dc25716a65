"""JSON bodies with a byte order mark, in other charsets, and with other media types."""

import codecs

import pytest

from gateway.transport.raw_response import RawResponse
from gateway.upstream.content_decoding import NotDecodable
from gateway.upstream.decoding import decode
from tests.gateway.upstream.example_client import Item

TEXT = '{"sku":"Grüße €"}'
LATIN = '{"sku":"Grüße"}'


def decode_body(content_type: str | None, body: bytes) -> str:
    selected = {} if content_type is None else {b"content-type": content_type.encode("latin-1")}
    return decode(Item, RawResponse(200, selected, body)).sku


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", TEXT.encode()),
        ("application/json", codecs.BOM_UTF8 + TEXT.encode()),
        ("application/json", TEXT.encode("utf-16")),
        ("application/json", TEXT.encode("utf-16-le")),
        ("application/json", TEXT.encode("utf-16-be")),
        ("application/json", codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be")),
        ("application/json", TEXT.encode("utf-32")),
        ("application/json; charset=utf-8", TEXT.encode()),
        ("application/json;charset=UTF-8", codecs.BOM_UTF8 + TEXT.encode()),
        ('application/json; charset="utf8"', TEXT.encode()),
        ("application/json; charset='utf-8'", TEXT.encode()),
        ("application/json; odata=minimal; charset=utf-16", TEXT.encode("utf-16")),
        ("application/json; charset=utf-16", TEXT.encode("utf-16-be")),
        ("application/json; charset=utf-16le", TEXT.encode("utf-16-le")),
        ("application/json; charset=windows-1252", TEXT.encode("cp1252")),
        ("application/json; charset=iso-8859-15", TEXT.encode("iso-8859-15")),
        ("application/json; charset=", TEXT.encode()),
        ("application/json;", TEXT.encode()),
        ("Application/JSON", TEXT.encode()),
        ("application/problem+json", TEXT.encode()),
        ("application/hal+json; charset=utf-8", TEXT.encode()),
        ("application/vnd.acme.order-v2+json", TEXT.encode()),
        ("text/json", TEXT.encode()),
        ("application/json, application/json", TEXT.encode()),
        (None, TEXT.encode()),
        ("", TEXT.encode()),
    ],
)
def test_json_is_decoded(content_type: str | None, body: bytes) -> None:
    assert decode_body(content_type, body) == "Grüße €"


def test_a_declared_charset_wins_over_a_guess() -> None:
    assert decode_body("application/json; charset=iso-8859-1", LATIN.encode("latin-1")) == "Grüße"


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        ("text/html", b"<html>", "the content type is 'text/html', not JSON"),
        (
            "text/html; charset=utf-8",
            b"<html>",
            "the content type is 'text/html; charset=utf-8', not JSON",
        ),
        ("text/plain", TEXT.encode(), "the content type is 'text/plain', not JSON"),
        ("json", TEXT.encode(), "the content type is 'json', not JSON"),
        ("application/jsonp", b"f()", "the content type is 'application/jsonp', not JSON"),
        ("application/x-ndjson", b"{}", "the content type is 'application/x-ndjson', not JSON"),
        (
            "application/json, text/html",
            b"{}",
            "the content type is 'application/json, text/html', not JSON",
        ),
        ("x/\xff" + "y" * 100, b"{}", "the content type is 'x/\\xff" + "y" * 57 + "', not JSON"),
        (
            "application/json; charset=klingon",
            b"{}",
            "the charset 'klingon' of the body is unknown",
        ),
        (
            "application/json; charset=zlib_codec",
            b"{}",
            "the charset 'zlib_codec' of the body is unknown",
        ),
        ("application/json; charset=utf-7", b"{}", "the charset 'utf-7' of the body is unknown"),
        ("application/json; charset=utf-16", b"{}\xff", "the body is not utf-8"),
        ("application/json; charset=ascii", TEXT.encode(), "the body is not ascii"),
        ("application/json; charset=utf-8", LATIN.encode("latin-1"), "the body is not utf-8"),
        ("application/json", LATIN.encode("latin-1"), "the body is not utf-8"),
        ("application/json", codecs.BOM_UTF8 + b"<html>", "1 wrong: body json_invalid"),
        ("application/json", codecs.BOM_UTF8, "1 wrong: body json_invalid"),
        ("application/json", b'{"sku":1}', "1 wrong: sku string_type"),
        ("application/json", '{"sku":1}'.encode("utf-16"), "1 wrong: sku string_type"),
    ],
)
def test_a_body_that_is_not_json_is_described(content_type: str, body: bytes, reason: str) -> None:
    with pytest.raises(NotDecodable) as refused:
        decode_body(content_type, body)
    assert str(refused.value) == reason
