"""Composites: pydantic models whose fields declare the functions that load them.

A field without a default is required: if it cannot be loaded, the request fails with the error
of its service. A field with a default falls back to that default and is listed in `degraded`.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from gateway.aggregation.part import BoundPart, Part, TimeoutGroup, bind_results, group_by_timeout
from gateway.upstream.errors import UpstreamReason

DEFAULT_BUDGET = 2.0

DegradedReason = Literal[UpstreamReason, "error"]


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

    model_config = ConfigDict(frozen=True)

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


def _declared_part(place: str, field: FieldInfo) -> Part:
    declared = [entry for entry in field.metadata if isinstance(entry, Part)]
    if len(declared) != 1:
        raise TypeError(f"{place}: it has no part; write Annotated[..., Part(function)]")
    return declared[0]
