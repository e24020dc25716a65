"""A service that refuses the identity which the gateway has sent, instead of the caller.

The caller has been authenticated. A 401 would make it fetch a new token, which would not help: the
service and the gateway are configured differently. So the caller gets 502.
"""

from collections.abc import Sequence

from gateway.proxy.declaration.proxy import Proxy

_UNAUTHORIZED = 401
_PROXY_AUTHENTICATION_REQUIRED = 407


def explain_refusal(proxy: Proxy, identity: Sequence[tuple[bytes, bytes]], status: int) -> str:
    """Explain for the log why a response is a refusal of the gateway; "" for any other.

    `identity` are the identity fields of the request. A 401 is for the caller if its own token went
    on, or if the request had no identity at all.
    """
    if status == _PROXY_AUTHENTICATION_REQUIRED:
        return "status 407: upstreams.NAME.url leads to a proxy that needs credentials"
    if status == _UNAUTHORIZED and identity and not proxy.forward_token:
        return f'status 401: it refuses the identity that identity="{proxy.identity}" sends'
    return ""
