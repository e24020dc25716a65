"""An app set up as slowapi's documentation says, and requests to it."""

from typing import Any

import slowapi
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from slowapi.errors import RateLimitExceeded
from slowapi.util import get_remote_address
from starlette.applications import Starlette

from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.memory_limiter import MemoryLimiter
from tests.gateway.ratelimit.charges import ManualClock


def build_app(limiter: Limiter) -> FastAPI:
    """An app set up as slowapi's documentation says."""
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)  # type: ignore[arg-type]
    return app


def build_limiter(**options: Any) -> Limiter:
    """A limiter with a clock that stands still."""
    return Limiter(get_remote_address, engine=MemoryLimiter(clock=ManualClock()), **options)


async def get_statuses(
    app: Starlette, *paths: str, method: str = "GET", **headers: str
) -> list[int]:
    """Send one request after the other, and return their statuses."""
    return [(await send(app, path, method, **headers)).status_code for path in paths]


async def send(app: Starlette, path: str, method: str = "GET", **headers: str) -> Any:
    """Send one request."""
    async with AsyncClient(transport=ASGITransport(app), base_url="http://app") as client:
        return await client.request(method, path, headers=headers)
