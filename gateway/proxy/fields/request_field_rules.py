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


HOP_BY_HOP = frozenset(
    {
        b"content-length", b"expect", b"http2-settings", b"keep-alive", b"proxy-authenticate",
        b"proxy-authentication-info", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
"""Fields of one connection (RFC 9110, 7.6.1), and the framing that the exchange sets."""

CLIENT_ADDRESSES = frozenset(
    {
        b"cf-connecting-ip", b"cf-connecting-ipv6", b"cf-pseudo-ipv4", b"client-ip",
        b"do-connecting-ip", b"fastly-client-ip", b"fly-client-ip", b"forwarded",
        b"front-end-https", b"incap-client-ip", b"proxy-client-ip", b"true-client-ip",
        b"wl-proxy-client-ip", b"x-nf-client-connection-ip", b"x-client-ip", b"x-client-port",
        b"x-cluster-client-ip", b"x-coming-from", b"x-host", b"x-original-host",
        b"x-original-proto", b"x-originating-ip", b"x-proxyuser-ip", b"x-real-ip", b"x-real-port",
        b"x-scheme", b"x-true-ip", b"x-url-scheme",
    }
)  # fmt: skip
"""Fields in which a proxy says who the client is, and how it has called."""

OTHER_REQUEST = frozenset(
    {
        b"destination", b"x-http-destinationurl", b"x-http-host-override", b"x-http-method",
        b"x-http-method-override", b"x-http-path-override", b"x-method-override",
        b"x-middleware-subrequest", b"x-original-method", b"x-original-uri", b"x-original-url",
        b"x-override-url", b"x-rewrite-url",
    }
)  # fmt: skip
"""Fields that make a service use another method, path or host than the gateway has checked.

`Destination` is the second path of COPY and MOVE (RFC 4918, 10.3).
"""

IDENTITIES = frozenset(
    {
        b"auth-user", b"gap-auth", b"gap-upstream-address", b"kubeflow-userid", b"l5d-client-id",
        b"sm-user", b"user-id", b"x-access-token", b"x-act-as", b"x-anonymous-consumer",
        b"x-apigateway-api-userinfo", b"x-apigateway-context", b"x-apigateway-event",
        b"x-arr-clientcert", b"x-device-user", b"x-email", b"x-endpoint-api-userinfo",
        b"x-gitlab-user", b"x-id-token", b"x-logged-in-user", b"x-mashape-user",
        b"x-on-behalf-of", b"x-rapidapi-user", b"x-refresh-token", b"x-serverless-authorization",
        b"x-uid",
    }
)  # fmt: skip
"""Identity fields of other gateways."""

IDENTITY_BEGINNINGS = (
    b"cf-access-", b"client-cert", b"impersonate-", b"istio-", b"oidc-", b"remote-", b"saml-",
    b"shib-", b"ssl-client-", b"tailscale-", b"x-amzn-mtls-", b"x-amzn-oidc-",
    b"x-amzn-request-context", b"x-auth", b"x-claim", b"x-client-cert", b"x-client-verif",
    b"x-consumer", b"x-credential", b"x-goog-authenticated-", b"x-goog-iap-", b"x-grafana-",
    b"x-group", b"x-hasura-", b"x-identity", b"x-impersonate", b"x-internal-", b"x-istio-",
    b"x-jwt", b"x-keycloak-", b"x-kong-", b"x-ldap-", b"x-ms-client-principal", b"x-ms-token-",
    b"x-oidc-", b"x-okta-", b"x-permission", b"x-pomerium-", b"x-principal", b"x-remote-",
    b"x-role", b"x-saml-", b"x-scope", b"x-shib-", b"x-sm-", b"x-spiffe", b"x-ssl-", b"x-subject",
    b"x-teleport-", b"x-tenant", b"x-token-", b"x-user", b"x-vouch-", b"x-webauth-", b"x-zitadel-",
)  # fmt: skip
"""Beginnings of the identity fields of this gateway, `X-User-*`, and of others."""

PROXY_BEGINNINGS = (
    b"cloudfront-viewer-", b"x-accel-", b"x-appengine-", b"x-azure-", b"x-envoy-",
    b"x-forwarded-", b"x-sendfile-",
)  # fmt: skip
"""Beginnings of fields that only a proxy may set."""

GATEWAY_SETS = frozenset({b"proxy", b"traceparent", b"tracestate", b"x-request-id"})
"""The trace of the request context. `Proxy` would become `HTTP_PROXY` in CGI (httpoxy)."""

CREDENTIALS = frozenset({b"authorization", b"cookie", b"cookie2"})

ONCE = frozenset(
    {
        b"content-range", b"content-type", b"if-modified-since", b"if-range",
        b"if-unmodified-since", b"origin", b"range", b"referer", b"sec-websocket-key",
        b"sec-websocket-version",
    }
)  # fmt: skip
"""Fields with one value: of two, one service takes the first and another the last."""

END_TO_END = ONCE | {
    b"accept", b"accept-encoding", b"authorization", b"cache-control", b"content-encoding",
    b"content-length", b"cookie", b"host", b"if-match", b"if-none-match", b"via",
}  # fmt: skip
"""Fields that `Connection` must not name, besides those about the client and the caller."""

_DROPPED = HOP_BY_HOP | CLIENT_ADDRESSES | OTHER_REQUEST | IDENTITIES | GATEWAY_SETS | CREDENTIALS
_DROPPED_BEGINNINGS = IDENTITY_BEGINNINGS + PROXY_BEGINNINGS

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
    if name in ONCE or (name == b"authorization" and forward_token):
        return RequestRule.ONCE
    if name == b"cookie" and forward_cookies:
        return RequestRule.KEEP
    is_dropped = (
        name in _DROPPED or name.startswith(_DROPPED_BEGINNINGS) or not PLAIN_NAME.fullmatch(name)
    )
    return RequestRule.DROP if is_dropped else RequestRule.KEEP


def is_end_to_end(name: bytes) -> bool:
    """Whether no sender may list the field in `Connection` (RFC 9110, 7.6.1)."""
    return (
        name in END_TO_END
        or name in CLIENT_ADDRESSES
        or name in IDENTITIES
        or name.startswith(_DROPPED_BEGINNINGS)
    )
