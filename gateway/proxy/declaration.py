"""`Proxy`, the declaration of a proxied route."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from gateway.ratelimit.policy import RateLimit


@dataclass(frozen=True, slots=True)
class Proxy:
    """A route whose requests go on to the service `to`, with bodies streamed both ways.

    `path` is the path on the gateway, as in FastAPI: `/inventory/{path:path}`. `target` is the path
    below the base path of the service, with the same parameters; by default it is `path` without
    what stands before its first parameter: `/{path}`.

    Access: `requires` names the scopes that a token needs, `owner` the path parameter that names
    the only user who may call it; or `public` gives the reason why no token is needed. `limit` has
    the policies that are charged.

    `methods` are the methods that are proxied, by default all but CONNECT and TRACE.

    Times are in seconds. `timeout` bounds the wait for the head of the response, by default the
    `timeout` of the service. `idle_timeout` bounds the time in which no byte arrives from either
    side; `total_timeout` bounds the whole exchange. `max_body_bytes` bounds the request body, by
    default `server.max_body_bytes`.

    `identity` is how the service learns who the caller is: by an internal token in `Authorization`,
    by `X-User-*` header fields, or not at all. The credentials of the caller stay behind unless
    `forward_token` or `forward_cookies` is set. `preserve_host` sends the `Host` of the caller.

    `websocket` accepts WebSocket handshakes. `tickets` accepts a ticket in the query instead of a
    token. `encoded_slashes` accepts `%2F` in the path, and `path_parameters` accepts `;`; by
    default both are refused with 400, because services differ in what they mean.
    """

    path: str
    to: str
    _: KW_ONLY
    requires: str | Sequence[str] | None = None
    public: str | None = None
    owner: str | None = None
    limit: RateLimit | Sequence[RateLimit] = ()
    methods: Sequence[str] = ()
    target: str | None = None
    timeout: float | None = None
    idle_timeout: float = 300
    total_timeout: float | None = None
    max_body_bytes: int | None = None
    identity: Literal["token", "headers", "none"] = "token"
    websocket: bool = False
    tickets: bool = False
    forward_token: bool = False
    forward_cookies: bool = False
    preserve_host: bool = False
    encoded_slashes: bool = False
    path_parameters: bool = False
