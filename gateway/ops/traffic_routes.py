"""The routes about recorded traffic: usage, simulation and the recording itself."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response

from gateway.auth.dependencies import Caller, requires
from gateway.ops.limit_store import LimitStore
from gateway.ops.models import LimitUsage, Proposal, SimulationResult, UsageNow
from gateway.ops.ops_errors import (
    SimulationRefused,
    SimulationsBusy,
    TrafficUnknown,
    UnknownLimit,
    describe_problems,
)
from gateway.ops.ops_scopes import READ
from gateway.ops.preconditions import name_operator
from gateway.ops.simulations import Simulations
from gateway.ops.strict_body import BODY_RESPONSES, STRICT_BODY
from gateway.ops.traffic import Traffic, explain_absence
from gateway.ops.usage_reports import report_usage, report_usage_now
from gateway.ratelimit.bounds import USAGE_SECONDS
from gateway.ratelimit.recording.merge_files import merge_files
from gateway.resources import Resource

router = APIRouter(tags=["traffic"], dependencies=[requires(READ)])


@router.get("/usage")
async def get_usage_now(store: Resource[LimitStore], traffic: Resource[Traffic]) -> UsageNow:
    """Return the rates of all policies over the last ten seconds."""
    return report_usage_now(traffic, store.list_names())


@router.get("/limits/{policy}/usage", responses=describe_problems(UnknownLimit))
async def get_usage(
    policy: str,
    store: Resource[LimitStore],
    traffic: Resource[Traffic],
    seconds: Annotated[int, Query(ge=1, le=USAGE_SECONDS)] = 300,
) -> LimitUsage:
    """Return the requests under a policy second by second, and the keys with most of them."""
    return await report_usage(traffic, store.find(policy).name, seconds)


@router.post(
    "/limits/{policy}/simulate",
    dependencies=[STRICT_BODY],
    responses=BODY_RESPONSES | describe_problems(UnknownLimit, SimulationRefused, SimulationsBusy),
)
async def simulate_limit(
    policy: str,
    proposal: Proposal,
    operator: Caller,
    simulations: Resource[Simulations],
) -> SimulationResult:
    """Replay the recorded requests with a proposed policy, and compare the decisions."""
    return await simulations.simulate(policy, proposal, name_operator(operator))


@router.get(
    "/recording",
    response_class=Response,
    responses={
        200: {"content": {"application/gzip": {}}, "description": "The recording"},
        **describe_problems(TrafficUnknown),
    },
)
async def get_recording(traffic: Resource[Traffic]) -> Response:
    """Export the recorded requests, for `lockgate limits plan`; keys stay hashed."""
    recordings = await traffic.gather_recordings()
    if not recordings.files:
        raise TrafficUnknown(f"Nothing can be saved: {explain_absence(traffic, recordings)}.")
    headers = {"Content-Disposition": 'attachment; filename="recording.jsonl.gz"'}
    file = await asyncio.to_thread(merge_files, list(recordings.files.values()))
    return Response(file, media_type="application/gzip", headers=headers)
