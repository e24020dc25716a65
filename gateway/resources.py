"""Resources that the lifespan opened, injected into routes and parts by type.

`Upstream[Orders]` in a signature is the open `Orders` client; `Resource[RateLimiter]` is the
limiter.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

T = TypeVar("T")


class Resources(dict[type, Any]):
    """The open resources by type; `resources[RateLimiter]` is a LookupError if none is open."""

    def __missing__(self, kind: type) -> NoReturn:
        """Name the type that is missing."""
        raise LookupError(f"no resource of type {kind.__name__} is open; the lifespan opens them")


@dataclass(frozen=True)
class ResourceLookup:
    """The dependency behind `Resource[...]`: equal for equal types, so it can be overridden."""

    kind: type[Any]

    async def __call__(self, connection: HTTPConnection) -> Any:  # noqa: ANN401
        """Look the resource up in the app that serves the connection.

        Raises:
            LookupError: no resource of this type is open.
        """
        return connection.app.state.resources[self.kind]


if TYPE_CHECKING:
    Resource = Annotated[T, "opened by the lifespan"]
    Upstream = Annotated[T, "opened by the lifespan"]
else:

    class Resource:
        """`Resource[RateLimiter]`: the object that the lifespan opened under that type."""

        def __class_getitem__(cls, kind: type[T]) -> Any:  # noqa: ANN401
            return Annotated[kind, Depends(ResourceLookup(kind))]

    class Upstream(Resource):
        """`Upstream[Orders]`: the open client of that service."""
