"""One route settled: from a request that fits it to its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute, RouteContext, serialize_response
from starlette.requests import Request
from starlette.responses import Response

from gateway.dispatch.inputs import Input, Unsettled, Values
from gateway.dispatch.steps import Step, steps_of


@dataclass(frozen=True, slots=True)
class Settled:
    """A route whose every request takes the same steps."""

    route: RouteContext
    steps: Sequence[Step]
    inputs: Sequence[Input]
    status: int

    @classmethod
    def of(cls, route: RouteContext) -> "Settled":
        """Settle a route.

        Raises:
            Unsettled: FastAPI has to work it out for each request anew.
        """
        if not isinstance(route.original_route, APIRoute):
            raise Unsettled("it is not a route of FastAPI's")
        if not _answers_plainly(route):
            raise Unsettled("its answer is not simply a model as JSON")
        steps = steps_of(route.dependant)
        inputs = [read for step in steps for read in step.inputs]
        return cls(route, steps, inputs, route.status_code or 200)

    async def result(self, request: Request, values: Values) -> Response | bytes:
        """Take the steps: what the endpoint gives, as JSON if it is no response already.

        Raises whatever one of the steps raises.
        """
        results: list[Any] = []
        for step in self.steps:
            results.append(await step.call(**step.arguments(request, values, results)))
        content = results[-1]
        if isinstance(content, Response):
            return content
        body: bytes = await serialize_response(
            field=self.route.response_field, response_content=content, dump_json=True
        )
        return body


def _answers_plainly(route: RouteContext) -> bool:
    return (
        route.response_field is not None
        and isinstance(route.response_class, DefaultPlaceholder)
        and route.response_model_by_alias
        and route.status_code not in {204, 205, 304}
        and not (
            route.response_model_include
            or route.response_model_exclude
            or route.response_model_exclude_unset
            or route.response_model_exclude_defaults
            or route.response_model_exclude_none
            or route.is_sse_stream
            or route.is_json_stream
            or route.max_body_size
        )
    )
