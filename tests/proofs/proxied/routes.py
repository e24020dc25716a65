"""The proxied route: large bodies and streams of the service `files`."""

from gateway.proxy import Proxy

MAX_BODY_BYTES = 4 * 10**9

FILES = Proxy(
    "/files/{path:path}",
    to="files",
    public="a proof",
    identity="none",
    max_body_bytes=MAX_BODY_BYTES,
)
routes = [FILES]
