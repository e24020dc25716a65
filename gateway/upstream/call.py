"""One call as a client method writes it, and the request it becomes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_core import to_json

from gateway.upstream.headers import validate_headers
from gateway.upstream.propagation import sent
from gateway.upstream.query import Params, encode_query
from gateway.upstream.url_template import expand

_METHOD = re.compile(r"(?!CONNECT$)[A-Z]+(-[A-Z]+)*")
_MEANS_A_BODY = frozenset({"POST", "PUT", "PATCH"})
_LONGEST_TARGET = 65_536


@dataclass(slots=True)
class Call:
    """Method, path template and the values in it, and what else a request has.

    A parameter that is None is left out, a list is repeated. `json` is anything pydantic can
    write down, models included; None sends no body. `timeout` is in seconds, None the client's.
    """

    method: str
    path: str
    segments: Mapping[str, str | int]
    params: Params | None = None
    headers: Mapping[str, str] | None = None
    json: object = None
    content: bytes | None = None
    timeout: float | None = None

    @property
    def operation(self) -> str:
        """What errors and metrics call it: the method and the template, no value in it."""
        return f"{self.method} {self.path}"

    def written(self) -> tuple[str, str, bytes]:
        """The target below the service's base path, header lines without Host, and the body.

        Raises:
            ValueError: method, path, headers or bodies cannot be sent as they are.
        """
        method = self.method
        if method != "GET" and not _METHOD.fullmatch(method):
            raise ValueError(f"{self.operation}: no such method")
        target = expand(self.path, self.segments)
        if self.params:
            target += encode_query(self.params)
        if len(target) > _LONGEST_TARGET:
            raise ValueError(f"{self.operation}: its values are too long")
        if (
            method not in _MEANS_A_BODY
            and self.headers is None
            and self.content is None
            and self.json is None
        ):
            return target, sent().lines, b""
        body = self._body()
        return target, sent().with_own(self._described(body)), body

    def _body(self) -> bytes:
        if self.json is None:
            return self.content or b""
        if self.content is not None:
            raise ValueError(f"{self.operation}: json and content exclude each other")
        return to_json(self.json)

    def _described(self, body: bytes) -> dict[str, str]:
        """The call's own fields, and those its body needs (RFC 9110, 8.6)."""
        own = {} if self.json is None else {"content-type": "application/json"}
        if body or self.method in _MEANS_A_BODY:
            own["content-length"] = str(len(body))
        return own | validate_headers(self.headers or {})
