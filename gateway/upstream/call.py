"""One call as a client method describes it, and its serialized request."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic_core import PydanticSerializationError, to_json

from gateway.transport.request_writer import IDEMPOTENT
from gateway.upstream.errors import InvalidArgument
from gateway.upstream.headers import validate_headers
from gateway.upstream.lone_surrogates import NO_LONE_SURROGATES, is_lone_surrogate_error
from gateway.upstream.propagation import PropagatedHeaders, current_headers
from gateway.upstream.query import Params, encode_query
from gateway.upstream.service_headers import ServiceHeaders
from gateway.upstream.url_template import expand

_METHOD = re.compile(r"(?!CONNECT$)[A-Z]+(-[A-Z]+)*")
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_MAX_TARGET_LENGTH = 65_536


@dataclass(slots=True, repr=False)
class Call:
    """The method, the path template with its values, and the other parts of a request.

    A parameter that is None is left out; a list repeats the parameter. `json` is any value that
    pydantic can serialize, including models; None sends no body. `timeout` is in seconds; None
    means the timeout of the client.
    """

    replay_as: ClassVar[str | None] = None
    """The method whose rules for sending a request again apply; None means those of `method`."""

    method: str
    path: str
    segments: Mapping[str, str | int]
    params: Params | None = None
    headers: Mapping[str, str] | None = None
    json: object = None
    content: bytes | None = None
    timeout: float | None = None
    # Captured on creation: the call may be sent outside the context of its incoming request, in a
    # separate task or from a callback of a connection.
    propagated: PropagatedHeaders = field(
        default_factory=current_headers, init=False, repr=False, compare=False
    )

    def __repr__(self) -> str:
        """Return the operation only: policies log calls, and the other fields may hold secrets."""
        return f"<Call {self.operation}>"

    @property
    def operation(self) -> str:
        """The name of the call in errors and metrics: the method and the template, no values."""
        return f"{self.method} {self.path}"

    @property
    def is_idempotent(self) -> bool:
        """Whether the request may be sent more than once (RFC 9110, 9.2.2)."""
        return (self.replay_as or self.method) in IDEMPOTENT

    @property
    def chooses_encoding(self) -> bool:
        """Whether the call sets `Accept-Encoding`; the default of the gateway is `identity`."""
        return any(name.lower() == "accept-encoding" for name in self.headers or ())

    def serialize(self, service_headers: ServiceHeaders | None = None) -> tuple[str, str, bytes]:
        """Return the target below the base path, the header lines without Host, and the body.

        The fields of the call override those of the service, which override the propagated ones.

        Raises:
            InvalidArgument: a value for the path, the query, a header or the body cannot be sent.
            ValueError: the method, the path or a header name cannot be sent, or the body has no
                JSON form.
        """
        method = self.method
        if method != "GET" and not _METHOD.fullmatch(method):
            raise ValueError(f"{self.operation}: no such method")
        target = expand(self.path, self.segments)
        if self.params:
            target += encode_query(self.params)
        if len(target) > _MAX_TARGET_LENGTH:
            raise self._too_long(target)
        if (
            service_headers is None
            and method not in _METHODS_WITH_BODY
            and self.headers is None
            and self.content is None
            and self.json is None
        ):
            return target, self.propagated.lines, b""
        body = self._body()
        own = self._own_headers(body)
        if service_headers is not None:
            own = {**service_headers.select(self.propagated), **own}
        return target, self.propagated.serialize_with(own), body

    def _body(self) -> bytes:
        if self.json is None:
            return self.content or b""
        if self.content is not None:
            raise ValueError(f"{self.operation}: json and content exclude each other")
        try:
            return to_json(self.json)
        except PydanticSerializationError as exc:
            if is_lone_surrogate_error(exc):
                raise InvalidArgument("json", NO_LONE_SURROGATES) from exc
            raise

    def _too_long(self, target: str) -> InvalidArgument:
        """Return the error for a target that is too long; it names the longest value."""
        values = {**self.segments, **(self.params or {})}
        name = max(values, key=lambda name: len(str(values[name])), default="")
        return InvalidArgument(
            name,
            f"too long: the target of the call would have {len(target)} characters, "
            f"at most {_MAX_TARGET_LENGTH}",
        )

    def _own_headers(self, body: bytes) -> dict[str, str]:
        """Return the fields of the call, and those that its body needs (RFC 9110, 8.6)."""
        own = {} if self.json is None else {"content-type": "application/json"}
        if body or self.method in _METHODS_WITH_BODY:
            own["content-length"] = str(len(body))
        return own | validate_headers(self.headers or {})


class IdempotentCall(Call):
    """A call that may be sent again although its method is not idempotent, such as a search.

    "Some means to know that the request semantics are actually idempotent, regardless of the
    method" (RFC 9110, 9.2.2) is the declaration of the typed client.
    """

    __slots__ = ()

    replay_as = "QUERY"  # the method for a safe request with a body
