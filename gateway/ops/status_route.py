"""The route that returns the state of all that the gateway needs."""

from fastapi import APIRouter, Request

from gateway.auth.dependencies import requires
from gateway.auth.verifier import TokenVerifier
from gateway.open_clients import OpenServices
from gateway.ops.interfaces import Traffic
from gateway.ops.models import Component, OpsStatus, Provider
from gateway.ops.scopes import READ
from gateway.ratelimit.limiter import RateLimiter
from gateway.resources import Resource, Resources
from gateway.storage.open_storage import Storage

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
    services: OpenServices = resources.get(OpenServices) or OpenServices()
    return OpsStatus(
        redis=limiter.health() if limiter is not None else {"status": "unknown"},
        database=_describe_database(resources.get(Storage)),
        providers=[Provider(issuer=name, state=it) for name, it in verifier.health().items()],
        services=[Component(name=name, state="unknown") for name in sorted(services)],
        processes=list(traffic.list_processes()),
        recording=traffic.describe_recording(),
    )


def _describe_database(storage: Storage | None) -> dict[str, str | int | float]:
    if storage is None:
        return {"status": "none"}
    if not storage.feed.is_loaded:
        return {"status": "loading"}
    status = "unavailable" if storage.feed.is_stale else "ok"
    return {"status": status, "age_seconds": round(storage.feed.age, 3)}
