"""The header fields of a request that do not go on to the service of a proxied route.

`docs/decisions/proxied-fields.md` has the reason for each name.
"""

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

CREDENTIALS = frozenset({b"authorization", b"cookie", b"cookie2", b"dpop"})

REMOVED = HOP_BY_HOP | CLIENT_ADDRESSES | OTHER_REQUEST | IDENTITIES | GATEWAY_SETS | CREDENTIALS
"""All names; a route may forward `Authorization` with `DPoP`, and `Cookie`, nevertheless."""

REMOVED_BEGINNINGS = IDENTITY_BEGINNINGS + PROXY_BEGINNINGS
