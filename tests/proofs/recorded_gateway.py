"""A gateway in a process of its own, with a route for each kind of policy, that records.

It is started with the URL of Redis, or `-` for none, and `now` or `proposed`, which selects the
policies. It prints its port, and serves until it is killed. `/recording` exports what it recorded.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Annotated

import uvloop
from fastapi import APIRouter, Request, Response

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.auth.dependencies import public
from gateway.ratelimit import ConcurrencyLimit, RateLimit, Reservation, limited, reserved
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.recording.export_file import export_recordings
from gateway.ratelimit.recording.recorder import Recorder
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Counters, Ops, Server, Settings

TOKENS = "tokens"
CHATS = "chats"

NOW: Mapping[str, Policy] = {
    "exact": RateLimit("exact", "30/2seconds", per="address"),
    "bucketed": RateLimit("bucketed", "80/10seconds", per="address"),
    "windows": RateLimit("windows", "10/second, 40/5seconds", per="address"),
    "steady": RateLimit("steady", "8/second", burst=8, per="address"),
    "together": RateLimit("together", "40/5seconds", per="address"),
    TOKENS: RateLimit(TOKENS, "800/5seconds", per="address", cost=20),
    CHATS: ConcurrencyLimit(CHATS, 5, per="address"),
}
PROPOSED: Mapping[str, Policy] = {
    "exact": RateLimit("exact", "20/2seconds", per="address"),
    "bucketed": RateLimit("bucketed", "65/10seconds", per="address"),
    "windows": RateLimit("windows", "7/second, 30/5seconds", per="address"),
    "steady": RateLimit("steady", "6/second", burst=4, per="address"),
    "together": RateLimit("together", "30/5seconds", per="address"),
    TOKENS: RateLimit(TOKENS, "600/5seconds", per="address", cost=20),
    CHATS: ConcurrencyLimit(CHATS, 3, per="address"),
}


def make_router(policies: Mapping[str, Policy]) -> APIRouter:
    """Return a route for each policy; `together` is counted with `exact`."""
    router = APIRouter(dependencies=[public("a proof")])
    tokens = policies[TOKENS]
    assert isinstance(tokens, RateLimit)

    async def respond() -> str:
        return "done"

    async def wait(milliseconds: int) -> str:
        await asyncio.sleep(milliseconds / 1_000)
        return "done"

    async def settle(used: int, reservation: Annotated[Reservation, reserved(tokens)]) -> str:
        await asyncio.sleep(0.02)
        await reservation.settle(used)
        return "done"

    async def export(request: Request) -> Response:
        recorder: Recorder = request.app.state.resources[Recorder]
        return Response(b"".join(export_recordings([recorder.snapshot()])))

    for name, policy in policies.items():
        if name not in (TOKENS, CHATS, "together"):
            router.get(f"/{name}", dependencies=[limited(policy)])(respond)
    both = limited(policies["exact"], policies["together"])
    router.get("/together", dependencies=[both])(respond)
    router.get(f"/{CHATS}", dependencies=[limited(policies[CHATS])])(wait)
    router.get(f"/{TOKENS}")(settle)
    router.get("/recording")(export)
    return router


async def run(redis_url: str, selected: str) -> None:
    """Serve until killed."""
    settings = Settings(
        server=Server(host="127.0.0.1", port=0, trusted_proxies=("127.0.0.0/8",)),
        redis_url=None if redis_url == "-" else redis_url,
        counters=Counters(processes=1 if redis_url == "-" else 3, timeout_ms=1_000),
        ops=Ops(audience="operators"),
    )
    router = make_router(NOW if selected == "now" else PROPOSED)
    app = build_app(settings, Application(routers=[router]))
    async with open_server(app, settings.server) as server:
        print(server.url.rpartition(":")[2], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], sys.argv[2]))
