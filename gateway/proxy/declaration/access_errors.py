"""Checks who may call a proxied route, and what depends on a caller."""

import re
from collections.abc import Iterator, Mapping, Sequence

from gateway.auth.principal import SCOPE
from gateway.ratelimit.policy import Policy
from gateway.settings.errors import suggest_nearest

_SEGMENT = re.compile(r"\{(\w+)\}")  # not `{name:path}`, which can be several segments

_NEED_A_CALLER = {
    "tickets": "no caller to give a ticket to",
    "dpop": "no token that could be bound to a key",
    "outlive_token": "no token that could expire",
}

_OPEN_OR_GUARDED = (
    'give requires="scope" (requires=() admits any valid token), or public="the reason why no '
    'token is needed"'
)


def find_access_errors(
    requires: str | Sequence[str] | None,
    public: str | None,
    owner: str | None,
    path: str,
    target: str | None,
) -> Iterator[str]:
    """Yield the errors of `requires`, `public` and `owner`."""
    if requires is None and public is None:
        yield f"it declares no access: {_OPEN_OR_GUARDED}"
    elif requires is not None and public is not None:
        yield f"requires and public are both given: {_OPEN_OR_GUARDED}"
    if public is not None and not public.strip():
        yield "public is empty; give the reason why the route needs no token"
    if requires is not None:
        yield from _iter_scope_errors([requires] if isinstance(requires, str) else requires)
    if owner is not None:
        if public is not None:
            yield "owner needs requires: a public route has no caller to compare with the path"
        yield from _iter_owner_errors(owner, path, target)


def _iter_scope_errors(scopes: Sequence[str]) -> Iterator[str]:
    for scope in scopes:
        if not SCOPE.fullmatch(scope):
            yield (
                f"requires has {scope!r}, which is not a scope; use one word, as orders:read, and "
                "a list for several"
            )
    if len(set(scopes)) < len(scopes):
        yield f"requires has a scope twice: {', '.join(scopes)}"


def _iter_owner_errors(owner: str, path: str, target: str | None) -> Iterator[str]:
    """Require a whole segment: of `/{user_id}-{b}`, a service might read another user id."""
    written = f"{{{owner}}}"
    if written not in path:
        hint = suggest_nearest(owner, _SEGMENT.findall(path))
        yield f"owner is {owner!r}; the path has no segment {written} ({hint})"
        return
    for name, template in (("path", path), ("target", target or "")):
        if written in template and written not in template.split("/"):
            yield (
                f"owner is {owner!r}, which must be a whole segment of {name}, between two "
                f"slashes; {name} is {template!r}"
            )


def find_caller_errors(values: Mapping[str, object], policies: Sequence[Policy]) -> Iterator[str]:
    """Yield the errors of limits, tickets and identity, which depend on the caller."""
    names = [policy.name for policy in policies]
    if len(set(names)) < len(names):
        yield f"limit has a policy twice: {', '.join(names)}"
    if values["public"] is not None:
        yield from _iter_public_errors(values, policies)
    elif values["tickets"] and values["dpop"]:
        yield "tickets and dpop contradict each other: a ticket proves no key"
    elif values["forward_token"] and values["identity"] == "token":
        yield (
            "forward_token and identity='token' both set Authorization; give identity='headers' "
            "or identity='none' to send the token of the caller"
        )


def _iter_public_errors(values: Mapping[str, object], policies: Sequence[Policy]) -> Iterator[str]:
    """Yield the errors of a route without a caller."""
    for policy in policies:
        if policy.per != "address":
            yield (
                f"limit has {policy.name}, which counts per {policy.per}; a public route has "
                'no caller, so use a policy with per="address"'
            )
    for name, reason in _NEED_A_CALLER.items():
        if values[name]:
            yield f"{name} needs requires: a public route has {reason}"
