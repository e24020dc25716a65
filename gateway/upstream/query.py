"""Query strings from parameters, as HTML forms write them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote_plus

Param = str | int | float | bool | None
Params = Mapping[str, Param | Sequence[Param]]

_REPEATED = (list, tuple)

_name = lru_cache(maxsize=512)(quote_plus)


def encode_query(params: Params | None) -> str:
    """What stands behind the path, question mark included; "" where no parameter has a value.

    A parameter that is None is left out, a list is repeated, and None in one is empty.
    """
    if not params:
        return ""
    pairs: list[str] = []
    given = False
    for name, value in params.items():
        if value is None:
            continue
        given = True
        if type(value) is int:
            pairs.append(f"{_name(name)}={value}")
        # As in httpx, what else is a sequence, a range say, is one value.
        elif isinstance(value, _REPEATED):
            pairs += [f"{_name(name)}={_quoted(item)}" for item in value]
        else:
            pairs.append(f"{_name(name)}={_quoted(value)}")
    return "?" + "&".join(pairs) if given else ""


def _quoted(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if text.isascii() and text.isalnum() else quote_plus(text)
