"""Requests that a scripted service receives, and the patterns that select some of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import httpx

from gateway.upstream.query import Params, encode_query

_PLACEHOLDER = re.compile(r"\{[a-z_][a-z0-9_]*\}")

ANY_BODY: Final = object()
"""The default of `json`: JSON null is a body that can be expected."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as the service received it, with all headers that the gateway added.

    `path` is the path below the base path of the service, percent-encoded: the path that the
    typed client expanded.
    """

    method: str
    url: httpx.URL
    path: str
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)

    def __str__(self) -> str:
        """Return the method, the path and the query, as in `GET /orders?page=2`."""
        query = self.url.query.decode("ascii")
        return f"{self.method} {self.path}" + (f"?{query}" if query else "")

    @property
    def params(self) -> httpx.QueryParams:
        """The query parameters, decoded."""
        return self.url.params

    def json(self) -> Any:  # noqa: ANN401 - the type of JSON
        """Decode the body.

        Raises:
            ValueError: the body is not JSON.
        """
        return json.loads(self.content)


@dataclass(frozen=True)
class RequestPattern:
    """The requests that a test means: a method, a path template, and parts of the request.

    A placeholder such as `{id}` matches one segment of the path. A request must have all `params`
    and `headers` listed here, and may have others; a parameter that is None must be absent.
    `json`, if given, must equal the whole body.
    """

    method: str
    path: str
    params: Params = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = ANY_BODY

    def __post_init__(self) -> None:
        """Refuse a path with a query or without a leading slash.

        Raises:
            ValueError: it is not a path.
        """
        if not self.path.startswith("/") or "?" in self.path:
            raise ValueError(
                f"{self.path!r} is not a path; write one such as /orders/{{id}}, "
                "and a query as params="
            )

    def __str__(self) -> str:
        """Return the method, the path and what else must match."""
        query = encode_query(self.params)
        absent = [f"without {name}" for name, value in self.params.items() if value is None]
        headers = [f"{name}: {value}" for name, value in self.headers.items()]
        body = [] if self.json is ANY_BODY else [f"json={self.json!r}"]
        return " ".join([f"{self.method} {self.path}{query}", *absent, *headers, *body])

    def matches(self, request: ReceivedRequest) -> bool:
        """Whether the request is one of those that this pattern means."""
        return (
            request.method == self.method
            and self._matches_path(request.path)
            and self._matches_params(request.params)
            and all(request.headers.get(name) == value for name, value in self.headers.items())
            and (self.json is ANY_BODY or _is_json(request.content, self.json))
        )

    def _matches_path(self, path: str) -> bool:
        expected, actual = self.path.split("/"), path.split("/")
        return len(expected) == len(actual) and all(map(_matches_segment, expected, actual))

    def _matches_params(self, actual: httpx.QueryParams) -> bool:
        # Encoded and decoded again, so that both sides are lists of text.
        expected = httpx.QueryParams(encode_query(self.params).removeprefix("?"))
        return all(actual.get_list(name) == expected.get_list(name) for name in self.params)


def _matches_segment(template: str, segment: str) -> bool:
    pattern = ".+".join(map(re.escape, _PLACEHOLDER.split(template)))
    return re.fullmatch(pattern, unquote(segment), re.DOTALL) is not None


def _is_json(content: bytes, expected: object) -> bool:
    try:
        return bool(json.loads(content) == expected)
    except ValueError:
        return False
