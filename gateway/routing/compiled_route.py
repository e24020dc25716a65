"""One route settled: from a request that fits it to its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute, RouteContext, serialize_response
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from gateway.resources import Resources
from gateway.routing.dependency_calls import DependencyCall, dependency_calls_of
from gateway.routing.parameters import NotCompilable, RouteParameter, Values


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """A route whose every request takes the same steps."""

    route: RouteContext
    endpoint: object
    steps: Sequence[DependencyCall]
    inputs: Sequence[RouteParameter]
    status: int
    model: type[BaseModel] | None

    @classmethod
    def of(cls, route: RouteContext) -> "CompiledRoute":
        """Settle a route.

        Raises:
            Unsettled: FastAPI has to work it out for each request anew.
        """
        if not isinstance(route.original_route, APIRoute):
            raise NotCompilable("it is not a route of FastAPI's")
        if not _answers_plainly(route):
            raise NotCompilable("its answer is not simply a model as JSON")
        steps = dependency_calls_of(route.dependant)
        inputs = [read for step in steps for _, read in step.inputs]
        return cls(route, route.endpoint, steps, inputs, route.status_code or 200, _model(route))

    async def result(self, request: Request, opened: Resources, values: Values) -> Response | bytes:
        """Take the steps: what the endpoint gives, as JSON if it is no response already.

        Raises whatever one of the steps raises.
        """
        results: list[Any] = []
        for step in self.steps:
            arguments = step.settled.copy()
            for name in step.requests:
                arguments[name] = request
            for name, kind in step.opened:
                arguments[name] = opened[kind]
            for name, read in step.inputs:
                arguments[name] = values[read]
            for name, index in step.results:
                arguments[name] = results[index]
            results.append(await step.call(**arguments))
        content = results[-1]
        if isinstance(content, Response):
            return content
        if self.model is not None and type(content) is self.model:
            # Built and so validated in this process; what FastAPI would do comes to the same.
            body: bytes = self.model.__pydantic_serializer__.to_json(content, by_alias=True)
        else:
            body = await serialize_response(
                field=self.route.response_field, response_content=content, dump_json=True
            )
        return body


def _model(route: RouteContext) -> type[BaseModel] | None:
    """The model that the answer is, if it is just that."""
    held = route.response_field.field_info.annotation
    if not isinstance(held, type) or not issubclass(held, BaseModel):
        return None
    # One that is to be validated again, although it is one already, FastAPI validates again.
    return held if held.model_config.get("revalidate_instances", "never") == "never" else None


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
