"""The path of a request is decoded once; a path that programs read differently is refused."""

import re
import unicodedata
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.request_path import (
    InvalidPath,
    decode_parameter,
    decode_path,
    encode_segment,
    encode_segments,
    is_plain,
)


@pytest.mark.parametrize(
    ("raw_path", "path"),
    [
        (b"/", "/"),
        (b"*", "*"),  # of OPTIONS
        (b"/dashboard/42", "/dashboard/42"),
        (b"/dashboard/42/", "/dashboard/42/"),
        (b"/a%20b", "/a b"),
        (b"/a+b", "/a+b"),
        (b"/100%25", "/100%"),
        (b"/a%3Fb%23c", "/a?b#c"),
        (b"/caf%C3%A9", "/caf\u00e9"),
        (b"/%F0%9F%8D%8B", "/\U0001f34b"),
        (b"/cafe%CC%81", "/cafe\u0301"),  # Unicode is not normalized
        (b"/%EF%BD%92eadyz", "/\uff52eadyz"),
        (b"/a%2Fb/c%2fd", "/a%2Fb/c%2Fd"),
        (b"/%2F%2F", "/%2F%2F"),
        (b"/a%252Fb%2525c", "/a%252Fb%2525c"),  # else it would look like an escape
        (b"/%252e%252e/x", "/%252e%252e/x"),  # else a URL built from the path would have ..
        (b"/%25C3%25A9/%25%25zz", "/%25C3%25A9/%%zz"),
        (b"/a;b=1,c/d:e@f", "/a;b=1,c/d:e@f"),
        (b"/..;/x", "/..;/x"),
        (b"/.../.x/x.", "/.../.x/x."),
        (b"/.well-known/x", "/.well-known/x"),
        (b"/a%5Cb", "/a\\b"),
        (b"/user%2D1%2E2%5F3%7E", "/user-1.2_3~"),
        (b"/%5B%7B%22%3C%7C", '/[{"<|'),
        (b'/a"<>^`{|}[]', '/a"<>^`{|}[]'),
    ],
)
def test_a_path_is_decoded_once(raw_path: bytes, path: str) -> None:
    assert decode_path(raw_path) == path


@pytest.mark.parametrize(
    ("raw_path", "reason"),
    [
        *((b"/x%%%02x" % code, "control character") for code in [*range(32), 127]),
        *((b"/x%%C2%%%02X/y" % code, "control character") for code in range(0x80, 0xA0)),
        (b"/x%E2%80%A8", "control character"),  # U+2028, a line separator
        (b"/x%E2%80%A9", "control character"),
        (b"/x\x00", "control character"),
        (b"/%ff", "UTF-8"),
        (b"/%C3", "UTF-8"),
        (b"/%C3/%A9", "UTF-8"),
        (b"/%C0%AF", "UTF-8"),  # an overlong slash
        (b"/%C0%AE%C0%AE/x", "UTF-8"),
        (b"/%E0%80%AF", "UTF-8"),
        (b"/%F0%80%80%AF", "UTF-8"),
        (b"/%ED%A0%80", "UTF-8"),  # a surrogate
        (b"/%F4%90%80%80", "UTF-8"),  # above U+10FFFF
        (b"/\xff", "UTF-8"),
        (b"/%", "hexadecimal"),
        (b"/%4", "hexadecimal"),
        (b"/%zz", "hexadecimal"),
        (b"/%u002f", "hexadecimal"),
        (b"/100%/x", "hexadecimal"),
        (b"/%%41", "hexadecimal"),
        (b"/%72eadyz", "letter or digit"),
        (b"/dashboard/%34%32", "letter or digit"),
        (b"/%5A%7a%6F", "letter or digit"),
        (b"//", "empty segment"),
        (b"//readyz", "empty segment"),
        (b"/a//b", "empty segment"),
        (b"/a/b//", "empty segment"),
        (b"/a\\b", "backslash"),
        (b"/\\readyz", "backslash"),
        (b"/.", 'segment "[.]" or "[.][.]"'),
        (b"/x/../readyz", 'segment "[.]" or "[.][.]"'),
        (b"/./readyz", 'segment "[.]" or "[.][.]"'),
        (b"/readyz/.", 'segment "[.]" or "[.][.]"'),
        (b"/x/%2e%2e/readyz", 'segment "[.]" or "[.][.]"'),
        (b"/x/.%2E/readyz", 'segment "[.]" or "[.][.]"'),
        (b"/x/..%2Freadyz", 'segment "[.]" or "[.][.]"'),
        (b"/x/a%2f..", 'segment "[.]" or "[.][.]"'),
        (b"/x/..%5Creadyz", 'segment "[.]" or "[.][.]"'),
        (b"/x/a%5c..%5c", 'segment "[.]" or "[.][.]"'),
    ],
    ids=repr,
)
def test_a_path_that_programs_read_differently_is_refused(raw_path: bytes, reason: str) -> None:
    with pytest.raises(InvalidPath, match=reason):
        decode_path(raw_path)


PIECES = st.sampled_from(
    [
        b"/",
        b"/",
        b"a",
        b".",
        b"..",
        b"%2F",
        b"%2f",
        b"%25",
        b"2e",
        b"%2E",
        b"%5C",
        b"%0a",
        b"%C3%A9",
        b"%ff",
    ]
)


@given(st.lists(PIECES, max_size=8).map(lambda pieces: b"/" + b"".join(pieces)))
def test_a_decoded_path_has_the_segments_of_the_raw_path(raw_path: bytes) -> None:
    try:
        path = decode_path(raw_path)
    except InvalidPath:
        assert not is_plain(raw_path)
        return
    assert path.count("/") == raw_path.count(b"/")
    assert decode_parameter(path) == unquote(raw_path.decode())
    assert not {"", ".", ".."} & set(path.strip("/").split("/")) or path == "/"
    assert all(unicodedata.category(it) != "Cc" for it in decode_parameter(path))
    assert not is_plain(raw_path) or path == raw_path.decode()


@given(st.lists(PIECES, max_size=8).map(lambda pieces: b"/" + b"".join(pieces)))
def test_a_url_that_is_built_from_the_path_names_the_same_path(raw_path: bytes) -> None:
    try:
        path = decode_path(raw_path)
    except InvalidPath:
        return
    escaped = re.findall("%[0-9A-Fa-f]{2}", path)
    assert {it.upper() for it in escaped} <= {"%25", "%2F"}
    without_bare_percent = re.sub("%(?![0-9A-Fa-f]{2})", "%25", path)
    assert decode_path(quote(without_bare_percent, safe="/%").encode()) == path


VALUES = st.text(
    st.sampled_from("/%?#.\\ +;:@&=\"'{}25eEFf\u00e9\U0001f34b"), min_size=1, max_size=8
)


@given(VALUES, st.sampled_from(["/echo/{}", "/echo/x-{}/edit"]))
def test_a_segment_has_the_value_for_which_it_was_built(value: str, template: str) -> None:
    segment = encode_segment(value)
    try:
        path = decode_path(template.format(segment).encode())
    except InvalidPath as error:
        assert "segment" in str(error)  # noqa: PT017 - no client can send such a value either
        assert {".", ".."} & set(re.split(r"[/\\]", template.format(value)))
        return
    before, after = template.split("{}")
    found = path.removeprefix(before).removesuffix(after)
    assert "/" not in found
    assert decode_parameter(found) == value


@given(VALUES)
def test_segments_have_the_value_for_which_they_were_built(value: str) -> None:
    try:
        path = decode_path(f"/files/{encode_segments(value)}".encode())
    except InvalidPath:
        assert {".", ".."} & set(re.split(r"[/\\]", value))
        return
    assert decode_parameter(path.removeprefix("/files/")) == value


def test_a_slash_within_segments_is_not_escaped_without_need() -> None:
    assert encode_segments("a b/c/") == "a%20b/c/"
    assert encode_segments("/a//b") == "%2Fa/%2Fb"
