"""The problem types that OpenAPI documents, each with the JSON schema of its documents."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from gateway.errors.problem_json import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    LOCATIONS,
    UPSTREAM_STATUS,
    UPSTREAM_TYPE,
    get_phrase,
)
from gateway.errors.tree import GatewayError
from gateway.upstream.errors import UpstreamError, UpstreamReason
from gateway.upstream.model import ResponseModel
from gateway.upstream.problem import ABOUT_BLANK, UpstreamProblem

Schema = Mapping[str, Any]

SCHEMAS = "#/components/schemas/"

_TEXT: Schema = {"type": "string"}


@dataclass(frozen=True, eq=False)
class ProblemType:
    """One problem type: the name of its schema, its URI, and its status; None is any status.

    `members` are the schemas of the members that it adds, `definitions` those to which they refer,
    by name, and `headers` the names of the header fields of its responses.
    """

    name: str
    type: str
    status: int | None
    description: str
    members: Mapping[str, Schema] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    definitions: Mapping[str, Schema] = field(default_factory=dict)

    def rename_if_in(self, taken: Container[str]) -> "ProblemType":
        """Return the same type, with a name that is not in `taken`."""
        name = self.name
        while name in taken:
            name = f"Gateway{name}"
        return self if name == self.name else replace(self, name=name)

    def build_schema(self) -> dict[str, Any]:
        """Build the JSON schema of its documents; `type` and `status` are constants."""
        status: Schema = {"minimum": 200, "maximum": 599}
        if self.status is not None:
            status = {"const": self.status}
        properties = {
            "type": {**_TEXT, "const": self.type},
            "title": {**_TEXT, "description": "A summary for people; the wording may change"},
            "status": {"type": "integer", **status},
            "detail": {**_TEXT, "description": "An explanation for people"},
            "instance": {**_TEXT, "description": "The id of the request, as in X-Request-Id"},
            **self.members,
        }
        return {
            "title": self.name,
            "description": self.description,
            "type": "object",
            "properties": properties,
            "required": list(properties),
        }


ABOUT_BLANK_PROBLEM = ProblemType(
    "AboutBlankProblem", ABOUT_BLANK, None, "A problem that its status describes completely"
)

INTERNAL_ERROR_PROBLEM = ProblemType(
    "InternalErrorProblem", INTERNAL_ERROR, 500, "An unexpected error occurred in the gateway"
)

INVALID_REQUEST_PROBLEM = ProblemType(
    "InvalidRequestProblem",
    INVALID_REQUEST,
    422,
    "A value of the request is not valid",
    {
        "errors": {
            "type": "array",
            "description": "The invalid values",
            "items": {
                "type": "object",
                "properties": {
                    "in": {**_TEXT, "enum": list(LOCATIONS)},
                    "field": _TEXT,
                    "message": _TEXT,
                },
                "required": ["in", "field", "message"],
            },
        }
    },
)

_UPSTREAM_DESCRIPTION: Mapping[UpstreamReason, str] = {
    "timeout": "A service did not respond in time",
    "unavailable": "A service is unavailable",
    "refused": "A service refused the request",
    "invalid": "A service sent an invalid response",
}


def list_gateway_problems() -> list[ProblemType]:
    """Return all problem types of the gateway itself."""
    return [
        ABOUT_BLANK_PROBLEM,
        INTERNAL_ERROR_PROBLEM,
        INVALID_REQUEST_PROBLEM,
        *map(describe_error, _iter_leaves(GatewayError)),
        *map(describe_call_error, UpstreamError.__subclasses__()),
    ]


def describe_error(error: type[GatewayError]) -> ProblemType:
    """Return the problem type of a class of the tree. Classes may share one, with equal members."""
    return ProblemType(
        _make_name(error.type),
        error.type,
        error.status,
        _find_summary(error),
        error.member_schemas,
        error.header_names,
    )


def describe_raised_problem(kind: type[UpstreamProblem], name: str) -> ProblemType:
    """Return the problem type that a typed client declares, with the schema of that name.

    One without a `type` says no more than its status, so it is about:blank.
    """
    declared = kind.declaration
    if declared.type_uri == ABOUT_BLANK:
        return ABOUT_BLANK_PROBLEM
    members, definitions = _describe_members(declared.members, name)
    return ProblemType(
        name,
        declared.type_uri,
        declared.status,
        _get_summary(kind) or declared.title or get_phrase(declared.status),
        members,
        definitions=definitions,
    )


def describe_call_error(error: type[UpstreamError]) -> ProblemType:
    """Return the problem type of an error of calls to services."""
    status, kind = UPSTREAM_STATUS[error.reason], UPSTREAM_TYPE[error.reason]
    return ProblemType(
        _make_name(kind),
        kind,
        status,
        _UPSTREAM_DESCRIPTION[error.reason],
        {"service": {**_TEXT, "description": "The name of the service"}},
        ("Retry-After",) if status == 503 else (),
    )


def _make_name(type_uri: str) -> str:
    """Return the name of a schema: `urn:lockgate:problem:content-too-large` is ContentTooLarge."""
    last = type_uri.replace("#", ":").rpartition(":")[2]
    return "".join(word.capitalize() for word in last.split("-")) + "Problem"


def _find_summary(error: type[GatewayError]) -> str:
    """Return the first line of the docstring of the class that declares the type."""
    owner = next(kind for kind in error.__mro__ if "type" in vars(kind))
    return _get_summary(owner)


def _iter_leaves(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    children = kind.__subclasses__()
    for child in children:
        yield from _iter_leaves(child)
    if not children:
        yield kind


def _get_summary(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def _describe_members(
    model: type[ResponseModel] | None, prefix: str
) -> tuple[Mapping[str, Schema], Mapping[str, Schema]]:
    """Return the schemas of the members, as the gateway sends them, and of nested models.

    `prefix` is put before the names of nested models, so that they are unique in the document.
    """
    if model is None:
        return {}, {}
    template = f"{SCHEMAS}{prefix}{{model}}"
    schema = TypeAdapter(model).json_schema(mode="serialization", ref_template=template)
    nested = {f"{prefix}{name}": inner for name, inner in schema.get("$defs", {}).items()}
    if "$ref" in schema:  # the model refers to itself
        schema = nested[schema["$ref"].removeprefix(SCHEMAS)]
    return schema["properties"], nested
