"""The policies of a package, and the claims that they read."""

from typing import Annotated

from fastapi import APIRouter, Depends

from gateway.ratelimit import RateLimit, limited
from gateway.ratelimit.used_policies import find_claims, find_policies

DECLARED = RateLimit(
    "declared", "1/minute", per="claim:org", tiers={"pro": "2/minute"}, tier_claim="plan"
)
OF_ROUTE = RateLimit("of_route", "1/minute", per="claim:team")


def test_the_policies_of_routes_are_found_and_those_of_dependencies_in_them() -> None:
    router = APIRouter()
    guard = limited(OF_ROUTE)

    def check(_: Annotated[None, guard]) -> None: ...

    @router.get("/nested", dependencies=[Depends(check), limited(DECLARED)])
    async def nested() -> None: ...

    found = find_policies(router, {"declared": DECLARED})
    assert found == {"declared": DECLARED, "of_route": OF_ROUTE}
    assert find_claims(found.values()) == {"org", "plan", "team"}
    assert find_claims([]) == set()
