"""The route that returns the state of all that the gateway needs."""

from collections.abc import Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Request

from gateway.auth.dependencies import requires
from gateway.auth.verifier import TokenVerifier
from gateway.ops.models import Component, Covers, OpsStatus, Provider
from gateway.ops.ops_scopes import READ
from gateway.ops.process_channel import RecordedSpan
from gateway.ops.traffic import Traffic
from gateway.ratelimit.limiter import RateLimiter
from gateway.resources import Resource, Resources
from gateway.storage.open_storage import Storage

_NO_COUNTS = {"status": "unknown", "counters": "in the memory of each process"}

router = APIRouter(tags=["status"], dependencies=[requires(READ)])


@router.get("/status")
async def get_status(
    request: Request,
    verifier: Resource[TokenVerifier],
    traffic: Resource[Traffic],
) -> OpsStatus:
    """Return the state of Redis, the database, providers, services and processes."""
    resources: Resources = request.app.state.resources
    limiter: RateLimiter | None = resources.get(RateLimiter)
    return OpsStatus(
        redis=_NO_COUNTS if limiter is None else limiter.health(),
        database=_describe_database(resources.get(Storage)),
        providers=[Provider(issuer=name, state=it) for name, it in verifier.health().items()],
        services=[Component(name=name, state=it) for name, it in traffic.get_services().items()],
        processes=list(traffic.list_processes()),
        recording=_describe_recorded(traffic.list_recorded()),
    )


def _describe_recorded(spans: Mapping[str, RecordedSpan]) -> Covers | None:
    if not spans:
        return None
    begin = min(it.begin for it in spans.values())
    end = max(it.end for it in spans.values())
    return Covers(
        from_=datetime.fromtimestamp(begin, UTC),
        to=datetime.fromtimestamp(end, UTC),
        seconds=round(end - begin, 3),
        requests=sum(it.requests for it in spans.values()),
        keys=None,
        processes=sorted(spans),
        left_out={},
    )


def _describe_database(storage: Storage | None) -> dict[str, str | int | float]:
    if storage is None:
        return {"status": "none"}
    if not storage.feed.is_loaded:
        return {"status": "loading"}
    status = "unavailable" if storage.feed.is_stale else "ok"
    return {"status": status, "age_seconds": round(storage.feed.age, 3)}
