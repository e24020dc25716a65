"""Health checks: the liveness probe GET /healthz and the readiness probe GET /readyz."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from gateway.auth.dependencies import public
from gateway.auth.verifier import TokenVerifier
from gateway.ratelimit.limiter import RateLimiter
from gateway.request_context import IS_DRAINING
from gateway.resources import Resource

LIVENESS_PATH, READINESS_PATH = PATHS = ("/healthz", "/readyz")

router = APIRouter(tags=["health"], dependencies=[public("health probes of the orchestrator")])


class Liveness(BaseModel):
    """The response of the liveness probe."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The response of the readiness probe: the overall status and that of each dependency.

    A `degraded` process still serves: taking all such processes out of rotation would turn the
    loss of Redis or of an identity provider into an outage. A process is `unavailable` only if
    it cannot verify any token, and `draining` once it has been asked to stop.
    """

    status: Literal["ok", "degraded", "unavailable", "draining"]
    issuers: dict[str, str]
    limits: dict[str, str | int]


@router.get(LIVENESS_PATH)
async def get_health() -> Liveness:
    """Liveness probe. Returns 200 while the process is serving."""
    return Liveness()


@router.get(READINESS_PATH, responses={503: {"model": Readiness}})
async def get_readiness(
    verifier: Resource[TokenVerifier],
    limiter: Resource[RateLimiter],
    request: Request,
    response: Response,
) -> Readiness:
    """Readiness probe. Returns the status of the identity providers and of the rate limiter."""
    issuers, limits = verifier.health(), limiter.health()
    if IS_DRAINING in request.scope.get("state", ()):
        response.status_code = 503
        return Readiness(status="draining", issuers=issuers, limits=limits)
    is_ok = limits["status"] == "ok" and all(state == "ok" for state in issuers.values())
    if issuers and all(state == "no keys" for state in issuers.values()):
        response.status_code = 503
        return Readiness(status="unavailable", issuers=issuers, limits=limits)
    return Readiness(status="ok" if is_ok else "degraded", issuers=issuers, limits=limits)
