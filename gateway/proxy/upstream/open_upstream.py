"""Chooses how the requests of proxied routes are sent to a service."""

from gateway.open_clients import OpenService
from gateway.proxy.upstream.direct_upstream import DirectUpstream
from gateway.proxy.upstream.httpx_upstream import HttpxUpstream
from gateway.proxy.upstream.proxy_upstream import ProxyUpstream
from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl


def open_upstream(opened: OpenService) -> ProxyUpstream:
    """Return the fastest way over the transport of a service.

    A subclass of `Transport` may override its handling of requests, so it is used through the
    httpx interface, as any other transport.
    """
    service, transport = opened
    base_url = BaseUrl.of(str(service.url))
    if type(transport) is Transport:
        return DirectUpstream(transport, base_url.origin, service.connect_timeout)
    return HttpxUpstream(transport, base_url, service.connect_timeout)
