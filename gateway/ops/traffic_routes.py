"""The routes about recorded traffic: usage, simulation and the recording itself."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Response

from gateway.auth.dependencies import requires
from gateway.ops.interfaces import LimitStore, Traffic
from gateway.ops.models import MAX_SECONDS, LimitUsage, Proposal, SimulationResult, UsageNow
from gateway.ops.scopes import READ
from gateway.resources import Resource

router = APIRouter(tags=["traffic"], dependencies=[requires(READ)])


@router.get("/usage")
async def get_usage_now(traffic: Resource[Traffic]) -> UsageNow:
    """Return the rates of all policies over the last ten seconds."""
    rates = await traffic.read_rates()
    return UsageNow(now=time.time(), policies=rates, processes=list(traffic.list_processes()))


@router.get("/limits/{policy}/usage")
async def get_usage(
    policy: str,
    store: Resource[LimitStore],
    traffic: Resource[Traffic],
    seconds: Annotated[int, Query(ge=1, le=MAX_SECONDS)] = 300,
) -> LimitUsage:
    """Return the requests under a policy second by second, and the keys with most of them."""
    return await traffic.read_usage(store.get(policy).name, seconds)


@router.post("/limits/{policy}/simulate")
async def simulate_limit(
    policy: str, proposal: Proposal, store: Resource[LimitStore], traffic: Resource[Traffic]
) -> SimulationResult:
    """Replay the recorded requests with a proposed policy, and compare the decisions."""
    return await traffic.simulate(store.get(policy).name, proposal)


@router.get(
    "/recording",
    response_class=Response,
    responses={200: {"content": {"application/gzip": {}}, "description": "The recording"}},
)
async def get_recording(traffic: Resource[Traffic]) -> Response:
    """Export the recorded requests, for `lockgate limits plan`; keys stay hashed."""
    headers = {"Content-Disposition": 'attachment; filename="recording.jsonl.gz"'}
    return Response(await traffic.export(), media_type="application/gzip", headers=headers)
