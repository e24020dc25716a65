"""`Proxy`, the declaration of a proxied route."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from gateway.declaration.argument_errors import check_arguments
from gateway.declaration.declaration import Declaration
from gateway.proxy.declaration.access_errors import find_access_errors, find_caller_errors
from gateway.proxy.declaration.header_errors import find_header_errors
from gateway.proxy.declaration.methods import PROXIED_METHODS, format_methods
from gateway.proxy.declaration.path_errors import derive_target, find_parameters, find_path_errors
from gateway.proxy.declaration.value_errors import (
    find_method_errors,
    find_type_errors,
    find_value_errors,
)
from gateway.ratelimit.policy import Policy


@check_arguments
@dataclass(frozen=True, slots=True)
class Proxy(Declaration):
    """A route whose requests go on to the service `to`, with bodies streamed both ways.

    `path` is the path on the gateway, as in FastAPI: `/inventory/{path:path}`. `target` is the path
    below the base path of the service, with the same parameters; by default it is `path` without
    what stands before its first parameter: `/{path}`.

    Access: `requires` names the scopes that a token needs, and `()` admits any valid token; `owner`
    is the path parameter that names the only user who may call the route. Or `public` gives the
    reason why no token is needed. `dpop` admits only tokens that are bound to a key, which each
    request proves (RFC 9449). `limit` has the policies that are charged.

    `methods` are the methods that are proxied, by default all but CONNECT and TRACE. HEAD goes
    with GET.

    Times are in seconds. `timeout` bounds the wait for the head of the response, by default the
    `timeout` of the service. `idle_timeout` bounds the time in which no byte arrives from either
    side; `total_timeout` bounds the whole exchange. `max_body_bytes` bounds the request body, by
    default `server.max_body_bytes`.

    `identity` is how the service learns who the caller is: by an internal token in `Authorization`,
    by `X-User-*` header fields, or not at all. The credentials of the caller stay behind unless
    `forward_token` or `forward_cookies` is set. `preserve_host` sends the `Host` of the caller.

    `set_headers` has header fields that each request to the service gets, in place of those of the
    caller, and `remove_headers` names further ones that no caller may send, such as the identity
    fields of a company. `set_response_headers` and `remove_response_headers` do the same for the
    responses of the service. Values are sent as they are.

    `websocket` accepts WebSocket handshakes. `tickets` accepts a ticket in the query instead of a
    token. The token is verified when a request arrives. A WebSocket, and a response without a
    Content-Length, such as an event stream, also end when it expires, unless `outlive_token` is
    set. `encoded_slashes` accepts `%2F` in the path, and `path_parameters` accepts `;`; by
    default both are refused with 400, because services differ in what they mean.

    Raises:
        InvalidDeclaration: the declaration has errors; the message has all of them.
    """

    path: str
    to: str
    _: KW_ONLY
    requires: str | Sequence[str] | None = None
    public: str | None = None
    owner: str | None = None
    dpop: bool = False
    limit: Policy | Sequence[Policy] = ()
    methods: Sequence[str] = PROXIED_METHODS
    target: str | None = None
    timeout: float | None = None
    idle_timeout: float = 300
    total_timeout: float | None = None
    max_body_bytes: int | None = None
    identity: Literal["token", "headers", "none"] = "token"
    websocket: bool = False
    tickets: bool = False
    outlive_token: bool = False
    forward_token: bool = False
    forward_cookies: bool = False
    preserve_host: bool = False
    set_headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    remove_headers: Sequence[str] = ()
    set_response_headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    remove_response_headers: Sequence[str] = ()
    encoded_slashes: bool = False
    path_parameters: bool = False

    def __post_init__(self) -> None:
        """Check every field, and record where the route is declared."""
        self.record_mistakes(self.path, list(self._iter_errors()))
        if not self.mistakes:
            object.__setattr__(self, "methods", _with_head(self.methods))

    def __str__(self) -> str:
        """Format as `GET/POST /path`, or as `ANY /path`."""
        return f"{self.method_text} {self.path}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that a token needs; none for `requires=()` and for a public route."""
        if self.requires is None:
            return ()
        return (self.requires,) if isinstance(self.requires, str) else tuple(self.requires)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies that a request is charged to."""
        return (self.limit,) if isinstance(self.limit, Policy) else tuple(self.limit)

    @property
    def method_text(self) -> str:
        """The methods as `GET/POST`; `ANY` for all that can be proxied."""
        return format_methods(self.methods)

    @property
    def parameters(self) -> Mapping[str, bool]:
        """The parameters of the path, and whether each can have several segments."""
        return find_parameters(self.path)

    @property
    def target_path(self) -> str:
        """The path below the base path of the service: `target`, or what it is by default."""
        return self.target or derive_target(self.path)

    def _iter_errors(self) -> Iterator[str]:
        """Yield the errors of all fields, and of fields that contradict each other.

        If a field has another type, only such errors are found: it cannot be compared with others.
        """
        values = {name: getattr(self, name) for name in self.__slots__}
        if errors := [*find_type_errors(values), *find_method_errors(self.methods)]:
            yield from errors
            return
        yield from find_path_errors(self.path, self.target)
        yield from find_access_errors(
            self.requires, self.public, self.owner, self.path, self.target
        )
        yield from find_caller_errors(values, self.policies)
        yield from find_value_errors(values)
        yield from find_header_errors(values)


def _with_head(methods: Sequence[str]) -> tuple[str, ...]:
    """Add HEAD to GET, which the gateway serves wherever it serves GET (RFC 9110, 9.3.2)."""
    return (*methods, "HEAD") if "GET" in methods and "HEAD" not in methods else tuple(methods)
