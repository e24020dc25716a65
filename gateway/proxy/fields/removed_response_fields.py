"""The header fields of a response that do not go back to the caller of a proxied route.

`docs/decisions/proxied-fields.md` has the reason for each name.
"""

HOP_BY_HOP = frozenset(
    {
        b"keep-alive", b"proxy-authenticate", b"proxy-authentication-info",
        b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
        b"upgrade",
    }
)  # fmt: skip

GATEWAY_SETS = frozenset({b"date", b"timing-allow-origin", b"x-request-id"})

WHOLE_ORIGIN = frozenset(
    {
        b"alt-svc", b"clear-site-data", b"expect-ct", b"nel", b"origin-agent-cluster",
        b"public-key-pins", b"public-key-pins-report-only", b"report-to",
        b"service-worker-allowed", b"set-cookie2", b"strict-transport-security",
    }
)  # fmt: skip
"""Fields that a browser applies to every page of the gateway, not to those of this service."""

SOFTWARE = frozenset({b"server", b"x-powered-by", b"x-aspnet-version", b"x-aspnetmvc-version"})

FOR_PROXIES = frozenset(
    {
        b"x-accel-charset", b"x-accel-limit-rate", b"x-accel-redirect", b"x-lighttpd-send-file",
        b"x-lighttpd-send-tempfile", b"x-litespeed-location", b"x-reproxy-url", b"x-sendfile",
        b"x-sendfile2",
    }
)  # fmt: skip
"""Fields that make a proxy in front of the gateway send a file or a page of its own, or slow it."""

REMOVED_BEGINNINGS = (b"access-control-", b"ratelimit", b"x-ratelimit", b"x-rate-limit")

REMOVED = HOP_BY_HOP | GATEWAY_SETS | WHOLE_ORIGIN | SOFTWARE | FOR_PROXIES
