"""The client of the ops API: one method for each route, documents as `gateway.ops.models` has them.

The only module of the command line that imports httpx.
"""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from gateway.cli.limits.ops_address import OpsAddress
from gateway.cli.limits.ops_refusal import OpsUnreachable, create_refusal
from gateway.ops.models import (
    CallerStanding,
    History,
    Limit,
    LimitList,
    LimitUsage,
    OpsStatus,
    SimulationResult,
    UsageNow,
)
from gateway.tls_error import NO_TLS, describe_tls_error
from gateway.trust_store import create_ssl_context

Model = TypeVar("Model", bound=BaseModel)
Body = Mapping[str, Any]

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 80.0  # a simulation replays up to `ops.recording_rows` requests of each process
_MAX_DOCUMENT_BYTES = 33_554_432
_MAX_RECORDING_BYTES = 67_108_864  # `plan` reads no larger file


@dataclass(frozen=True, slots=True)
class _Request:
    """A request to the ops app; parameters that are None are left out.

    `version` is the one that a change is based on.
    """

    method: str
    path: str
    body: Body | None = None
    params: Mapping[str, str | int | None] = field(default_factory=dict)
    version: int | None = None

    @property
    def is_change(self) -> bool:
        return self.version is not None or self.method == "DELETE"


class OpsClient:
    """A client of one ops app, for the length of a `with` block.

    It waits at most `seconds` for each part of a response. Every method raises `OpsClientError` if
    the ops app cannot be reached, or refuses.
    """

    def __init__(self, address: OpsAddress, seconds: float = _READ_SECONDS) -> None:
        is_encrypted = address.url.startswith("https:")
        self._address = address
        self._http = httpx.Client(
            base_url=address.url,
            headers={} if address.token is None else {"Authorization": f"Bearer {address.token}"},
            timeout=httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
            trust_env=not address.is_on_this_machine,  # no proxy leads to this machine
            verify=create_ssl_context(None) if is_encrypted else False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def list_limits(self) -> LimitList:
        """Return all policies."""
        return self._fetch(LimitList, _Request("GET", "/limits"))

    def get_limit(self, name: str) -> Limit:
        """Return one policy."""
        return self._fetch(Limit, _Request("GET", f"/limits/{name}"))

    def change_limit(self, name: str, patch: Body, *, version: int) -> Limit:
        """Merge `patch`, which has a reason, into the live document of this version (RFC 7396)."""
        return self._fetch(Limit, _Request("PATCH", f"/limits/{name}", patch, version=version))

    def roll_back(self, name: str, to: int, reason: str, *, version: int) -> Limit:
        """Put the document of an earlier version in force again."""
        body = {"version": to, "reason": reason}
        request = _Request("POST", f"/limits/{name}/rollback", body, version=version)
        return self._fetch(Limit, request)

    def simulate(self, name: str, document: Body) -> SimulationResult:
        """Replay the recorded requests with a live document in place of the present one.

        Raises:
            NoSimulation: there are no requests to replay, or their replay is not exact.
        """
        return self._fetch(SimulationResult, _Request("POST", f"/limits/{name}/simulate", document))

    def read_history(self, name: str, *, limit: int, before: int | None = None) -> History:
        """Return the changes of a policy, the latest first."""
        params = {"limit": limit, "before": before}
        return self._fetch(History, _Request("GET", f"/limits/{name}/history", params=params))

    def read_usage(self, name: str, seconds: int) -> LimitUsage:
        """Return the requests under a policy in the last seconds, and the keys with most."""
        params = {"seconds": seconds}
        return self._fetch(LimitUsage, _Request("GET", f"/limits/{name}/usage", params=params))

    def read_usage_now(self) -> UsageNow:
        """Return the requests per second under all policies."""
        return self._fetch(UsageNow, _Request("GET", "/usage"))

    def read_status(self) -> OpsStatus:
        """Return the state of all that the gateway needs, and of its processes."""
        return self._fetch(OpsStatus, _Request("GET", "/status"))

    def look_up(
        self, name: str, key: str, issuer: str | None, tier: str | None = None
    ) -> CallerStanding:
        """Return where a caller stands under a policy; the tier is that of its token."""
        params = {"issuer": issuer, "tier": tier}
        request = _Request("GET", _get_path(name, key), params=params)
        return self._fetch(CallerStanding, request)

    def reset(self, name: str, key: str, issuer: str | None, reason: str) -> None:
        """Forget what a caller has used under a policy."""
        params = {"issuer": issuer, "reason": reason}
        with self._send(_Request("DELETE", _get_path(name, key), params=params)):
            pass

    def save_recording(self, file: Path) -> int:
        """Write the recorded requests to a file; return its size in bytes.

        Raises:
            OSError: the file cannot be written.
        """
        size = 0
        with self._send(_Request("GET", "/recording")) as response, file.open("wb") as target:
            for chunk in response.iter_bytes():
                size += target.write(chunk)
                if size > _MAX_RECORDING_BYTES:
                    raise OpsUnreachable("the recording has more than 64 MiB")
        return size

    def _fetch(self, model: type[Model], request: _Request) -> Model:
        """Send a request, and parse the document of its response."""
        with self._send(request) as response:
            content = _read(response)
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise OpsUnreachable(
                f"the response of {self._address.url} to {request.method} {request.path} is not "
                f"that of an ops app of this version: {place}: {first['msg']}"
            ) from error

    @contextmanager
    def _send(self, request: _Request) -> Iterator[httpx.Response]:
        """Send a request, and return its response, which is a success."""
        url = self._address.url
        try:
            with self._http.stream(
                request.method,
                request.path,
                json=request.body,
                params={k: v for k, v in request.params.items() if v is not None},
                headers={} if request.version is None else {"If-Match": f'"{request.version}"'},
            ) as response:
                if not response.is_success:
                    self._raise_refusal(response)
                yield response
        except httpx.ConnectError as error:
            if (fault := _find_tls_fault(error)) is not None:
                raise OpsUnreachable(f"no TLS connection to {url}: {fault}") from error
            raise OpsUnreachable(
                f"no ops app can be reached at {url} ({error}); check that `lockgate serve` or "
                "`lockgate ops` runs with `ops.audience` set, and that --ops or LOCKGATE_OPS_URL "
                "names its host and port"
            ) from error
        except httpx.TimeoutException as error:
            doubt = "; it may have made the change: see `lockgate limits history`"
            message = f"the ops app at {url} does not respond in time"
            raise OpsUnreachable(message + (doubt if request.is_change else "")) from error
        except httpx.TransportError as error:
            raise OpsUnreachable(f"the ops app at {url} cannot be used: {error}") from error

    def _raise_refusal(self, response: httpx.Response) -> None:
        """Raise the error that the response describes.

        Raises:
            OpsRefusal: always, unless another program has responded.
            OpsUnreachable: this is no ops app.
        """
        kind = response.headers.get("content-type", "no type")
        if not kind.startswith("application/problem+json"):
            raise OpsUnreachable(
                f"another program than an ops app responds at {self._address.url}: with status "
                f"{response.status_code} and {kind}; check --ops or LOCKGATE_OPS_URL"
            )
        try:
            problem = json.loads(_read(response))
        except ValueError:
            problem = {}
        members = problem if isinstance(problem, dict) else {}
        source = self._address.token_source
        raise create_refusal(response.status_code, members, token_source=source)


def _read(response: httpx.Response) -> bytes:
    """Read the body of a response, which is bounded."""
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > _MAX_DOCUMENT_BYTES:
            raise OpsUnreachable(f"a response has more than {_MAX_DOCUMENT_BYTES} bytes")
    return bytes(content)


def _find_tls_fault(error: BaseException) -> str | None:
    """Return what TLS has failed with; None if something else has failed."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return str(cause.verify_message)
    fault = describe_tls_error(cause)
    return f"{fault}; is its URL http://…?" if fault.startswith(NO_TLS) else fault


def _get_path(name: str, key: str) -> str:
    return f"/limits/{name}/callers/{quote(key, safe=':')}"
