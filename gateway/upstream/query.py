"""Encoding of query strings (application/x-www-form-urlencoded, as in HTML forms)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote_plus

from gateway.upstream.errors import InvalidArgument
from gateway.upstream.lone_surrogates import NO_LONE_SURROGATES

Param = str | int | float | bool | None
Params = Mapping[str, Param | Sequence[Param]]
"""Query parameters: text, numbers, booleans, or a list of these, which repeats the parameter.

A parameter that is None is left out. True is sent as `true`.
"""

_REPEATED = (list, tuple)

_quote_name = lru_cache(maxsize=512)(quote_plus)


def encode_query(params: Params | None) -> str:
    """Encode the query with its question mark; return "" if no parameter has a value.

    None omits a parameter. A list repeats the parameter; None in a list is an empty value.

    Raises:
        InvalidArgument: a value cannot be encoded.
    """
    if not params:
        return ""
    pairs: list[str] = []
    has_value = False
    for name, value in params.items():
        if value is None:
            continue
        has_value = True
        if type(value) is int:
            pairs.append(f"{_quote_name(name)}={value}")
        # As in httpx, any other sequence, such as a range, is one value.
        elif isinstance(value, _REPEATED):
            pairs += [f"{_quote_name(name)}={_quote_value(name, item)}" for item in value]
        else:
            pairs.append(f"{_quote_name(name)}={_quote_value(name, value)}")
    return "?" + "&".join(pairs) if has_value else ""


def _quote_value(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    try:
        return text if text.isascii() and text.isalnum() else quote_plus(text)
    except UnicodeEncodeError:
        raise InvalidArgument(name, NO_LONE_SURROGATES) from None
