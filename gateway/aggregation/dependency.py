"""The FastAPI dependency `Composed[Dashboard]`, which loads a composite for the request.

The inputs of the parts (path, query, clients) become inputs of the endpoint: FastAPI validates
and documents them.
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


class LoadComposite:
    """The dependency behind `Composed`; its signature merges the inputs of all parts.

    Raises:
        TypeError: two parts declare an input of the same name differently.
    """

    def __init__(self, model: type[Composite]) -> None:
        self.model = model
        self.__signature__ = _merge_signatures(model)

    async def __call__(self, **inputs: Any) -> Composite:  # noqa: ANN401 - see the signature
        """Load the composite from inputs that FastAPI has validated."""
        connection: HTTPConnection = inputs.pop(CONNECTION)
        return await compose(self.model, inputs, RequestContext.of(connection.scope))


def _merge_signatures(model: type[Composite]) -> inspect.Signature:
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
                    f"{model.__name__}.{part.name} declares the input {parameter}, but another "
                    f"part declares {known}: parts share an input, so it is declared alike"
                )
    return inspect.Signature(list(merged.values()))


if TYPE_CHECKING:
    Composed = Annotated[C, "loaded for this request"]
else:

    class Composed:
        """`Composed[Dashboard]`: the composite, loaded for this request."""

        def __class_getitem__(cls, model: type[C]) -> Any:  # noqa: ANN401
            return Annotated[model, Depends(LoadComposite(model))]
