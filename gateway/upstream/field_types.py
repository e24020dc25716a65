"""Types for values that services write in JSON in other ways than pydantic expects.

They are as strict as `ResponseModel`: each accepts one form. The gateway sends the form that is
usual in its own API: RFC 3339 for a time, and the same digits for a decimal.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_DECIMAL_TEXT: Final = {"type": "string", "pattern": "^-?[0-9]+([.][0-9]+)?$"}


def _read_epoch_seconds(value: object) -> object:
    return _read_epoch(value, timedelta(seconds=1))


def _read_epoch_milliseconds(value: object) -> object:
    return _read_epoch(value, timedelta(milliseconds=1))


def _read_epoch(value: object, unit: timedelta) -> object:
    """Convert a number since the epoch; a datetime is valid already, for code and tests."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a time is a number since the epoch")  # noqa: TRY004 - as pydantic asks
    try:
        return _EPOCH + value * unit
    except (OverflowError, ValueError):
        raise ValueError("the time is not between the years 1 and 9999") from None


def _read_decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise ValueError("a decimal is a string of digits such as 12.50")
    return Decimal(value)


def _write_decimal(value: Decimal) -> str:
    return f"{value:f}"  # never 1E+5


EpochSeconds = Annotated[datetime, BeforeValidator(_read_epoch_seconds)]
"""A time in UTC, which the service sends as a number of seconds since 1970 (Unix time)."""

EpochMilliseconds = Annotated[datetime, BeforeValidator(_read_epoch_milliseconds)]
"""A time in UTC, which the service sends as a number of milliseconds since 1970."""

DecimalText = Annotated[
    Decimal,
    BeforeValidator(_read_decimal),
    PlainSerializer(_write_decimal, return_type=str),
    WithJsonSchema(_DECIMAL_TEXT),
]
"""A decimal number, such as an amount of money, which the service sends as a string.

A JSON number is refused: it would be rounded to a float. The digits are sent as they came:
"12.50" stays "12.50".
"""
