"""Decides the guards of a route, without what a decision would use up.

No rate limit is charged, no ticket is redeemed, and no dependency of a package is called.
"""

from collections.abc import AsyncIterator, Iterator, Mapping

from fastapi.security import SecurityScopes
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.aggregation.dependency import LoadComposite
from gateway.auth.dependencies import (
    Authorize,
    AuthorizeBound,
    Public,
    authenticate,
    find_principal,
)
from gateway.auth.ownership import Owner
from gateway.auth.principal import Principal
from gateway.errors.tree import GatewayError, TicketRefused
from gateway.explanation.explanation import Ended, GuardRule
from gateway.fastapi_internals import (
    RouteContext,
    get_security_scopes,
    iter_dependencies,
)
from gateway.ratelimit.limited_dependency import Limited
from gateway.ratelimit.policy import Policy
from gateway.request_context import RequestContext
from gateway.resources import ResourceLookup
from gateway.settings.rate import format_rates
from gateway.tickets.redeem_ticket import AcceptTicket, extract_ticket

Policies = Mapping[str, Policy]

_REFUSED_TICKET = GuardRule("ticket", "accepted in the query instead of a token", is_met=False)


async def decide_guards(
    route: RouteContext, request: Request, policies: Policies
) -> AsyncIterator[GuardRule]:
    """Yield the rules of a route in the order in which the gateway decides them.

    `policies` have the rates that are in force, by name.

    Raises:
        Ended: a guard refuses the request.
    """
    has_ticket = False
    for _, inner in iter_dependencies(route.dependant):
        call = inner.call
        if isinstance(call, AcceptTicket):
            has_ticket = _has_ticket(request)
            yield _describe_ticket(has_ticket=has_ticket)
        elif isinstance(call, Authorize | Owner):
            scopes = get_security_scopes(inner)
            if has_ticket:
                yield GuardRule(*_name_access(call, scopes))
            else:
                yield await _decide_access(call, scopes, request)
        else:
            for rule in _describe(call, policies, request):
                yield rule


def _has_ticket(request: Request) -> bool:
    """Whether the query has a ticket, which is taken out of it.

    Raises:
        Ended: the gateway would refuse the request before it redeems the ticket.
    """
    try:
        return extract_ticket(request) is not None
    except HTTPException as error:
        raise Ended(error.status_code, error.detail, _REFUSED_TICKET) from error
    except TicketRefused as error:
        text = f"{error.reason}: {error.explanation}"
        raise Ended(error.status, text, _REFUSED_TICKET) from error


def _describe_ticket(*, has_ticket: bool) -> GuardRule:
    if has_ticket:
        text = "the ticket in the query decides who the caller is; it is not redeemed here"
    else:
        text = "accepted in the query instead of a token; the query has none"
    return GuardRule("ticket", text)


async def _decide_access(
    guard: Authorize | Owner, scopes: list[str], request: Request
) -> GuardRule:
    name, text = _name_access(guard, scopes)
    try:
        if isinstance(guard, Owner):
            await guard(request)
        else:
            await guard(request, SecurityScopes(scopes))
    except GatewayError as error:
        reason = _explain_refusal(RequestContext.of(request.scope), guard, request)
        refused = GuardRule(name, text, is_met=False)
        raise Ended(error.status, f"{name} {text}: {reason}", refused) from error
    return GuardRule(name, text, is_met=True)


def _name_access(guard: Authorize | Owner, scopes: list[str]) -> tuple[str, str]:
    if isinstance(guard, Owner):
        return "owner", guard.path_param
    bound = " with DPoP" if isinstance(guard, AuthorizeBound) else ""
    return "requires", (" ".join(scopes) or "any valid token") + bound


def _explain_refusal(context: RequestContext, guard: Authorize | Owner, request: Request) -> str:
    """Return what the access log would say about a refusal, and for an owner the two ids."""
    fields = context.log_fields
    first = "reason" if "reason" in fields else "issuer"  # whose keys cannot be fetched
    reasons = [str(fields[name]) for name in (first, "explanation") if name in fields]
    principal = find_principal(request)
    if isinstance(guard, Owner) and principal is not None and principal.user_id is not None:
        named = request.path_params.get(guard.path_param)
        reasons.append(
            f"the path has {named!r:.80}, the token is of user {principal.user_id!r:.80}"
        )
    return ": ".join(reasons)


def _describe(call: object, policies: Policies, request: Request) -> Iterator[GuardRule]:
    """Describe a dependency that is not called."""
    if isinstance(call, Public):
        yield GuardRule("public", call.why, is_met=True)
    elif isinstance(call, Limited):
        for declared in call.policies:
            policy = policies.get(declared.name, declared)
            text = f"{policy.name}, {policy.limit_text} per {policy.per}{policy.cost_text}"
            tier = _describe_tier(policy, find_principal(request))
            yield GuardRule("limit", f"{text}{tier}; not charged here", policy=policy)
    elif call is not authenticate and not isinstance(call, ResourceLookup | LoadComposite):
        name = getattr(call, "__qualname__", type(call).__qualname__)
        yield GuardRule("dependency", f"{name} may refuse the request; it is not called here")


def _describe_tier(policy: Policy, principal: Principal | None) -> str:
    """Describe the tier of a caller, if the policy has one for it."""
    tier = None if principal is None else principal.claims.get(policy.tier_claim or "")
    limit = None if tier is None else policy.tiers.get(tier)
    if limit is None:
        return ""
    text = limit if isinstance(limit, int) else format_rates(limit)
    return f", {text} as its {policy.tier_claim} is {tier!r:.80}"
