"""What a route says about access: `requires(...)`, perhaps `owner(...)`, or else `public(...)`."""

from typing import Annotated

from fastapi import Depends, Security
from fastapi.params import Depends as Dependency

from gateway.auth.authorization import Authorize, Owner, Public, authenticate
from gateway.auth.principal import SCOPE, Principal

Caller = Annotated[Principal, Depends(authenticate)]

_AUTHORIZE = Authorize()


def requires(*scopes: str) -> Dependency:
    """Only callers with a valid token and all these scopes (each may be held as `:any`).

    Raises:
        ValueError: not a scope (RFC 6749, section 3.3).
    """
    for scope in scopes:
        if not SCOPE.fullmatch(scope):
            raise ValueError(f"requires: {scope!r} is not a scope; use one word, as orders:read")
    dependency: Dependency = Security(_AUTHORIZE, scopes=scopes)
    return dependency


def owner(path_param: str) -> Dependency:
    """Only the user whom this part of the path names, unless a scope is held as `:any`.

    It comes after the `requires` whose scopes it is about.
    """
    dependency: Dependency = Depends(Owner(path_param))
    return dependency


def public(why: str) -> Dependency:
    """Everybody, token or not, because of `why`.

    Raises:
        ValueError: no reason is given.
    """
    if not why.strip():
        raise ValueError("public: say why everybody may call this")
    dependency: Dependency = Depends(Public(why))
    return dependency
