"""The access that a route declares, read from its dependencies."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.auth.caller_id import CallerIdLookup
from gateway.auth.dependencies import Authorize, AuthorizeBound, Public, authenticate
from gateway.auth.ownership import Owner
from gateway.fastapi_internals import Dependant, RouteContext, iter_calls

Guard = Authorize | Owner | Public


@dataclass(frozen=True, slots=True)
class Requires:
    """A valid token with these scopes; with `owner`, of the user that this path parameter names.

    With `dpop`, it must be bound to a key that the request proves.
    """

    scopes: tuple[str, ...]
    owner: str | None = None
    dpop: bool = False


def find_access(dependant: Dependant) -> Requires | Public | None:
    """Find the access that the route of this dependant declares; None if it declares none.

    Raises:
        ValueError: the declarations contradict each other, or have no effect.
    """
    found = list(_iter_guards(dependant))
    guards = [guard for guard, _ in found]
    _check(guards, dependant.path or "")
    for guard in guards:
        if isinstance(guard, Public):
            if _needs_caller(dependant):
                raise ValueError(
                    "Caller and CallerId[...] need requires(...); a public(...) route has no caller"
                )
            return guard
    if not guards:
        return None
    scopes = dict.fromkeys(scope for _, scopes in found for scope in scopes)
    owners = [guard.path_param for guard in guards if isinstance(guard, Owner)]
    is_bound = any(isinstance(guard, AuthorizeBound) for guard in guards)
    return Requires(tuple(scopes), owners[0] if owners else None, is_bound)


def asks_for_proof(route: RouteContext) -> bool:
    """Whether a route takes only tokens that are bound to a key."""
    dependant = getattr(route, "dependant", None)
    return dependant is not None and any(
        isinstance(call, AuthorizeBound) for call in iter_calls(dependant)
    )


def _needs_caller(dependant: Dependant) -> bool:
    """Whether the route, one of its dependencies or a part of its composite takes the caller."""
    return any(
        inner.call is authenticate or isinstance(inner.call, CallerIdLookup) or _needs_caller(inner)
        for inner in dependant.dependencies
    )


def _check(guards: list[Guard], path: str) -> None:
    """Check the declarations together; only a scope required before `owner` can lift it."""
    owners = [guard.path_param for guard in guards if isinstance(guard, Owner)]
    if len({isinstance(guard, Public) for guard in guards}) > 1:
        raise ValueError("public(...) cannot be combined with requires(...) or owner(...)")
    if len(owners) > 1:
        raise ValueError("more than one owner(...); one route has one owner")
    if owners and not any(isinstance(guard, Authorize) for guard in guards):
        raise ValueError("owner(...) needs requires(...) on the same route")
    if owners and not isinstance(guards[-1], Owner):
        raise ValueError("put owner(...) after requires(...)")
    if owners and f"{{{owners[0]}}}" not in path:
        raise ValueError(f"owner({owners[0]!r}): the path has no such parameter")


def _iter_guards(dependant: Dependant) -> Iterator[tuple[Guard, tuple[str, ...]]]:
    """Yield every guard with its scopes, in the order of the calls: the innermost come first."""
    for inner in dependant.dependencies:
        yield from _iter_guards(inner)
        if isinstance(inner.call, Guard):
            own, inherited = inner.own_oauth_scopes or (), inner.parent_oauth_scopes or ()
            yield inner.call, (*inherited, *own)
