"""The shop's proxied routes: requests that go on to a service as they are."""

from config.limits import PARTNERS
from gateway.proxy import Proxy

routes = [
    Proxy(
        "/catalog/{path:path}",
        to="catalog",
        requires="catalog:read",
        limit=PARTNERS,
        methods=["GET"],
    ),
    Proxy("/echo/{path:path}", to="echo", requires="echo:use", websocket=True, tickets=True),
]
