"""Reads the scopes of a token from the claims that the settings of its issuer name."""

from collections.abc import Callable, Iterator, Sequence

from pydantic import JsonValue

from gateway.auth.jwt.claim_path import ClaimReader, Claims, compile_claim_path
from gateway.auth.principal import SCOPE

ScopeReader = Callable[[Claims], frozenset[str]]

_DEFAULT_CLAIM, _ITS_FALLBACK = "scope", "scp"


def compile_scopes(names: str | Sequence[str], granted: Sequence[str]) -> ScopeReader:
    """Return the reader of the scopes in all these claims, and of the `granted` ones.

    A token without `scope` may have `scp` instead, as those of Okta and Entra ID have.
    """
    names = [names] if isinstance(names, str) else names
    readers = [_compile(name) for name in names]
    always = frozenset(granted)
    return lambda claims: always.union(*(_iter_scopes(read(claims)) for read in readers))


def explain_no_scopes(names: str | Sequence[str], claims: Claims) -> str:
    """Return which claims exist and have no scopes because of their type, for the log."""
    names = [names] if isinstance(names, str) else names
    found = {name: _compile(name)(claims) for name in names}
    faults = [f"{name} is {_describe_type(value)}" for name, value in found.items() if value]
    return f"none: {', '.join(faults[:3])}" if faults else ""


def _describe_type(value: JsonValue) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list without a scope"
    return "a string without a scope" if isinstance(value, str) else "neither a string nor a list"


def _compile(name: str) -> ClaimReader:
    read = compile_claim_path(name)
    if name != _DEFAULT_CLAIM:
        return lambda claims: _list_roles(read(claims))
    return lambda claims: claims.get(_ITS_FALLBACK) if read(claims) is None else read(claims)


def _list_roles(value: JsonValue) -> JsonValue:
    """Return the names of an object of objects, as Zitadel publishes roles: `{"read": {...}}`.

    A name with another value, such as `{"admin": false}`, is not a scope.
    """
    if not isinstance(value, dict):
        return value
    return [name for name, details in value.items() if isinstance(details, dict)] or value


def _iter_scopes(value: JsonValue) -> Iterator[str]:
    """Yield the scopes of a space-separated string (RFC 8693, section 4.2) or of a list.

    An entry of a list is one scope: it is never split. An entry that is not a scope (RFC 6749,
    section 3.3) is ignored, and so is a value of another type.
    """
    entries = value.split(" ") if isinstance(value, str) else value
    if isinstance(entries, list):
        for entry in entries:
            if isinstance(entry, str) and SCOPE.fullmatch(entry):
                yield entry
