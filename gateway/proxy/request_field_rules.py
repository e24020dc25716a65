"""What happens to each header field of a request that goes on to a service, by its name.

`docs/decisions/proxied-fields.md` has the reason for each name.
"""

import re
from enum import StrEnum

PLAIN_NAME = re.compile(rb"[a-z0-9]+(?:-+[a-z0-9]+)*")
"""A name that CGI, WSGI and their like map to a name of their own that no other name has.

They replace all other characters by `_`, so `x_user_id` and `x.user.id` would become `X-User-Id`.
"""


class RequestRule(StrEnum):
    """What happens to a field."""

    KEEP = "it goes on as it is"
    DROP = "it is removed"
    ONCE = "it goes on, and a request that has it twice is refused"
    CONNECTION = "it is removed, and so are the fields that it names"
    VIA = "it goes on with the gateway appended"
    CLIENT = "it is removed; of a trusted proxy, it says who the client is"
    HOST = "it is read for the fields about the client, and goes on by the rule of the route"
    MAX_FORWARDS = "it is decremented, for OPTIONS"


_HOP_BY_HOP = frozenset(
    {
        b"content-length", b"expect", b"http2-settings", b"keep-alive", b"proxy-authenticate",
        b"proxy-authentication-info", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
"""Fields of one connection (RFC 9110, 7.6.1), and the framing that the exchange sets."""

_CLIENT_ADDRESSES = frozenset(
    {
        b"cf-connecting-ip", b"cf-connecting-ipv6", b"cf-pseudo-ipv4", b"client-ip",
        b"fastly-client-ip", b"front-end-https", b"forwarded", b"proxy-client-ip",
        b"true-client-ip", b"wl-proxy-client-ip", b"x-client-ip", b"x-client-port",
        b"x-cluster-client-ip", b"x-coming-from", b"x-host", b"x-original-host",
        b"x-original-proto", b"x-originating-ip", b"x-proxyuser-ip", b"x-real-ip", b"x-real-port",
        b"x-remote-addr", b"x-remote-ip", b"x-scheme", b"x-true-ip", b"x-url-scheme",
    }
)  # fmt: skip

_OTHER_REQUEST = frozenset(
    {
        b"x-http-destinationurl", b"x-http-host-override", b"x-http-method",
        b"x-http-method-override", b"x-http-path-override", b"x-method-override",
        b"x-middleware-subrequest",
        b"x-original-method", b"x-original-uri", b"x-original-url", b"x-override-url",
        b"x-rewrite-url",
    }
)  # fmt: skip
"""Fields that make a service serve another method, path or host than the gateway has checked."""

_IDENTITIES = frozenset(
    {
        b"remote-user", b"x-remote-user", b"x-webauth-user", b"x-authenticated-user",
        b"x-authenticated-userid", b"x-authenticated-scope", b"x-authenticated-groups",
        b"x-anonymous-consumer", b"x-credential-identifier", b"x-credential-username",
        b"x-client-cert", b"x-ssl-cert", b"x-arr-clientcert", b"x-token-payload",
        b"x-jwt-assertion", b"x-jwt-payload", b"x-endpoint-api-userinfo",
        b"x-apigateway-api-userinfo", b"x-id-token", b"x-userinfo", b"x-access-token",
    }
)  # fmt: skip

_GATEWAY_SETS = frozenset({b"proxy", b"traceparent", b"tracestate", b"x-request-id"})
"""The trace of the request context. `Proxy` becomes `HTTP_PROXY` in CGI (httpoxy)."""

_DROPPED_BEGINNINGS = (
    b"x-user", b"x-forwarded-", b"x-envoy-", b"x-auth-request-",
    b"x-consumer-", b"x-goog-authenticated-", b"x-goog-iap-", b"x-ms-client-principal",
    b"x-ms-token-", b"x-amzn-oidc-", b"x-amzn-mtls-", b"x-authentik-", b"x-pomerium-",
    b"x-vouch-", b"x-ssl-client-", b"x-client-cert-", b"x-remote-", b"x-webauth-",
    b"x-credential-", b"x-authenticated-", b"x-azure-", b"x-appengine-", b"x-accel-",
    b"x-amzn-request-context", b"cf-access-", b"remote-", b"ssl-client-", b"client-cert",
    b"tailscale-user-", b"cloudfront-viewer-", b"x-sendfile-",
)  # fmt: skip
"""Identity fields of this gateway and of others, and fields that only a proxy may set."""

_ONCE = frozenset(
    {
        b"content-range", b"content-type", b"if-modified-since", b"if-range",
        b"if-unmodified-since", b"origin", b"range", b"referer", b"sec-websocket-key",
        b"sec-websocket-version",
    }
)  # fmt: skip
"""Fields with one value: of two, one service takes the first and another the last."""

_END_TO_END = _ONCE | {
    b"accept", b"accept-encoding", b"authorization", b"cache-control", b"content-encoding",
    b"content-length", b"cookie", b"host", b"if-match", b"if-none-match", b"via",
}  # fmt: skip

_SPECIAL = {
    b"connection": RequestRule.CONNECTION,
    b"host": RequestRule.HOST,
    b"max-forwards": RequestRule.MAX_FORWARDS,
    b"via": RequestRule.VIA,
    b"forwarded": RequestRule.CLIENT,
    b"x-forwarded-for": RequestRule.CLIENT,
    b"x-forwarded-host": RequestRule.CLIENT,
    b"x-forwarded-port": RequestRule.CLIENT,
    b"x-forwarded-proto": RequestRule.CLIENT,
}


def find_request_rule(name: bytes, *, forward_token: bool, forward_cookies: bool) -> RequestRule:
    """Return the rule for a field; `name` is in lower case."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    if name == b"authorization":
        return RequestRule.ONCE if forward_token else RequestRule.DROP
    if name in {b"cookie", b"cookie2"}:
        return RequestRule.KEEP if forward_cookies else RequestRule.DROP
    if name in _ONCE:
        return RequestRule.ONCE
    return RequestRule.DROP if _is_dropped(name) else RequestRule.KEEP


def _is_dropped(name: bytes) -> bool:
    return (
        name in _HOP_BY_HOP
        or name in _CLIENT_ADDRESSES
        or name in _OTHER_REQUEST
        or name in _IDENTITIES
        or name in _GATEWAY_SETS
        or name.startswith(_DROPPED_BEGINNINGS)
        or not PLAIN_NAME.fullmatch(name)
    )


def is_end_to_end(name: bytes) -> bool:
    """Whether no sender may list the field in `Connection` (RFC 9110, 7.6.1)."""
    return name in _END_TO_END or name in _CLIENT_ADDRESSES or name.startswith(_DROPPED_BEGINNINGS)
