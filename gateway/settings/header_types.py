"""The types of settings that are header fields."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from gateway.http1_grammar import CONNECTION_FIELDS, FIELD_VALUE, TOKEN

_GATEWAY_FIELDS = CONNECTION_FIELDS | {
    "accept-encoding",
    "traceparent",
    "tracestate",
    "x-request-id",
}
"""Fields of upstream calls that the gateway sets itself."""

_FIELDS_WITHOUT_ADDRESS = _GATEWAY_FIELDS | {
    "authorization",
    "cookie",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
}
"""Fields of a request that never contain the address of its client."""


def _check_field_name(name: str) -> str:
    if not name.isascii() or not TOKEN.fullmatch(name.encode()):
        raise ValueError("is not the name of a header field")
    return name


def _check_cors_request_header(name: str) -> str:
    if name == "*":
        raise ValueError(
            "must name each field: browsers do not count Authorization among *, and none at all "
            "in a request with credentials"
        )
    return _check_field_name(name)


def _check_header_name(name: str) -> str:
    _check_field_name(name)
    if name.lower() in _GATEWAY_FIELDS:
        raise ValueError("is set by the gateway itself")
    return name.lower()


def _check_forwarded_header(name: str) -> str:
    name = _check_header_name(name)
    if name == "authorization":
        raise ValueError("cannot be forwarded: set forward_token, which sends verified tokens only")
    if name == "forwarded" or name.startswith("x-forwarded-") or name == "x-real-ip":
        raise ValueError("cannot be forwarded, a client can send it: set forward_client_address")
    if name in {"expect", "proxy-authorization"} or name.startswith("content-"):
        raise ValueError("cannot be forwarded: it is about the incoming request only")
    return name


def _check_client_address_header(name: str) -> str:
    if not name.isascii() or not TOKEN.fullmatch(name.encode()):
        raise ValueError("is not the name of a header field, such as CF-Connecting-IP")
    if name.lower() in _FIELDS_WITHOUT_ADDRESS:
        raise ValueError("is not a field in which a proxy forwards an address")
    return name.lower()


def _check_header_value(value: SecretStr) -> SecretStr:
    """Check a field value. The message does not quote it, because it may be a secret."""
    text = value.get_secret_value()
    if not text.isascii() or not FIELD_VALUE.fullmatch(text.encode()):
        raise ValueError("has characters that a header cannot have; use printable ASCII")
    return value


def _refuse_two_spellings(headers: object) -> object:
    if isinstance(headers, dict):
        lowered: set[str] = set()
        for name in map(str, headers):
            if name.lower() in lowered:
                raise ValueError(
                    f"must not have {name.lower()} twice: upper and lower case are the same"
                )
            lowered.add(name.lower())
    return headers


FieldName = Annotated[str, AfterValidator(_check_field_name)]
CorsRequestHeader = Annotated[str, AfterValidator(_check_cors_request_header)]
HeaderName = Annotated[str, AfterValidator(_check_header_name)]
ClientAddressHeader = Annotated[str, AfterValidator(_check_client_address_header)]
ForwardedHeader = Annotated[str, AfterValidator(_check_forwarded_header)]
HeaderValue = Annotated[SecretStr, AfterValidator(_check_header_value)]
Headers = Annotated[dict[HeaderName, HeaderValue], BeforeValidator(_refuse_two_spellings)]
