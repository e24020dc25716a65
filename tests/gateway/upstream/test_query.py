"""Query strings equal those of httpx, byte for byte."""

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.upstream.query import Param, encode_query

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["a b", "1+1", "%41", "~._-", "a/b?c#d&e=f", "", "été", "\N{SNOWMAN}", "\r\n\x00", "[]'\"<>`{}"]
)
ONE: st.SearchStrategy[Param] = st.one_of(
    TEXT, st.integers(), st.floats(), st.booleans(), st.none()
)


@settings(deadline=None, max_examples=400)
@given(st.dictionaries(TEXT, ONE | st.lists(ONE, max_size=3) | st.tuples(ONE, ONE), max_size=4))
def test_any_parameters(params: dict[str, Param | list[Param] | tuple[Param, ...]]) -> None:
    given = {name: value for name, value in params.items() if value is not None}
    theirs = httpx.Request("GET", "http://service.test/items", params=given or None).url.raw_path
    assert f"/items{encode_query(params)}".encode("ascii") == theirs


def test_any_other_sequence_is_one_value() -> None:
    theirs = httpx.URL("http://service.test/", params={"q": range(3)}).raw_path
    assert (
        encode_query({"q": range(3)}) == theirs.decode().removeprefix("/") == "?q=range%280%2C+3%29"
    )


def test_surrogates_are_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        encode_query({"q": "\ud800"})
