"""The types of single settings, and the words for a value that does not fit."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from gateway.settings.database_address import check_database_url
from gateway.settings.rate import UNITS, Rate, format_rates, parse_rates
from gateway.settings.redis_address import check_redis_url

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3
CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""The id of a client of the gateway, and the name of the holder of an API key."""


def _check_client_id(name: str) -> str:
    if not CLIENT_ID.fullmatch(name):
        raise ValueError("must be 1 to 64 letters, digits and . _ -")
    return name


def _check_scope(scope: str) -> str:
    if not _SCOPE.fullmatch(scope):
        raise ValueError("must be a scope, which is one word, such as orders:read")
    return scope


def _check_names(value: object) -> object:
    """Check one name, or a list of names."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        # A ValueError, because pydantic reports no TypeError.
        raise ValueError("must be a string or a list of strings")
    if not names or not all(names):
        raise ValueError("must not be empty")
    return value


def _check_path(path: Path) -> Path:
    if not path.name:
        raise ValueError("must be the path of a file")
    if "\0" in str(path):
        raise ValueError("must be a path without a NUL character")
    return path


def _check_key_prefix(prefix: str) -> str:
    """Check a prefix of keys: no braces, which would change the hash tag of a Redis Cluster."""
    if not re.fullmatch(r"[A-Za-z0-9:._-]*", prefix):
        raise ValueError("must consist of letters, digits and : . _ - alone")
    return prefix


def _parse_rate(value: object) -> object:
    if isinstance(value, Rate):
        return value
    words = f"must be a count, a slash and a unit ({', '.join(UNITS)}), such as 120/minute"
    if not isinstance(value, str):
        raise ValueError(words)  # noqa: TRY004 - pydantic reports no TypeError
    try:
        return Rate.parse(value)
    except ValueError:
        raise ValueError(words) from None


def _parse_rates(value: object) -> object:
    """Parse the rate of a policy, or its rates for several windows."""
    if isinstance(value, str) and "," in value:
        try:
            return parse_rates(value)
        except ValueError as error:
            raise ValueError(f"must be rates, separated by commas: {error}") from None
    if isinstance(value, tuple) and value and all(isinstance(one, Rate) for one in value):
        return value
    return _parse_rate(value)


Text = Annotated[str, Field(min_length=1)]
Flag = Annotated[bool, Field(strict=True)]
Port = Annotated[int, Field(strict=True, ge=0, le=65_535)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Bytes = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000_000)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Seconds = Annotated[Number, Field(gt=0, le=86_400)]
Names = Annotated[Text | tuple[Text, ...], BeforeValidator(_check_names)]
ScopeName = Annotated[str, AfterValidator(_check_scope)]
ClientId = Annotated[str, AfterValidator(_check_client_id)]
RedisUrl = Annotated[str, BeforeValidator(check_redis_url)]
DatabaseUrl = Annotated[str, BeforeValidator(check_database_url)]
KeyPrefix = Annotated[str, Field(max_length=64), AfterValidator(_check_key_prefix)]
FilePath = Annotated[Path, AfterValidator(_check_path)]
RateText = Annotated[Rate, BeforeValidator(_parse_rate), PlainSerializer(str)]
RatesText = Annotated[
    Rate | tuple[Rate, ...], BeforeValidator(_parse_rates), PlainSerializer(format_rates)
]
