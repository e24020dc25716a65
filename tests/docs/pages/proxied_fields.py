"""Generates proxied-fields.md: what happens to each header field of a proxied request."""

from collections.abc import Iterable, Mapping

from gateway.proxy.declaration.header_errors import (
    NEITHER_IN_RESPONSES,
    NOT_SET_IN_REQUESTS,
    Reserved,
)
from gateway.proxy.fields import removed_request_fields as request
from gateway.proxy.fields import removed_response_fields as response
from gateway.proxy.fields.request_field_rules import END_TO_END, ONCE
from gateway.proxy.fields.response_field_rules import SHARED_CACHE_BEGINNINGS, SHARED_CACHE_ENDS
from tests.docs.pages.markdown import code, page

INTRODUCTION = """
This page lists the header fields that a proxied route removes, changes or adds, in requests to
the service and in its responses ([why](../decisions/proxied-fields.md)). All others are passed on
unchanged. `*` stands for any beginning or end of a name. Upper and lower case
are the same.
"""

OWN_FIELDS = """
## Fields that a service gets from the gateway

| Field | Value |
|---|---|
| `Host` | that of `upstreams.NAME.url`; with `preserve_host`, that of the caller |
| `X-Forwarded-For` | the address of the client, behind `server.trusted_proxies` |
| `X-Forwarded-Proto`, `X-Forwarded-Port` | the scheme and the port that the client has called |
| `X-Forwarded-Host` | the host that it has called: a client can send any |
| `Forwarded` | the same (RFC 7239), if `upstreams.NAME.forward_client_address` is `forwarded` |
| `Via` | the hops before, and the gateway |
| `X-Request-Id`, `traceparent`, `tracestate` | as for calls of typed clients |
| `Authorization` | with `identity="token"`, `Bearer` and the internal token |
| `X-User-Id` | with `identity="headers"`: the user id of the caller |
| `X-User-Issuer` | its identity provider: user ids of two issuers can be equal |
| `X-User-Scopes` | the scopes of the route that the token of the caller has, separated by spaces |
| `X-User-Tenant` | its tenant |
| `X-User-Service` | the service that calls, if `X-User-Issuer` names it (not of an exchange) |

A field is not sent if the token says nothing about it, and no identity field is sent for a caller
without a token. The values of `X-User-*` are percent-encoded (UTF-8): control characters, spaces,
`%`, `,`, `;`, `"`, `\\`, `<`, `>`, `{`, `}` and all that is not ASCII. Each scope is encoded by
itself.

`upstreams.NAME.headers` win over all fields, those of the gateway included. Of the other settings
of a service, `forward_headers`, `forward_token`, `internal_token`, `accept_encoding`,
`max_body_bytes` and `retry` are only for typed clients.

`Expect: 100-continue` is sent again by the gateway, which passes the 100 of the service on. A
request with another expectation is refused with 417.
"""

ROUTE_OPTIONS = """
## Fields that a route sets or removes

```python
Proxy(
    "/inventory/{path:path}",
    to="inventory",
    requires="inventory:read",
    set_headers={"X-Tenant": "acme", "X-Forwarded-Prefix": "/inventory"},
    remove_headers=["x-company-role"],
    set_response_headers={"X-Frame-Options": "DENY", "Cache-Control": "private, max-age=60"},
    remove_response_headers=["x-backend"],
)
```

A field that a route sets replaces all fields of that name, and trailers, of the caller or of the
service. A value is sent as it is: it has no variables. `upstreams.NAME.headers` win over
`set_headers`. WebSocket handshakes get and lose the same fields. The fields of a response are set
in each final response of the service, with any status; the errors that the gateway itself responds
with, and interim responses such as 103, do not have them. [Forward-auth](../how-to/forward-auth.md)
sets none of them.
"""

CONDITIONS = """
Besides, `set_response_headers` does not take `set-cookie`, which would be the same for all callers,
and `remove_response_headers` does not take `x-content-type-options`, which the gateway adds to a
response without it. On a route that is not public, `set_response_headers` takes no field for caches
in front, and `Cache-Control` only with `private` or `no-store`.
"""

RESPONSES = """
## References and cookies

`Location`, `Content-Location`, `Refresh` and `Link` are rewritten if they lead to the service: by
a path below its base path, by its own URL, or with `preserve_host` by the host of the caller. The
part of the path that the route replaces is replaced back; `/items/7` of the service behind
`/inventory/{path:path}` becomes `/inventory/items/7`, after `server.root_path`. Relative
references stay as they are. A character that RFC 3986 does not allow is escaped, and a field whose
reference to the service has a control character or a backslash is removed: a browser could take
what follows for a host. Of one response, 100 references are rewritten, and a `Link` beyond that is
removed.

On a route that is not public, `Cache-Control` gets `private` in place of `public` and `s-maxage`,
and a response without that field gets `no-store`.

With `forward_cookies`, `Path` of `Set-Cookie` is rewritten in the same way (of several, the last
one counts), and a path that the route does not map becomes the beginning of its own paths.
`Domain` is removed unless `preserve_host` is set. A cookie whose name begins with `__Host-` stays
as it is.
"""


def render_proxied_fields() -> str:
    """Return the text of the page."""
    return page(
        "Header fields of proxied routes",
        INTRODUCTION,
        OWN_FIELDS,
        "## Fields of a request that are removed\n\n" + _render_removed_from_requests(),
        "## Fields of a request with other rules\n\n" + _render_other_rules(),
        "## Fields of a response that are removed\n\n" + _render_removed_from_responses(),
        ROUTE_OPTIONS,
        "`set_headers` does not take these fields, except `x-forwarded-prefix`:",
        _render_reserved(NOT_SET_IN_REQUESTS),
        "`set_response_headers` and `remove_response_headers` do not take:",
        _render_reserved(NEITHER_IN_RESPONSES),
        CONDITIONS,
        RESPONSES,
    )


def _render_removed_from_requests() -> str:
    groups = {
        "Every field whose name has a character other than a letter, a digit or a hyphen": (),
        "Of one connection, and those that `Connection` names": [
            *(name for name in request.HOP_BY_HOP if name != b"expect"),
            b"connection",
        ],
        "About the client and its call": request.CLIENT_ADDRESSES,
        "For another request than was checked": request.OTHER_REQUEST,
        "Of other proxies": _with_stars(request.PROXY_BEGINNINGS),
        "About the caller": [*request.IDENTITIES, *_with_stars(request.IDENTITY_BEGINNINGS)],
        "Credentials, unless `forward_token` or `forward_cookies` is set": request.CREDENTIALS,
        "Set by the gateway, or dangerous in CGI": request.GATEWAY_SETS,
    }
    return _render_groups(groups)


def _render_other_rules() -> str:
    groups = {
        "Refused with 400 if sent twice": ONCE,
        "Refused with 400 if `Connection` names them, and so are all about client and caller": (
            END_TO_END
        ),
    }
    return _render_groups(groups)


def _render_removed_from_responses() -> str:
    groups = {
        "Of one connection": [*response.HOP_BY_HOP, b"connection"],
        "Set by the gateway": [
            *response.GATEWAY_SETS,
            *_with_stars(response.REMOVED_BEGINNINGS),
        ],
        "For the whole origin": response.WHOLE_ORIGIN,
        "About the software": response.SOFTWARE,
        "For a proxy in front": response.FOR_PROXIES,
        "Cookies, unless `forward_cookies` is set": [b"set-cookie"],
        "Challenges, unless `forward_token` is set": [b"authentication-info", b"www-authenticate"],
        "For caches in front, unless the route is public: all but `Cache-Control`": [
            *_with_stars(SHARED_CACHE_BEGINNINGS),
            *(b"*" + end for end in SHARED_CACHE_ENDS),
        ],
    }
    return _render_groups(groups)


def _render_reserved(groups: Iterable[Reserved]) -> str:
    """Return a list of the fields that an option must not name, each group with its reason."""
    items = []
    for reason, names, beginnings in groups:
        listed = [*sorted(names), *(f"{beginning}*" for beginning in beginnings)]
        items.append(f"- One that {reason}: {', '.join(map(code, listed))}")
    return "\n".join(items)


def _with_stars(beginnings: Iterable[bytes]) -> list[bytes]:
    return [beginning + b"*" for beginning in beginnings]


def _render_groups(groups: Mapping[str, Iterable[bytes]]) -> str:
    return "\n".join(f"- {title}{_list_names(names)}" for title, names in groups.items())


def _list_names(names: Iterable[bytes]) -> str:
    listed = ", ".join(code(name.decode()) for name in sorted(names))
    return f": {listed}" if listed else ""
