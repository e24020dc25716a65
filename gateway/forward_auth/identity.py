"""The header fields with which a verified request goes on: they tell its service who calls."""

from collections.abc import Container, Iterable

from starlette.requests import Request

from gateway.auth.dependencies import find_principal, get_required_scopes
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.fields.identity_fields import build_identity_fields, build_user_fields

USER_FIELDS = ("x-user-id", "x-user-issuer", "x-user-scopes", "x-user-tenant", "x-user-service")
"""All fields of `build_user_fields`."""


def build_identity(proxy: Proxy | None, target: Request) -> Iterable[tuple[bytes, bytes]]:
    """Build `X-User-*`, and `Authorization` with the internal token for a route that declares it.

    A request without a token, and one to a route with `identity="none"`, gets no field. `target` is
    the request that the guards have admitted.
    """
    principal = find_principal(target)
    if principal is None or (proxy is not None and proxy.identity == "none"):
        return ()
    fields = dict(build_user_fields(principal, get_required_scopes(target.scope)))
    if proxy is not None:
        fields.update(build_identity_fields(proxy, target))
    return fields.items()


def list_fields_to_remove(proxy: Proxy | None, names: Container[str]) -> list[str]:
    """List the fields of the client that must not go on, and that `names` do not replace.

    They are `X-User-*`, and `Authorization` unless the route forwards the token of the caller. A
    route that is not proxied does not say what its service gets instead of that token.
    """
    keeps_token = proxy is None or proxy.forward_token
    fields = USER_FIELDS if keeps_token else (*USER_FIELDS, "authorization")
    return [name for name in fields if name not in names]
