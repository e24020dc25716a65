"""Calls an identity provider through the proxy of the settings."""

import ssl

import httpx

from gateway.auth.jwks.fetch_error import ProxyUnreachable, describe_fetch_error, iter_causes


class ProxyTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, which tells a proxy that cannot be reached from the provider behind it.

    Through a proxy, the gateway itself connects to the proxy only. The one error of a connection
    that is about the provider is that of TLS, inside the tunnel.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            ProxyUnreachable: there is no connection to the proxy.
            httpx.TransportError: the provider sends no response.
        """
        try:
            return await super().handle_async_request(request)
        except httpx.ConnectError as error:
            if any(isinstance(cause, ssl.SSLError) for cause in iter_causes(error)):
                raise
            unreachable = ProxyUnreachable(describe_fetch_error(error))
        # Outside the block, so that it has no cause: that of the provider would be the same.
        raise unreachable
