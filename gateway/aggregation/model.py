"""Composites: pydantic models whose fields declare the functions that load them.

A field without a default is required: if it cannot be loaded, the request fails with the error
of its service. A field with a default falls back to that default and is listed in `degraded`.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gateway.aggregation.part import BoundPart, Part, TimeoutGroup, bind_results, group_by_timeout
from gateway.upstream.errors import UpstreamReason

DEFAULT_BUDGET = 2.0

DegradedReason = Literal[UpstreamReason, "error"]
REASONS: tuple[DegradedReason, ...] = get_args(DegradedReason)


class Degraded(BaseModel):
    """A part that could not be loaded, and why."""

    model_config = ConfigDict(frozen=True)

    part: str
    reason: DegradedReason


class Composite(BaseModel):
    """A response that combines several services.

    `class Dashboard(Composite, budget=1.5)` sets the budget of all parts together, in seconds.

    Raises:
        TypeError: at import, if a field has no part or the part does not fit the field.
    """

    # Every response has every field, so the schema of a response requires those with a default too.
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    parts: ClassVar[tuple[BoundPart, ...]] = ()
    budget: ClassVar[float] = DEFAULT_BUDGET
    timeout_groups: ClassVar[tuple[TimeoutGroup, ...]] = ()
    shared_parts: ClassVar[tuple[str, ...]] = ()  # the parts whose results other parts take

    if TYPE_CHECKING:
        degraded: list[Degraded] = []

    def __init_subclass__(cls, **_options: Any) -> None:  # noqa: ANN401 - pydantic reads them below
        """Add the field `degraded` as the last one."""
        super().__init_subclass__()
        cls.__annotations__["degraded"] = list[Degraded]
        cls.degraded = []

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        budget: float = DEFAULT_BUDGET,
        **options: Any,  # noqa: ANN401 - pydantic's signature
    ) -> None:
        """Bind the parts and group them by timeout, once at import."""
        super().__pydantic_init_subclass__(**options)
        cls.budget = budget
        declared = [
            BoundPart.bind(name, field, _declared_part(f"{cls.__name__}.{name}", field), budget)
            for name, field in cls.model_fields.items()
            if name != "degraded"
        ]
        cls.parts = bind_results(cls.__name__, declared)
        cls.shared_parts = tuple({name: None for part in cls.parts for name in part.results})
        cls.timeout_groups = group_by_timeout(cls.parts)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe `degraded` with the names of the optional parts, which are all it can list."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema)["properties"]
        names = [part.name for part in cls.parts if not part.required]
        properties["degraded"] = _describe_degraded(f"{cls.__name__}Degraded", names)
        return schema


def _describe_degraded(title: str, parts: list[str]) -> JsonSchemaValue:
    """Return the JSON schema of the field `degraded`; without optional parts it is always empty."""
    item = {
        "title": title,
        "description": "A part that could not be loaded, and why",
        "type": "object",
        "properties": {
            "part": {"type": "string", "enum": parts} if parts else {"type": "string"},
            "reason": {"type": "string", "enum": list(REASONS)},
        },
        "required": ["part", "reason"],
    }
    bound = {} if parts else {"maxItems": 0}
    description = "The optional parts that could not be loaded; they have their default"
    return {"type": "array", "items": item, "description": description, **bound}


def _declared_part(place: str, field: FieldInfo) -> Part:
    declared = [entry for entry in field.metadata if isinstance(entry, Part)]
    if len(declared) != 1:
        raise TypeError(f"{place}: it has no part; write Annotated[..., Part(function)]")
    return declared[0]
