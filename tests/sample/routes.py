"""The proxied routes of the sample application."""

from gateway.proxy import Proxy

routes = [
    Proxy(
        "/archive/{user_id}/{path:path}",
        to="orders",
        requires="archive:read",
        owner="user_id",
        methods=["POST"],
        identity="headers",
    )
]
