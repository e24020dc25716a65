"""`STRICT_BODY`: refuses a body that two parsers could read differently (RFC 8259, section 4)."""

from fastapi import Depends, Request

from gateway.auth.jwt.strict_json import parse_object
from gateway.ops.ops_errors import AmbiguousBody, describe_problems


async def require_strict_body(request: Request) -> None:
    """Parse the body once more: of two members with one name, FastAPI drops the first.

    Raises:
        AmbiguousBody: a member name is duplicate, or a number is out of range.
    """
    try:
        parse_object(await request.body())
    except ValueError as error:
        raise AmbiguousBody(f"The body is not one clear JSON object: {error}.") from error


STRICT_BODY = Depends(require_strict_body)

BODY_RESPONSES = {
    **describe_problems(AmbiguousBody),
    408: {"description": "The body arrives too slowly"},
}
"""The responses of a route with a body, for OpenAPI."""
