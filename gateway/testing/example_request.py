"""Builds a valid request for a route from the examples and bounds in the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any
from urllib.parse import quote

from gateway.testing.contract_cases import ContractRoute

_BY_FORMAT = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "email": "someone@example.com",
    "uuid": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
}


@dataclass
class ExampleRequest:
    """A path with its values, the required parameters, and a JSON body."""

    path: str
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None


def build_example(
    route: ContractRoute, user: str, bodies: Mapping[str, object], *, is_refused: bool = False
) -> ExampleRequest:
    """Build a request; the path parameter that names the owner is `user`.

    `is_refused` is True if the gateway has to refuse the request before it validates its values.
    Then a parameter without an example has any value.

    Raises:
        AssertionError: a parameter has a pattern or a type for which it needs an example.
    """
    example = ExampleRequest(route.summary.path_format, body=bodies.get(str(route)))
    owner = route.access.owner if route.access else None
    for parameter in (route.operation or {}).get("parameters", ()):
        if parameter.get("required"):
            is_owner = parameter["in"] == "path" and parameter["name"] == owner
            value = user if is_owner else _find_value(route, parameter, is_refused=is_refused)
            _add_parameter(example, parameter, value)
    return example


def _add_parameter(example: ExampleRequest, parameter: Mapping[str, Any], value: object) -> None:
    name = parameter["name"]
    match parameter["in"]:
        case "path":
            placeholder = f"{{{name}}}"
            example.path = example.path.replace(placeholder, quote(str(value), safe=""))
        case "query":
            example.query[name] = value
        case "header":
            example.headers[name] = str(value)
        case "cookie":
            cookies = filter(None, (example.headers.get("cookie"), f"{name}={value}"))
            example.headers["cookie"] = "; ".join(cookies)


def _find_value(route: ContractRoute, parameter: Mapping[str, Any], *, is_refused: bool) -> object:
    for example in parameter.get("examples", {}).values():
        return example["value"]
    if "example" in parameter:
        return parameter["example"]
    try:
        return _find_by_schema(parameter["schema"], route.schemas)
    except LookupError:
        if is_refused:
            return "1"
        raise AssertionError(
            f"{route}: give the parameter {parameter['name']} an example that is valid, such as "
            'Annotated[str, Path(examples=["..."])]'
        ) from None


def _find_by_schema(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> object:
    """Find a valid value for a schema.

    Raises:
        LookupError: only an example could tell one.
    """
    if "$ref" in schema:
        return _find_by_schema(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    given = [*schema.get("examples", ()), *schema.get("enum", ())]
    given += [schema[key] for key in ("const", "default") if key in schema]
    if given:
        return given[0]
    if "anyOf" in schema:
        return _find_by_schema(schema["anyOf"][0], schemas)
    if schema.get("type") == "array":
        return [_find_by_schema(schema["items"], schemas)]
    return _find_by_type(schema)


def _find_by_type(schema: Mapping[str, Any]) -> object:
    match schema.get("type"):
        case "integer" | "number":
            return _find_number(schema)
        case "boolean":
            return True
        case "string" if "pattern" not in schema:
            text = _BY_FORMAT.get(schema.get("format", ""), "1")
            return text.ljust(schema.get("minLength", 0), "1")
    raise LookupError(schema)


def _find_number(schema: Mapping[str, Any]) -> float:
    """Return 1, or the nearest number within the bounds.

    Raises:
        LookupError: it is none of the numbers that the schema allows.
    """
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", -inf) + 1)
    highest = schema.get("maximum", schema.get("exclusiveMaximum", inf) - 1)
    number: float = min(max(1, lowest), highest)
    if number < lowest or number % schema.get("multipleOf", number or 1):
        raise LookupError(schema)
    return number
