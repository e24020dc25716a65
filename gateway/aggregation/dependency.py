"""`Composed[Dashboard]` in an endpoint's signature: the composite, loaded for this request.

What the parts ask for (path, query, clients) becomes what the endpoint asks for, so that it is
validated by FastAPI and stands in the OpenAPI document.
"""

import inspect
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

from gateway.aggregation.executor import compose
from gateway.aggregation.model import Composite
from gateway.request_context import RequestContext

C = TypeVar("C", bound=Composite)

CONNECTION = "connection"


class Composing:
    """The dependency that loads one composite; its signature is that of all its parts together.

    Raises:
        TypeError: two parts ask for an input of the same name in different ways.
    """

    def __init__(self, model: type[Composite]) -> None:
        self.model = model
        self.__signature__ = _signature(model)

    async def __call__(self, **inputs: Any) -> Composite:  # noqa: ANN401 - see the signature
        """Load the composite with the inputs that FastAPI has bound."""
        connection: HTTPConnection = inputs.pop(CONNECTION)
        return await compose(self.model, inputs, RequestContext.of(connection.scope))


def _signature(model: type[Composite]) -> inspect.Signature:
    merged: dict[str, inspect.Parameter] = {
        CONNECTION: inspect.Parameter(
            CONNECTION, inspect.Parameter.KEYWORD_ONLY, annotation=HTTPConnection
        )
    }
    for part in model.parts:
        for parameter in part.inputs:
            known = merged.setdefault(parameter.name, parameter)
            if known != parameter:
                raise TypeError(
                    f"{model.__name__}.{part.name} asks for {parameter}, "
                    f"but {known} was asked for before: one name, one input"
                )
    return inspect.Signature(list(merged.values()))


if TYPE_CHECKING:
    Composed = Annotated[C, "loaded for this request"]
else:

    class Composed:
        """`Composed[Dashboard]`: the composite, loaded for this request."""

        def __class_getitem__(cls, model: type[C]) -> Any:  # noqa: ANN401
            return Annotated[model, Depends(Composing(model))]
