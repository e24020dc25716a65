"""`If-None-Match`: which requests get 304."""

import pytest
from starlette.datastructures import Headers

from gateway.entity_tag import is_not_modified


@pytest.mark.parametrize(
    ("conditions", "etag", "expected"),
    [
        ([], '"a"', False),
        (['"a"'], '"a"', True),
        (['W/"a"'], '"a"', True),
        (['"a"'], 'W/"a"', True),
        (['"b", "a"'], '"a"', True),
        (['"b"', '"a"'], '"a"', True),
        (["*"], '"a"', True),
        ([" * "], '"a"', True),
        (['"b"'], '"a"', False),
        (['"ab"'], '"a"', False),
        (["a"], '"a"', False),
    ],
)
def test_a_condition_that_names_the_tag_is_not_modified(
    conditions: list[str], etag: str, expected: bool
) -> None:
    headers = Headers(raw=[(b"if-none-match", value.encode()) for value in conditions])
    assert is_not_modified(headers, etag) is expected
