"""The documents that the gateway sends match the schemas that OpenAPI describes."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.errors.problem_json import Problem, build_internal_error, build_problem
from gateway.errors.problem_types import (
    ABOUT_BLANK_PROBLEM,
    INTERNAL_ERROR_PROBLEM,
    INVALID_REQUEST_PROBLEM,
    ProblemType,
    describe_call_error,
    describe_error,
    describe_raised_problem,
    list_gateway_problems,
)
from gateway.errors.tree import (
    ContentTooLarge,
    DatabaseUnavailable,
    DpopRefused,
    Forbidden,
    GatewayError,
    IdentityUnavailable,
    Overloaded,
    QuotaExceeded,
    RateLimiterUnavailable,
    ReplayCacheUnavailable,
    TicketRefused,
    TicketsUnavailable,
    TooManyStreams,
    Unauthenticated,
    UnsupportedContentCoding,
    UserRequired,
    WrongService,
)
from gateway.request_context import RequestContext
from gateway.transport.raw_response import RawResponse
from gateway.upstream import ResponseModel, UpstreamProblem, UpstreamRefused
from gateway.upstream.errors import InvalidArgument, UpstreamError
from tests.gateway.errors.served import Reply

ERRORS: list[GatewayError] = [
    Unauthenticated("expired"),
    DpopRefused("proof_used"),
    TicketRefused("ticket_unknown"),
    Forbidden(scopes=["a"]),
    ContentTooLarge(),
    UnsupportedContentCoding(),
    QuotaExceeded(["a"], 1),
    IdentityUnavailable(1),
    RateLimiterUnavailable(1),
    TicketsUnavailable(1),
    ReplayCacheUnavailable(1),
    DatabaseUnavailable(1),
    Overloaded(1),
    TooManyStreams(1),
    UserRequired(),
    WrongService(["inventory"]),
]

EXAMPLES: list[tuple[Exception, ProblemType]] = [
    *((error, describe_error(type(error))) for error in ERRORS),
    *(
        (kind("items", "GET /"), describe_call_error(kind))
        for kind in UpstreamError.__subclasses__()
    ),
    (HTTPException(404), ABOUT_BLANK_PROBLEM),
    (InvalidArgument("name", "is empty"), INVALID_REQUEST_PROBLEM),
    (RequestValidationError([{"loc": ("query", "n"), "msg": "no"}]), INVALID_REQUEST_PROBLEM),
]


class Version(ResponseModel, camel_case=True):
    current_version: int
    authors: list[str]


class Changed(UpstreamProblem, status=409, type="urn:acme:changed", members=Version):
    """The order has changed."""


class Gone(UpstreamProblem, status=410):
    """There is no such order any more."""


def refuse(status: int, body: bytes) -> UpstreamRefused:
    response = RawResponse(status, {b"content-type": b"application/json"}, body)
    return UpstreamRefused("orders", "GET /", status=status, response=response)


EXAMPLES += [
    (
        Changed(refuse(409, b'{"currentVersion": 1, "authors": ["a"], "secret": 1}')),
        describe_raised_problem(Changed, "ChangedProblem"),
    ),
    (Gone(refuse(410, b"")), describe_raised_problem(Gone, "GoneProblem")),
]

TYPES: Mapping[str, Any] = {"string": str, "integer": int, "array": list, "object": dict}


def check(value: Any, schema: Mapping[str, Any]) -> None:
    """Validate a value against the keywords of JSON Schema that the schemas use."""
    known = {
        *("type", "const", "enum", "minimum", "maximum", "properties", "required", "items"),
        *("title", "description"),
    }
    assert schema.keys() <= known
    assert isinstance(value, TYPES[schema["type"]])
    assert value == schema.get("const", value)
    assert value in schema.get("enum", [value])
    if schema["type"] == "integer":
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if schema["type"] == "array":
        assert value
        for item in value:
            check(item, schema["items"])
    if schema["type"] == "object":
        # Every member is documented, and every documented member is sent.
        assert set(value) == set(schema["properties"]) == set(schema["required"])
        for name, member in schema["properties"].items():
            check(value[name], member)


def read(document: Problem) -> Any:
    return Reply(document.status_code, [], bytes(document.body), is_complete=True).document


@pytest.mark.parametrize(("error", "problem"), EXAMPLES, ids=lambda it: type(it).__name__)
def test_a_document_matches_its_schema(error: Exception, problem: ProblemType) -> None:
    document = build_problem(error, RequestContext("an-id"))
    assert isinstance(document, Problem)
    check(read(document), problem.build_schema())
    assert problem.status in {None, document.status_code}
    for name in problem.headers:
        assert name in document.headers


def test_the_document_of_an_internal_error_matches_its_schema() -> None:
    check(read(build_internal_error("an-id")), INTERNAL_ERROR_PROBLEM.build_schema())


def test_the_list_of_the_gateways_problems_is_complete() -> None:
    types = {problem.type for _, problem in EXAMPLES} | {INTERNAL_ERROR_PROBLEM.type}
    listed = {problem.type for problem in list_gateway_problems()}
    assert listed == types - {Changed.declaration.type_uri}


def test_every_class_of_the_tree_has_an_example() -> None:
    assert {type(error) for error in ERRORS} == set(find_leaves(GatewayError))


def test_classes_that_share_a_type_share_its_schema() -> None:
    schemas: dict[str, dict[str, Any]] = {}
    for kind in find_leaves(GatewayError):
        problem = describe_error(kind)
        assert schemas.setdefault(problem.type, problem.build_schema()) == problem.build_schema()
    names = [schema["title"] for schema in schemas.values()]
    assert len(set(names)) == len(names)


def find_leaves(kind: type[GatewayError]) -> list[type[GatewayError]]:
    found = [child for child in kind.__subclasses__() if child.__module__ == kind.__module__]
    return [leaf for child in found for leaf in find_leaves(child)] if found else [kind]
