"""The header fields with which a verified request goes on: they tell its service who calls."""

from collections.abc import Container, Iterator

from starlette.requests import Request

from gateway.auth.dependencies import find_principal, get_required_scopes
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.fields.identity_fields import IdentityFields, build_user_fields

USER_FIELDS = ("x-user-id", "x-user-issuer", "x-user-scopes", "x-user-tenant", "x-user-service")
"""All fields of `build_user_fields`."""

CREDENTIALS = ("authorization", "cookie", "dpop")


def build_identity(proxy: Proxy | None, target: Request) -> Iterator[tuple[bytes, bytes]]:
    """Yield `X-User-*`, and `Authorization` with the internal token for a route that declares it.

    A request without a token, and one to a route with `identity="none"`, has none of them.
    `Authorization` and `Cookie` of the caller follow if the route forwards them. `target` is the
    request that the guards have admitted.
    """
    principal = find_principal(target)
    if principal is not None and (proxy is None or proxy.identity != "none"):
        fields = dict(build_user_fields(principal, get_required_scopes(target.scope)))
        if proxy is not None:
            fields.update(IdentityFields(proxy, target.app.state.resources).build(target))
        yield from fields.items()
    if proxy is not None:
        yield from _iter_forwarded(proxy, target)


def _iter_forwarded(proxy: Proxy, target: Request) -> Iterator[tuple[bytes, bytes]]:
    """Yield the credentials of the caller that the route sends to its service."""
    fields = target.scope["headers"]
    if proxy.forward_token:
        for single in (b"authorization", b"dpop"):
            values = [value for name, value in fields if name == single]
            if len(values) == 1:
                yield single, values[0]
    cookies = [value for name, value in fields if name == b"cookie"]
    if proxy.forward_cookies and cookies:
        yield b"cookie", b"; ".join(cookies)


def list_missing(names: Container[str], proxy: Proxy | None) -> list[str]:
    """List the fields that a client may have sent, that are not among `names`.

    They are those that say who the caller is, the credentials of the caller, and those that the
    route removes.
    """
    removed = () if proxy is None else map(str.lower, proxy.remove_headers)
    fields = dict.fromkeys((*USER_FIELDS, *CREDENTIALS, *removed))
    return [name for name in fields if name not in names]
