"""Reads a claim by its name, or by the dotted path of a nested claim."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pydantic import JsonValue

Claims = Mapping[str, JsonValue]
ClaimReader = Callable[[Claims], JsonValue]
"""Returns the value of one claim; None if the token does not have it, or has null."""


def compile_claim_path(name: str) -> ClaimReader:
    """Return the reader of a claim; the empty name is that of no claim.

    `realm_access.roles` is the member `roles` of the claim `realm_access`. Names may contain dots
    themselves, as `https://example.com/roles` does: at each level, the longest name that exists
    wins. So a claim with the literal name wins over the path.
    """
    if not name:
        return lambda _: None
    if "." not in name:
        return lambda claims: claims.get(name)
    return partial(_find_nested, tuple(name.split(".")))


def _find_nested(steps: Sequence[str], claims: Claims) -> JsonValue:
    for length in range(len(steps), 0, -1):
        value = claims.get(".".join(steps[:length]))
        if length < len(steps):
            value = _find_nested(steps[length:], value) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None
