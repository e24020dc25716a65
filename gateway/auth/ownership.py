"""`owner("user_id")`: the route serves only the user named in its path.

The caller's user id must equal the path parameter as text. The text must also be canonical: the
only way to write the value that the route parses from it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from fastapi import Depends
from fastapi.params import Depends as Dependency
from pydantic import ValidationError
from starlette.requests import HTTPConnection

from gateway.auth.dependencies import (
    authenticate,
    find_principal,
    forbid,
    get_required_scopes,
)
from gateway.auth.principal import ANY
from gateway.fastapi_internals import (
    Dependant,
    ModelField,
    get_dependant,
    get_validator,
    iter_dependencies,
)
from gateway.head_guard import HeadGuard

Validator = Callable[[str], Any]


def owner(path_param: str) -> Dependency:
    """Admit only the user that this path parameter names, and callers with an `:any` scope.

    It goes after the `requires(...)` whose scopes, in their `:any` form, lift the restriction. The
    user id is compared without the issuer: the ids of all issuers are one set (`user_claim`).
    """
    dependency: Dependency = Depends(Owner(path_param))
    return dependency


@dataclass(frozen=True)
class Owner(HeadGuard):
    """The dependency behind `owner`."""

    path_param: str

    async def __call__(self, connection: HTTPConnection) -> None:
        """Admit the owner, and a caller that holds the `:any` form of a required scope.

        Raises:
            Unauthenticated: no token, or one that is not valid.
            IdentityUnavailable: the token's key cannot be fetched now.
            Forbidden: the path names another user.
        """
        principal = find_principal(connection) or await authenticate(connection)
        scopes = get_required_scopes(connection.scope)
        for scope in scopes:
            if principal.may_for_anyone(scope):
                return
        if not self._is_named(principal.user_id, connection):
            explanation = "" if principal.user_id else "the token has no user id: see user_claim"
            wider = [scope + ANY for scope in scopes]
            raise forbid(connection.scope, "not_the_owner", wider, explanation)

    def _is_named(self, user_id: str | None, connection: HTTPConnection) -> bool:
        """Whether the path names this user. A parameter with a convertor names no user."""
        named = connection.path_params.get(self.path_param)
        if user_id is None or not isinstance(named, str) or not _is_same_text(user_id, named):
            return False
        return is_canonical(self.path_param, named, get_dependant(connection.scope))


def is_canonical(name: str, text: str, dependant: Dependant) -> bool:
    """Whether every value that the route parses from the path parameter is written as `text`.

    "042", "+42" and "4_2" are all parsed as 42, so users with these ids would own the data of user
    42. A text that is not valid passes: the route refuses it as invalid.
    """
    for validate in _get_validators(name, dependant):
        try:
            value = validate(text)
        except ValidationError:
            continue
        if str(value) != text:
            return False
    return True


# A route's dependant lives as long as the app, so this grows by route, not by request. The entry
# holds the dependant: no other object can get its id.
_validators: dict[tuple[int, str], tuple[Dependant, Sequence[Validator]]] = {}


def _get_validators(name: str, dependant: Dependant) -> Sequence[Validator]:
    entry = _validators.get((id(dependant), name))
    if entry is None:
        fields = _find_fields(name, dependant)
        entry = _validators[id(dependant), name] = dependant, tuple(map(get_validator, fields))
    return entry[1]


def _find_fields(name: str, dependant: Dependant) -> Iterator[ModelField]:
    """Yield every field that reads the path parameter, in the route and all its dependencies."""
    for reader in (dependant, *(inner for _, inner in iter_dependencies(dependant))):
        for field in reader.path_params:
            if name in {field.validation_alias, field.alias}:
                yield field


def _is_same_text(user_id: str, named: str) -> bool:
    """Compare as text ("07" is not "7"), in constant time."""
    ours, theirs = user_id.encode("utf-8", "surrogatepass"), named.encode("utf-8", "surrogatepass")
    return compare_digest(ours, theirs)
