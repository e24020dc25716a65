"""The base class of response models, and a type for timestamps."""

from typing import Annotated, Any, ClassVar, dataclass_transform

from pydantic import (
    AliasGenerator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass
from pydantic_core import CoreSchema

from gateway.upstream.pydantic_internals import with_fail_fast

# [0-9], because \d matches the digits of every script in pydantic's patterns.
_DATE = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]{1,9})?"
_OFFSET = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"

# Kept as a string: a datetime would change the text (".120Z" becomes ".120000Z").
Timestamp = Annotated[
    str,
    StringConstraints(pattern=f"^{_DATE}T{_CLOCK}{_OFFSET}$", max_length=35),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A date and time with an offset (RFC 3339, 5.6); the text is validated and not converted."""


_CONFIG = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)

# Only for reading: a validation alias has no effect on what the gateway sends. Code constructs
# models by the names of the fields.
_CAMEL_CASE = ConfigDict(
    alias_generator=AliasGenerator(validation_alias=to_camel),
    validate_by_alias=True,
    validate_by_name=True,
)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class ResponseModel:
    """The base class of response models: frozen and strict; unknown fields are dropped.

    Strict means that no value is converted: "7" is not an int. A subclass becomes a pydantic
    dataclass, which is cheaper than a model: a model also stores the set of fields that were set.

    `class Order(ResponseModel, camel_case=True)` reads the field `user_id` from `userId`; its
    subclasses do so too. The gateway sends `user_id`.
    """

    _config: ClassVar[ConfigDict] = _CONFIG

    def __init_subclass__(cls, *, camel_case: bool | None = None) -> None:
        """Turn the class into a pydantic dataclass; `camel_case` is inherited."""
        super().__init_subclass__()
        if camel_case is not None:
            cls._config = _CONFIG | _CAMEL_CASE if camel_case else _CONFIG
        dataclass(cls, config=cls._config, frozen=True, kw_only=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls,
        source: Any,  # noqa: ANN401 - pydantic's signature
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        """Return the schema, with validation of lists stopping at the first invalid item."""
        return with_fail_fast(handler(source))
