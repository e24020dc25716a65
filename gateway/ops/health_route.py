"""GET /healthz of the ops port: the liveness probe, as on the public port."""

from fastapi import APIRouter

from gateway.auth.dependencies import public
from gateway.health import LIVENESS_PATH, Liveness

router = APIRouter(tags=["health"], dependencies=[public("health probes of the orchestrator")])


@router.get(LIVENESS_PATH)
async def get_health() -> Liveness:
    """Liveness probe. Returns 200 while the process is serving, for any host."""
    return Liveness()
