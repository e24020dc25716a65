"""The proxied route: short responses, event streams and WebSockets of the service `service`."""

from gateway.proxy import Proxy
from tests.proofs.revocable.limits import REQUESTS

routes = [
    Proxy(
        "/service/{path:path}",
        to="service",
        requires=(),
        identity="none",
        websocket=True,
        limit=REQUESTS,
    )
]
