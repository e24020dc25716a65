"""Reads the form of a request to an OAuth endpoint strictly (RFC 6749, section 3.2 and appendix B).

A body that two parsers could read differently is refused: another media type, an invalid escape,
text that is not UTF-8, a parameter that is sent twice.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from gateway.errors.tree import UnsupportedContentCoding
from gateway.oauth.oauth_errors import InvalidRequest
from gateway.routing.encoded_requests import has_content_coding

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_BYTES = 65_536
MAX_PARAMETERS = 32

REPEATABLE = frozenset({"audience", "resource"})
"""The parameters that may be sent more than once (RFC 8693, section 2.1)."""

_CHARSET = re.compile(r'\s*charset\s*=\s*"?utf-8"?\s*', re.IGNORECASE)
_ENCODED = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")  # visible ASCII, escapes


class Form:
    """The parameters of a request; one without a value counts as omitted."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    def __repr__(self) -> str:
        """Show the names alone: values are confidential."""
        return f"<Form {', '.join(sorted(self._values))}>"

    def get(self, name: str) -> str | None:
        """Return the value of a parameter; None if it is omitted."""
        values = self._values.get(name)
        return values[0] if values else None

    def get_all(self, name: str) -> Sequence[str]:
        """Return the values of a parameter that may be sent more than once."""
        return self._values.get(name, ())

    def require(self, name: str) -> str:
        """Return the value of a parameter.

        Raises:
            InvalidRequest: it is omitted.
        """
        value = self.get(name)
        if value is None:
            raise InvalidRequest(f"The parameter {name} is missing.")
        return value


async def read_form(request: Request) -> Form:
    """Read the form of a request.

    Raises:
        InvalidRequest: the body is not a form that can be read in one way only.
        UnsupportedContentCoding: the body is compressed.
        ContentTooLarge: the body is larger than the route allows.
    """
    if has_content_coding(request.scope):
        raise UnsupportedContentCoding
    types = request.headers.getlist("content-type")
    if len(types) != 1 or not _is_form(types[0]):
        raise InvalidRequest(f"The Content-Type must be {MEDIA_TYPE}.")
    return parse_form(await request.body())


def parse_form(body: bytes, repeatable: Collection[str] = REPEATABLE) -> Form:
    """Parse a form.

    Raises:
        InvalidRequest: it is malformed, has too many parameters, or one that is not in `repeatable`
            twice.
    """
    pairs = [pair for pair in body.split(b"&") if pair]
    if len(pairs) > MAX_PARAMETERS:
        raise InvalidRequest(f"The form has more than {MAX_PARAMETERS} parameters.")
    found: dict[str, list[str]] = {}
    for pair in pairs:
        encoded_name, _, encoded = pair.partition(b"=")
        try:
            name, value = decode_form_text(encoded_name), decode_form_text(encoded)
        except ValueError:
            raise InvalidRequest(
                "The form must be percent-encoded UTF-8, with each space as + or %20."
            ) from None
        found.setdefault(name, []).append(value)
    for name, values in found.items():
        if len(values) > 1 and name not in repeatable:
            raise InvalidRequest("A parameter is sent more than once.")
    return Form({name: [it for it in values if it] for name, values in found.items()})


def decode_form_text(encoded: bytes) -> str:
    """Decode the name or the value of a parameter.

    Raises:
        ValueError: it is not percent-encoded UTF-8.
    """
    if not _ENCODED.fullmatch(encoded):
        raise ValueError("not percent-encoded")
    return unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8")


def _is_form(content_type: str) -> bool:
    """Whether this is the media type of a form; its charset can only be UTF-8."""
    media_type, *parameters = content_type.split(";")
    if media_type.strip().lower() != MEDIA_TYPE:
        return False
    return all(_CHARSET.fullmatch(parameter) for parameter in parameters)
