"""GET /healthz and GET /readyz: is the process alive, and is it fit to be sent requests."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from gateway.auth.dependencies import public
from gateway.auth.verifier import TokenVerifier
from gateway.ratelimit.limiter import RateLimiter
from gateway.resources import Resource

ALIVE, READY = PATHS = ("/healthz", "/readyz")

router = APIRouter(tags=["health"], dependencies=[public("asked by the orchestrator")])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether requests should be sent here, and what is not as it should be.

    `degraded` still serves: taking every such process out would turn a lost Redis or identity
    provider into an outage. Only a process that cannot verify any token is `unavailable`.
    """

    status: Literal["ok", "degraded", "unavailable"]
    issuers: dict[str, str]
    limits: dict[str, str | int]


@router.get(ALIVE)
async def get_health() -> Alive:
    """Answer, which is all that is asked."""
    return Alive()


@router.get(READY, responses={503: {"model": Ready}})
async def get_readiness(
    verifier: Resource[TokenVerifier], limiter: Resource[RateLimiter], response: Response
) -> Ready:
    """Say how the identity providers and the counters are."""
    issuers, limits = verifier.health(), limiter.health()
    well = limits["status"] == "ok" and all(state == "ok" for state in issuers.values())
    if issuers and all(state == "no keys" for state in issuers.values()):
        response.status_code = 503
        return Ready(status="unavailable", issuers=issuers, limits=limits)
    return Ready(status="ok" if well else "degraded", issuers=issuers, limits=limits)
