"""Proxied routes: a request goes on to a service as it is, and its response comes back, streamed.

A company declares them in `routes.py` of its package with `Proxy(...)`.
"""

from gateway.proxy.declaration.proxy import Proxy

__all__ = ["Proxy"]
