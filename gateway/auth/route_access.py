"""What a route has declared about access, read off its dependencies for the audit."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.dependencies.models import Dependant

from gateway.auth.authorization import Authorize, Owner, Public

Guard = Authorize | Owner | Public


@dataclass(frozen=True, slots=True)
class Requires:
    """A valid token with these scopes, and perhaps of the user whom a path parameter names.

    An owner without a scope is the mark of `owner(...)` without `requires(...)`.
    """

    scopes: tuple[str, ...]
    owner: str | None = None


def access_of(dependant: Dependant) -> Requires | Public | None:
    """What the route of this dependant says about access; None if it says nothing.

    Raises:
        ValueError: what it says contradicts itself, or can do nothing.
    """
    found = list(_guards(dependant))
    guards = [guard for guard, _ in found]
    _check(guards, dependant.path or "")
    for guard in guards:
        if isinstance(guard, Public):
            return guard
    if not guards:
        return None
    scopes = dict.fromkeys(scope for _, scopes in found for scope in scopes)
    owners = [guard.path_param for guard in guards if isinstance(guard, Owner)]
    return Requires(tuple(scopes), owners[0] if owners else None)


def _check(guards: list[Guard], path: str) -> None:
    """Only a scope already required can lift ownership, so `requires` has to come first."""
    owners = [guard.path_param for guard in guards if isinstance(guard, Owner)]
    if len({isinstance(guard, Public) for guard in guards}) > 1:
        raise ValueError(f"{path}: public(...) beside a guard that is not")
    if len(owners) > 1:
        raise ValueError(f"{path}: more than one owner(...)")
    if owners and not isinstance(guards[-1], Owner):
        raise ValueError(f"{path}: owner(...) goes after requires(...)")
    if owners and f"{{{owners[0]}}}" not in path:
        raise ValueError(f"{path}: owner({owners[0]!r}) names no parameter of this path")


def _guards(dependant: Dependant) -> Iterator[tuple[Guard, tuple[str, ...]]]:
    """Every guard with its scopes, in the order of the calls: the innermost come first."""
    for part in dependant.dependencies:
        yield from _guards(part)
        if isinstance(part.call, Guard):
            own, inherited = part.own_oauth_scopes or (), part.parent_oauth_scopes or ()
            yield part.call, (*inherited, *own)
