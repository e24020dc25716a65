"""A compiled route: reads the parameters of a request, makes the calls, serializes the result.

FastAPI's own path through the same route is the general path. Both must give the same response
and pass the same objects to dependencies: `tests/gateway/routing/test_compiled_route.py`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from gateway.fastapi_internals import RouteContext, serialize_result
from gateway.resources import Resources

# Where a parameter is read from: indexes into the tuple that `read_parameters` builds.
PATH, QUERY, HEADERS, COOKIES = range(4)

_NO_QUERY: Mapping[str, str] = {}


class InvalidParameter(Exception):
    """A required parameter is missing."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a route, read from the path, the query, the headers or the cookies.

    `alias` is its name in the request. `default` raises InvalidParameter if there is none.
    """

    alias: str
    source: int
    validate: Callable[[str], Any]
    default: Callable[[], Any]

    def read(self, sources: Sequence[Mapping[str, str]]) -> Any:  # noqa: ANN401 - the type is the field's
        """Read and validate the value; the default if the request has none.

        Raises:
            InvalidParameter: the request has none, and there is no default.
            ValidationError: the value is not valid. A validator of the field may raise others.
        """
        text = sources[self.source].get(self.alias)
        return self.default() if text is None else self.validate(text)


@dataclass(frozen=True, slots=True)
class DependencyCall:
    """One call of a dependency or of the endpoint, and where its keyword arguments come from.

    Numbers are indexes: into the route's parameters, and into the results of the calls before.
    """

    call: Callable[..., Awaitable[Any]]
    constants: dict[str, object]
    requests: tuple[str, ...]
    resources: tuple[tuple[str, type], ...]
    parameters: tuple[tuple[str, int], ...]
    results: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """A route as a list of calls, the endpoint last.

    `scope` holds the entries that routing adds to the ASGI scope. `model` is set if the response
    is exactly that model.
    """

    route: RouteContext
    scope: Mapping[str, Any]
    calls: Sequence[DependencyCall]
    parameters: Sequence[Parameter]
    reads_headers: bool
    status: int
    model: type[BaseModel] | None

    def read_parameters(self, request: Request, path_params: Mapping[str, str]) -> list[Any]:
        """Read every parameter of every call. It has no side effects, so it may be repeated.

        Raises:
            InvalidParameter: a required parameter is missing.
            ValidationError: a value is not valid. A validator of a field may raise others.
        """
        if not self.parameters:
            return []
        query_string = request.scope["query_string"]
        query = parse_query(query_string) if query_string else _NO_QUERY
        sources: tuple[Mapping[str, str], ...] = (path_params, query)
        if self.reads_headers:
            sources += (request.headers, request.cookies)
        return [parameter.read(sources) for parameter in self.parameters]

    async def run(
        self, request: Request, resources: Resources, parameters: Sequence[Any]
    ) -> Response | bytes:
        """Make the calls in order; return the endpoint's response, or its result as JSON.

        An exception that a call raises is propagated.
        """
        results: list[Any] = []
        for call in self.calls:
            arguments = call.constants.copy()
            for name in call.requests:
                arguments[name] = request
            for name, kind in call.resources:
                arguments[name] = resources[kind]
            for name, index in call.parameters:
                arguments[name] = parameters[index]
            for name, index in call.results:
                arguments[name] = results[index]
            results.append(await call.call(**arguments))
        result = results[-1]
        if isinstance(result, Response):
            return result
        if self.model is not None and type(result) is self.model:
            # The model was validated when this process built it; FastAPI would not do it again.
            body: bytes = self.model.__pydantic_serializer__.to_json(result, by_alias=True)
            return body
        return await serialize_result(self.route, result)


def parse_query(query_string: bytes) -> Mapping[str, str]:
    """Parse a query; the last value wins if a name is repeated, as in Starlette."""
    return dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
