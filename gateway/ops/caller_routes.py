"""The routes to look up one caller, and to reset its counts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from gateway.auth.dependencies import Caller, requires
from gateway.ops.caller_lookup import CallerKey, CallerLookup
from gateway.ops.models import CallerStanding, Reason
from gateway.ops.ops_errors import (
    ChangesUnavailable,
    CountsUnavailable,
    UnknownLimit,
    describe_problems,
)
from gateway.ops.ops_scopes import READ, WRITE
from gateway.ops.preconditions import create_author
from gateway.resources import Resource

router = APIRouter(tags=["callers"])


async def read_key(
    policy: str, key: str, issuer: str | None = None, tier: str | None = None
) -> CallerKey:
    """Return the policy and the key of the path; `key` is such as `user:42`."""
    return CallerKey(policy, key, issuer, tier)


@router.get(
    "/limits/{policy}/callers/{key}",
    dependencies=[requires(READ)],
    responses=describe_problems(UnknownLimit, CountsUnavailable),
)
async def get_caller(
    named: Annotated[CallerKey, Depends(read_key)], lookup: Resource[CallerLookup]
) -> CallerStanding:
    """Return where a caller stands under a policy."""
    return await lookup.look_up(named)


@router.delete(
    "/limits/{policy}/callers/{key}",
    dependencies=[requires(WRITE)],
    responses=describe_problems(UnknownLimit, ChangesUnavailable),
    status_code=204,
)
async def reset_caller(
    named: Annotated[CallerKey, Depends(read_key)],
    operator: Caller,
    lookup: Resource[CallerLookup],
    reason: Annotated[Reason, Query()],
) -> None:
    """Drop the counts of a caller under a policy."""
    await lookup.reset(named, create_author(operator, reason))
