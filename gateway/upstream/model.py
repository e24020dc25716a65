"""What the services' answers are made of: a strict base for their types, and the time they use."""

from typing import Annotated, Any, dataclass_transform

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, StringConstraints, WithJsonSchema
from pydantic.dataclasses import dataclass
from pydantic_core import CoreSchema

from gateway.upstream.fail_fast import with_fail_fast

# With [0-9], since to pydantic's patterns \d is a digit of any script.
_DATE = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]{1,9})?"
_OFFSET = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"

# Kept as text: read into a datetime it would not leave as it came (".120Z" becomes ".120000Z").
Timestamp = Annotated[
    str,
    StringConstraints(pattern=f"^{_DATE}T{_CLOCK}{_OFFSET}$", max_length=35),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A date and time with an offset (RFC 3339, 5.6), checked for its form and passed on as it came."""


_CONFIG = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class ResponseModel:
    """Part of a service's answer: frozen, no type bent to fit, unknown fields dropped.

    What derives from it is a pydantic dataclass: a model would note for each object which of its
    fields had been set, at the price of a set for each.
    """

    def __init_subclass__(cls) -> None:
        """Make the class, as it stands, a dataclass of pydantic's."""
        super().__init_subclass__()
        dataclass(cls, config=_CONFIG, frozen=True, kw_only=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls,
        source: Any,  # noqa: ANN401 - pydantic's signature
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        """Stop at the first wrong item of a list."""
        return with_fail_fast(handler(source))
