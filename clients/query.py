"""Query strings from parameters, as HTML forms write them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote_plus

Param = str | int | float | bool | None
Params = Mapping[str, Param | Sequence[Param]]

_name = lru_cache(maxsize=512)(quote_plus)


def query(params: Params | None) -> str:
    """What stands behind the path, question mark included; "" where no parameter has a value.

    A parameter that is None is left out, a list is repeated, and None in one is empty.
    """
    given = {name: value for name, value in params.items() if value is not None} if params else None
    return "?" + "&".join(_pairs(given)) if given else ""


def _pairs(given: Params) -> Iterator[str]:
    for name, value in given.items():
        # As in httpx, what else is a sequence, a range say, is one value.
        for item in value if isinstance(value, list | tuple) else (value,):
            yield f"{_name(name)}={_quoted(item)}"


def _quoted(value: object) -> str:
    if type(value) is int:
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else quote_plus(str(value))
