"""`/dashboard` and `/search`, which need nothing but a token."""

from fastapi import APIRouter

from gateway.auth import requires
from gateway.ratelimit import limited
from tests.tunable.limits import DASHBOARDS, SEARCHES

router = APIRouter(dependencies=[requires("pages:read")])


@router.get("/dashboard", dependencies=[limited(DASHBOARDS)])
async def get_dashboard() -> dict[str, str]:
    """Return a page."""
    return {"page": "dashboard"}


@router.get("/search", dependencies=[limited(SEARCHES)])
async def get_search() -> dict[str, str]:
    """Return a page."""
    return {"page": "search"}
