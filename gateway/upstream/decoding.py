"""From bytes to types: the one place where an answer's body is believed or not."""

import re
from collections.abc import Hashable, Iterator
from functools import lru_cache
from types import NoneType
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import SchemaValidator

from gateway.upstream.fail_fast import with_fail_fast

T = TypeVar("T")

_JSON = re.compile(rb"application/(?:[\w.-]+\+)?json *(?:;.*)?", re.IGNORECASE)
_SHOWN = 3


class NotDecodable(Exception):
    """The body is not what was asked for. The text says where and how, never what it held."""


def decode(into: type[T], content_type: bytes, body: bytes) -> T:
    """The JSON `body` as an `into`; for NoneType, the body is not looked at.

    Raises:
        NotDecodable: it is empty, not JSON, or not of that type.
    """
    if into is NoneType:
        return cast("T", None)
    if not body:
        raise NotDecodable("the body is empty")
    if content_type != b"application/json" and not _JSON.fullmatch(content_type.strip()):
        raise NotDecodable("the content type is not JSON")
    kind: Any = into
    try:
        value: T = _validator(kind).validate_json(body)
    except ValidationError as exc:
        mistakes = exc.errors(include_url=False, include_context=False, include_input=False)
    else:
        return value
    # Raised out here, so that the pydantic error, which quotes the body, is nobody's context.
    fields = _field_names(kind)
    shown = [f"{_place(mistake['loc'], fields)} {mistake['type']}" for mistake in mistakes[:_SHOWN]]
    raise NotDecodable(f"{len(mistakes)} wrong: {', '.join(shown)}")


@lru_cache(maxsize=256)
def _adapter(into: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", into))


@lru_cache(maxsize=256)
def _validator(into: Hashable) -> SchemaValidator:
    return SchemaValidator(with_fail_fast(_adapter(into).core_schema))


@lru_cache(maxsize=256)
def _field_names(into: Hashable) -> frozenset[str]:
    try:
        return frozenset(_properties(_adapter(into).json_schema()))
    except PydanticInvalidForJsonSchema:
        return frozenset()


def _properties(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for below in schema.values():
            yield from _properties(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _properties(below)


def _place(location: tuple[int | str, ...], fields: frozenset[str]) -> str:
    """Where in the body; a step that is no field of ours is a key the service chose."""
    steps = [
        f"[{step}]" if isinstance(step, int) else f".{step}" if step in fields else ".?"
        for step in location
    ]
    return "".join(steps).lstrip(".") or "body"
