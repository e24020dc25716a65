"""A gateway in a process of its own, whose requests hold leases until their client leaves.

It is started with the URL of Redis, prints its port, and serves until it is killed.
"""

import asyncio
import sys

import uvloop
from fastapi import APIRouter

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.auth.dependencies import public
from gateway.ratelimit import ConcurrencyLimit, limited
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Counters, Server, Settings

LIMIT = 100
LEASE_SECONDS = 5
CHATS = ConcurrencyLimit("chats", LIMIT, per="address", lease_seconds=LEASE_SECONDS)
router = APIRouter(dependencies=[public("a proof"), limited(CHATS)])


@router.get("/wait")
async def get_wait() -> None:
    """Never respond."""
    await asyncio.Event().wait()


@router.get("/plain")
async def get_plain() -> str:
    """Respond."""
    return "done"


async def run(redis_url: str) -> None:
    """Serve until killed."""
    settings = Settings(
        server=Server(host="127.0.0.1", port=0),
        redis_url=redis_url,
        counters=Counters(processes=2, timeout_ms=1_000),
    )
    app = build_app(settings, Application(routers=[router]))
    async with open_server(app, settings.server) as server:
        print(server.url.rpartition(":")[2], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1]))
