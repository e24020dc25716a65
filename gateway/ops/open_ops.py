"""`open_ops`: serves the ops app beside the gateway of the same process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.auth.verifier import JwtVerifier, TokenVerifier
from gateway.ops.ops_app import create_ops_app
from gateway.resources import Resources
from gateway.server.lifecycle import RunningServer, open_server
from gateway.settings.schema import Settings


@asynccontextmanager
async def open_ops(settings: Settings, gateway: Resources) -> AsyncIterator[RunningServer]:
    """Serve the ops app for the length of the block; `gateway` are the resources of the gateway.

    `ops.audience` must be set.

    Raises:
        InvalidSettings: the host is not an address of this machine.
        AddressUnavailable: the server cannot listen on the port.
    """
    audience = settings.ops.audience
    assert audience is not None  # noqa: S101 - see above
    verifier: JwtVerifier = gateway[TokenVerifier]
    resources = Resources(gateway)
    resources[TokenVerifier] = verifier.accept_audience(audience, settings.issuers)
    app = create_ops_app(settings, resources)
    async with open_server(app, app.state.server) as server:
        yield server
