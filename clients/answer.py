"""What the services' answers are made of: a strict base for their models, and the time they use."""

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from clients.failing_fast import failing_fast

_DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?"
_OFFSET = r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"

# Kept as text: read into a datetime it would not leave as it came (".120Z" becomes ".120000Z").
Timestamp = Annotated[
    str,
    StringConstraints(pattern=f"^{_DATE}T{_CLOCK}{_OFFSET}$", max_length=35),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A date and time with an offset (RFC 3339, 5.6), checked for its form and passed on as it came."""


class Answer(BaseModel):
    """Part of a service's answer: frozen, no type bent to fit, unknown fields dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(
        cls,
        source: Any,  # noqa: ANN401 - pydantic's signature
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        """Stop at the first wrong item of a list."""
        return failing_fast(handler(source))
