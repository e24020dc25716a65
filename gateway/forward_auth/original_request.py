"""`OriginalRequest`: the request that a gateway asks about, as the fields of the gateway tell it.

- nginx sends what its configuration says; `X-Original-Method` with `X-Original-URI` or
  `X-Original-URL` are usual (ingress-nginx sends the URL).
- Traefik and Caddy send `X-Forwarded-Method` and `X-Forwarded-Uri`
  (https://doc.traefik.io/traefik/middlewares/http/forwardauth/,
  https://caddyserver.com/docs/caddyfile/directives/forward_auth).
- Envoy sends a request with the method of the original one, and appends its path to that of the
  authorization service (`path_prefix` of `ext_authz`).
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.http1_grammar import Fields
from gateway.server.request_target import MalformedRequest, split_target

_METHOD = re.compile(rb"[A-Z][A-Z-]{0,31}")
_TARGET = re.compile(rb"[!-~]+")

# Each set of fields that names a request: that of the method, and those of the target.
_NGINX = (b"x-original-method", (b"x-original-uri", b"x-original-url"))
_TRAEFIK_AND_CADDY = (b"x-forwarded-method", (b"x-forwarded-uri",))

_WITH_AUTHORITY = frozenset({b"x-original-url"})


class InvalidOriginalRequest(Exception):
    """The fields do not name one request; the message is for the operator of the gateway."""


class OriginalRequest(NamedTuple):
    """The method of a request, and its path and query, byte for byte."""

    method: str
    path: bytes
    query: bytes


def read_original_request(
    fields: Fields, appended: OriginalRequest | None = None
) -> OriginalRequest:
    """Read the request that the fields name; `appended` is the one that Envoy's path names.

    Several sets are accepted if they name the same request. A gateway passes the fields of its own
    client on, so one set may be forged whenever there are two.

    Raises:
        InvalidOriginalRequest: none is named, a field is missing or sent twice, two sets name
            different requests, or a target is not valid.
    """
    found = [appended] if appended is not None else []
    for method_field, target_fields in (_NGINX, _TRAEFIK_AND_CADDY):
        found += _read_set(fields, method_field, target_fields)
    if not found:
        raise InvalidOriginalRequest(
            "there is neither X-Original-Method with X-Original-URI, nor X-Forwarded-Method with "
            "X-Forwarded-Uri"
        )
    if len(set(found)) > 1:
        raise InvalidOriginalRequest("the header fields name different requests")
    return found[0]


def _read_set(
    fields: Fields, method_field: bytes, target_fields: Sequence[bytes]
) -> Iterable[OriginalRequest]:
    """Read a set of fields; nothing if none of them is there."""
    values = {name: _read_single(fields, name) for name in (method_field, *target_fields)}
    method = values.pop(method_field)
    targets = {name: value for name, value in values.items() if value is not None}
    if method is None and not targets:
        return
    if method is None or not targets:
        missing = _show(target_fields[0] if method is not None else method_field)
        raise InvalidOriginalRequest(f"{missing} is missing")
    if not _METHOD.fullmatch(method):
        raise InvalidOriginalRequest(f"{_show(method_field)} is not a method")
    for name, target in targets.items():
        yield OriginalRequest(method.decode(), *_split(name, target))


def _read_single(fields: Fields, name: bytes) -> bytes | None:
    values = [value for found, value in fields if found == name]
    if len(values) > 1:
        raise InvalidOriginalRequest(f"{_show(name)} is sent twice")
    return values[0] if values else None


def _split(name: bytes, target: bytes) -> tuple[bytes, bytes]:
    """Split a target into path and query, as the server splits that of a request.

    Only `X-Original-URL` has an authority: routes do not depend on it.
    """
    if not _TARGET.fullmatch(target):
        raise InvalidOriginalRequest(f"{_show(name)} is not a target in ASCII")
    try:
        path, query, authority = split_target(target, b"GET")
    except MalformedRequest:
        raise InvalidOriginalRequest(f"{_show(name)} is neither a path nor a URL") from None
    if bool(authority) != (name in _WITH_AUTHORITY):
        form = "a URL" if name in _WITH_AUTHORITY else "a path"
        raise InvalidOriginalRequest(f"{_show(name)} is not {form}")
    return path, query


def _show(name: bytes) -> str:
    return name.decode().title()
