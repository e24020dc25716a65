"""The routes of Lockgate in section proxy; the other proxies have the same."""

from gateway.proxy import Proxy

MAX_BODY_BYTES = 4 * 1024**3

routes = [
    Proxy("/catalog/{path:path}", to="catalog", requires="files:use"),
    Proxy("/files/{path:path}", to="files", requires="files:use", max_body_bytes=MAX_BODY_BYTES),
]
