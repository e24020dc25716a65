"""One call as a client method writes it, and the request it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
from pydantic_core import to_json

from clients.fields import checked
from clients.forwarded import forwarded
from clients.path import fill

_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "lockgate",
}

Param = str | int | float | bool | None
Params = Mapping[str, Param | Sequence[Param]]


@dataclass(frozen=True, slots=True)
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

    def request(self, base_url: str, connect_timeout: float) -> httpx.Request:
        """The request to send, forwarded headers included.

        Raises:
            ValueError: path, headers or bodies cannot be sent as they are.
        """
        content, described = self._body()
        return httpx.Request(
            self.method,
            base_url + fill(self.path, self.segments),
            params=_given(self.params),
            headers={**_HEADERS, **forwarded(), **described, **checked(self.headers or {})},
            content=content,
            extensions={"timeout": {"connect": connect_timeout}},
        )

    def _body(self) -> tuple[bytes | None, dict[str, str]]:
        if self.json is None:
            return self.content, {}
        if self.content is not None:
            raise ValueError(f"{self.operation}: json and content exclude each other")
        return to_json(self.json), {"content-type": "application/json"}


def _given(params: Params | None) -> dict[str, Param | Sequence[Param]] | None:
    """The parameters that have a value; None where there are none, for httpx tells {} from None."""
    return {name: value for name, value in (params or {}).items() if value is not None} or None
