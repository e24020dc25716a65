"""What the lifespan opened, handed to routes and parts by type.

`Upstream[Orders]` in a signature is the open `Orders` client; `Resource[Limiter]` the limiter.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

T = TypeVar("T")


class Resources(dict[type, Any]):
    """What is open, by its type; `resources[Limiter]` is a LookupError where there is none."""

    def __missing__(self, kind: type) -> NoReturn:
        """Say what is missing."""
        raise LookupError(f"nothing of type {kind.__name__} is open")


@dataclass(frozen=True)
class Opened:
    """The dependency behind `Resource[...]`: equal for equal types, so it can be overridden."""

    kind: type[Any]

    async def __call__(self, connection: HTTPConnection) -> Any:  # noqa: ANN401
        """Look the resource up in the app that serves the connection."""
        return connection.app.state.resources[self.kind]


if TYPE_CHECKING:
    Resource = Annotated[T, "opened by the lifespan"]
    Upstream = Annotated[T, "opened by the lifespan"]
else:

    class Resource:
        """`Resource[Limiter]`: what the lifespan opened under that type."""

        def __class_getitem__(cls, kind: type[T]) -> Any:  # noqa: ANN401
            return Annotated[kind, Depends(Opened(kind))]

    class Upstream(Resource):
        """`Upstream[Orders]`: the open client of that service."""
