"""`LiveDocument`: what an operator sets of a policy; each field that is absent is left as it was.

A document has one form, its canonical JSON: equal documents have equal bytes.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictStr,
    ValidationError,
    model_validator,
)

from gateway.ratelimit.bounds import MAX_OVERRIDES, MAX_TIMES
from gateway.ratelimit.key_override import OverrideKind
from gateway.ratelimit.live.change_errors import InvalidDocument
from gateway.ratelimit.live.document_errors import describe_errors
from gateway.ratelimit.live.rfc3339 import normalize_time, to_epoch
from gateway.ratelimit.live.stored_limit import to_canonical
from gateway.ratelimit.policy_checks import MAX_TIERS
from gateway.ratelimit.rule import MAX_BURST
from gateway.settings.errors import ConfigError
from gateway.settings.rate import format_rates, parse_rates
from gateway.settings.section import conflict
from gateway.storage.journal_bounds import MAX_TEXT_LENGTH

MAX_BYTES = 128 * 1_024

_VALUES = frozenset({"rate", "limit", "burst", "shadow", "tiers", "prefetch"})
_VALUE_OF_KIND = {"rate": ("rate", "limit"), "times": ("times",), "block": (), "allow": ()}

_PARTITION = re.compile(r"[a-z][a-z0-9_-]{0,31}:[!-z|~]{1,200}")
"""The kind of a caller and its value; a brace would end the hash tag of a key in Redis."""


def _normalize_rates(text: str) -> str:
    if len(text) > 200:
        raise ValueError("must have at most 200 characters")
    return format_rates(sorted(parse_rates(text), key=lambda rate: rate.window))


def _normalize_tier(value: object) -> str | int:
    if isinstance(value, str):
        return _normalize_rates(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_BURST:
        return value
    raise ValueError("must be a rate such as 60/minute, or a number of requests at once")


def _check_partition(text: str) -> str:
    if not _PARTITION.fullmatch(text):
        raise ValueError("must be the key of a caller, such as user:#9f2c5d or address:192.0.2.7")
    return text


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must have only printable characters")
    return text


RateText = Annotated[StrictStr, AfterValidator(_normalize_rates)]
Time = Annotated[StrictStr, AfterValidator(normalize_time)]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_BURST)]
Limit = Annotated[int, Field(strict=True, ge=1, le=MAX_BURST)]
Times = Annotated[float, Field(gt=0, le=MAX_TIMES, allow_inf_nan=False)]
Printable = AfterValidator(_check_printable)
Tier = Annotated[StrictStr, Field(min_length=1, max_length=100), Printable]
TierValue = Annotated[Any, PlainValidator(_normalize_tier)]
Partition = Annotated[StrictStr, AfterValidator(_check_partition)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class OverrideDocument(_Part):
    """The values for one caller in place of those of the policy, until a time or for good."""

    kind: OverrideKind
    rate: RateText | None = None
    limit: Limit | None = None
    times: Times | None = None
    until: Time | None = None
    caller: Annotated[StrictStr, Field(max_length=256), Printable] | None = None
    reason: Annotated[StrictStr, Field(max_length=MAX_TEXT_LENGTH), Printable] = ""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        allowed = _VALUE_OF_KIND[self.kind]
        given = [name for name in ("rate", "limit", "times") if getattr(self, name) is not None]
        if extra := [name for name in given if name not in allowed]:
            raise conflict(f"is not for the kind {self.kind}", at=extra[0])
        if allowed and len(given) != 1:
            raise conflict(f"the kind {self.kind} needs {' or '.join(allowed)}", at=allowed[0])
        return self

    def has_ended(self, now: float) -> bool:
        """Whether its end has come; `now` is in seconds since the epoch."""
        return self.until is not None and to_epoch(self.until) <= now


class LiveDocument(_Part):
    """The live values of a policy, and the overrides for single callers.

    `burst` 0 is none (a sliding window), and `prefetch` 0 is exact counting. `until` ends the
    values; each override has an end of its own.
    """

    rate: RateText | None = None
    limit: Limit | None = None
    burst: Count | None = None
    shadow: StrictBool | None = None
    tiers: Annotated[dict[Tier, TierValue], Field(max_length=MAX_TIERS)] | None = None
    prefetch: Count | None = None
    until: Time | None = None
    overrides: Annotated[dict[Partition, OverrideDocument], Field(max_length=MAX_OVERRIDES)] = (
        Field(default_factory=dict)
    )

    @model_validator(mode="after")
    def _check_until(self) -> Self:
        if self.until is not None and not self.values:
            raise conflict("ends the values of the document, and it has none", at="until")
        return self

    @classmethod
    def parse(cls, value: object) -> Self:
        """Parse a document, as `json.loads` returns it.

        Raises:
            InvalidDocument: has every mistake with the path of its field.
        """
        if not isinstance(value, Mapping):
            raise InvalidDocument([ConfigError("document", "must be a JSON object")])
        try:
            document = cls.model_validate(dict(value))
        except ValidationError as error:
            raise InvalidDocument(describe_errors(error, cls, OverrideDocument)) from None
        if (size := len(document.to_text())) > MAX_BYTES:
            message = (
                f"make the document too large: it has {size} bytes as JSON, and may have "
                f"{MAX_BYTES}; use fewer overrides, or shorter reasons"
            )
            raise InvalidDocument([ConfigError("overrides", message)])
        return document

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse the text of a document.

        Raises:
            InvalidDocument: has every mistake with the path of its field.
        """
        try:
            return cls.parse(json.loads(text))
        except (json.JSONDecodeError, RecursionError):
            raise InvalidDocument([ConfigError("document", "is no JSON")]) from None

    @property
    def values(self) -> frozenset[str]:
        """The names of the fields that override a value of the policy."""
        return frozenset(name for name in _VALUES if getattr(self, name) is not None)

    @property
    def is_empty(self) -> bool:
        """Whether it overrides nothing."""
        return not self.values and not self.overrides

    def has_ended(self, now: float) -> bool:
        """Whether the end of its values has come; `now` is in seconds since the epoch."""
        return self.until is not None and to_epoch(self.until) <= now

    def to_json(self) -> dict[str, Any]:
        """Return the fields that it has, as JSON."""
        fields = self.model_dump(exclude_none=True)
        if not self.overrides:
            del fields["overrides"]
        return fields

    def to_text(self) -> str:
        """Return the canonical JSON: members in order, without space, in ASCII."""
        return to_canonical(self.to_json())
