"""Decoding and validation of response bodies."""

from collections.abc import Hashable, Iterator
from functools import lru_cache
from json import detect_encoding
from types import NoneType
from typing import Any, NamedTuple, TypeVar, cast, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import ErrorDetails, SchemaValidator

from gateway.transport.raw_response import RawResponse
from gateway.upstream.charset import parse_charset, to_utf8
from gateway.upstream.content_decoding import NotDecodable, decode_content
from gateway.upstream.pydantic_internals import with_fail_fast
from gateway.upstream.response import UpstreamResponse

T = TypeVar("T")

_MAX_ERRORS_SHOWN = 3


def decode(into: type[T], response: RawResponse, max_body_bytes: int = 2_097_152) -> T:
    """Decode the JSON body of a response to a value of type `into`.

    A body with a content coding may have `max_body_bytes` when it is decoded.

    `UpstreamResponse[X]` holds the body, of type X, together with the status and the header
    fields. For NoneType, the body is ignored.

    Raises:
        NotDecodable: the body is empty, not JSON, or not of that type.
        TypeError: `into` is not a type that a body can have.
    """
    # Annotated with Any, because `typing.cast` would be a call on the hot path.
    key: Any = into
    value: Any = None
    body_type, validator, with_head = _decoder(key)
    if validator is not None:
        selected = response.selected
        content_type = selected.get(b"content-type", b"")
        body = response.body
        if b"content-encoding" in selected or content_type != b"application/json" or not body:
            body = _get_json(response, max_body_bytes)
        errors: list[ErrorDetails] | None = None
        try:
            value = validator.validate_json(body)
        except ValidationError as exc:
            errors = exc.errors(include_url=False, include_context=False, include_input=False)
        if errors is not None and errors[0]["type"] == "json_invalid":
            # Not UTF-8 perhaps, or with a byte order mark.
            value, errors = _decode_again(body, validator, errors)
        # Raised outside `except`: the pydantic error quotes the body and must not be the context.
        if errors is not None:
            raise NotDecodable(_describe(errors, body_type))
    if with_head:
        value = UpstreamResponse(response.status, response.headers, value)
    decoded: T = value
    return decoded


def _get_json(response: RawResponse, max_body_bytes: int) -> bytes:
    """Return the body without its content codings, converted to UTF-8 from a declared charset."""
    codings = response.header(b"content-encoding")
    body = decode_content(codings, response.body, max_body_bytes)
    if not body:
        raise NotDecodable("the body is empty")
    charset = parse_charset(response.selected.get(b"content-type", b""))
    return body if charset is None else to_utf8(body, charset)


def _decode_again(
    body: bytes, validator: SchemaValidator, errors: list[ErrorDetails]
) -> tuple[Any, list[ErrorDetails] | None]:
    """Decode a body that is not JSON as it is, after its charset has been detected."""
    converted = to_utf8(body, detect_encoding(body))
    if converted == body:
        return None, errors
    try:
        return validator.validate_json(converted), None
    except ValidationError as exc:
        return None, exc.errors(include_url=False, include_context=False, include_input=False)


def _describe(errors: list[ErrorDetails], body_type: Any) -> str:  # noqa: ANN401
    """Return the number of errors, and the places and types of the first ones."""
    fields, shown = _get_field_names(body_type), errors[:_MAX_ERRORS_SHOWN]
    places = [f"{_format_location(error['loc'], fields)} {error['type']}" for error in shown]
    return f"{len(errors)} wrong: {', '.join(places)}"


class _Decoder(NamedTuple):
    """The decoder of one type; `validator` is None if the body is ignored."""

    body_type: Any
    validator: SchemaValidator | None
    with_head: bool


@lru_cache(maxsize=256)
def _decoder(into: Hashable) -> _Decoder:
    if into is UpstreamResponse:
        raise TypeError("into=UpstreamResponse: write UpstreamResponse[...] with a body's type")
    with_head = get_origin(into) is UpstreamResponse
    (body_type,) = get_args(into) if with_head else (into,)
    if body_type in (None, NoneType):
        return _Decoder(NoneType, None, with_head)
    schema = with_fail_fast(_adapter(body_type).core_schema)
    return _Decoder(body_type, SchemaValidator(schema), with_head)


@lru_cache(maxsize=256)
def _adapter(into: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", into))


@lru_cache(maxsize=256)
def _get_field_names(into: Hashable) -> frozenset[str]:
    try:
        return frozenset(_iter_properties(_adapter(into).json_schema()))
    except PydanticInvalidForJsonSchema:
        return frozenset()


def _iter_properties(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for below in schema.values():
            yield from _iter_properties(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _iter_properties(below)


def _format_location(location: tuple[int | str, ...], fields: frozenset[str]) -> str:
    """Return a path in the body; keys that are not fields of the type are shown as `?`."""
    steps = [
        f"[{step}]" if isinstance(step, int) else f".{step}" if step in fields else ".?"
        for step in location
    ]
    return "".join(steps).lstrip(".") or "body"
