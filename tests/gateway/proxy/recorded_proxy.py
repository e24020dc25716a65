"""A gateway whose proxied routes lead to a recording service, and a caller with a token."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from starlette.middleware import Middleware

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.identity.signing_key import build_private_members, generate_signing_key
from gateway.proxy.declaration.proxy import Proxy
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Settings
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    encode_jwk_set,
    get_signing_key,
    make_token,
)
from tests.gateway.identity.verifiers import GATEWAY
from tests.gateway.proxy.recording_service import Recording, record_service

TIMEOUT_SECONDS = 60
QUIET_SECONDS = 0.15
MAX_CONCURRENCY = 32
SCOPE = "service:read"
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")

PROXIES = (
    Proxy("/public/{path:path}", to="service", public="a test",
          remove_headers=["x-company-role"]),
    Proxy("/headers/{path:path}", to="service", requires=SCOPE, identity="headers",
          remove_headers=["X-Company-Role"]),
    Proxy("/token/{path:path}", to="service", requires=SCOPE, remove_headers=["x-company-role"]),
    Proxy("/forward/{path:path}", to="service", requires=SCOPE, forward_token=True,
          identity="headers"),
    Proxy("/socket/{path:path}", to="service", requires=SCOPE, websocket=True),
    Proxy("/none/{path:path}", to="service", requires=SCOPE, identity="none"),
    Proxy("/cookies/{path:path}", to="service", public="a test", forward_cookies=True),
    Proxy("/host/{path:path}", to="service", public="a test", preserve_host=True),
    Proxy("/users/{user}/{path:path}", to="service", requires=SCOPE, owner="user",
          target="/users/{user}/{path}", identity="headers"),
    Proxy("/slashes/{path:path}", to="service", public="a test", encoded_slashes=True),
    Proxy("/parameters/{path:path}", to="service", public="a test", path_parameters=True),
    Proxy("/options/{path:path}", to="service", public="a test", methods=["GET", "OPTIONS"]),
)  # fmt: skip


def make_caller_token(**changes: Any) -> bytes:
    """Make an access token of user 42."""
    claims = {"sub": "42", "scope": SCOPE, "tenant": "acme", **changes}
    return make_token(claims, key=get_signing_key("ES256")).encode()


@dataclass
class RecordedProxy:
    """A running gateway and the recording of its service."""

    port: int
    recording: Recording


async def send_all(port: int, requests: Sequence[bytes]) -> list[bytes]:
    """Send each of the requests on a connection of its own, several at a time.

    Return the response bytes of each, until the connection was closed or quiet.
    """
    slots = asyncio.Semaphore(MAX_CONCURRENCY)

    async def send(data: bytes) -> bytes:
        async with slots:
            return await _send(port, data)

    return await asyncio.gather(*map(send, requests))


async def _send(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    return await exchange_until_quiet(reader, writer, data, QUIET_SECONDS)


async def exchange_until_quiet(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, quiet_seconds: float
) -> bytes:
    """Send bytes, and close; return what is received until the end, or until nothing follows."""
    received = b""
    try:
        writer.write(data)
        while piece := await asyncio.wait_for(
            reader.read(65_536), quiet_seconds if received else TIMEOUT_SECONDS
        ):
            received += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return received


def list_statuses(received: bytes) -> list[int]:
    """Return the status of each response."""
    return [int(status) for status in _STATUS.findall(received)]


@asynccontextmanager
async def serve_recorded(
    folder: Path,
    *middleware: Middleware,
    server: Mapping[str, Any] = MappingProxyType({}),
    **service: Any,
) -> AsyncIterator[RecordedProxy]:
    """Serve PROXIES, with middleware of the application, and settings of server and service."""
    key_set, signing_keys = folder / "jwks.json", folder / "signing.json"
    key_set.write_bytes(encode_jwk_set(get_signing_key("ES256").jwk()))
    signing_keys.touch(mode=0o600)
    private = generate_signing_key("ES256", 0).private
    signing_keys.write_bytes(encode_jwk_set({**build_private_members(private), "iat": 0}))
    async with record_service() as recording:
        settings = Settings.model_validate(
            {
                "server": {"host": "127.0.0.1", "port": 0, **server},
                "issuers": [{"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(key_set)}],
                "identity": {"issuer": GATEWAY, "signing_key_file": str(signing_keys)},
                "upstreams": {"service": {"url": recording.url, **service}},
            }
        )
        app = build_app(settings, Application(proxies=PROXIES, middleware=middleware))
        async with open_server(app, settings.server) as running:
            port = int(running.url.rpartition(":")[2])
            yield RecordedProxy(port, recording)
