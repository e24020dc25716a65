"""Finds two policies that share a name, and so a count, but not their values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gateway.ratelimit.policy import Policy
from gateway.settings.errors import ConfigError

Use = tuple[str, Sequence[Policy]]
"""A route as `GET /path`, and the policies that it declares."""


def find_policy_conflicts(uses: Iterable[Use], declared: Mapping[str, Policy]) -> list[ConfigError]:
    """Find the routes with a policy that differs from an earlier one of the same name.

    Policies are counted, overridden and reported by their names. `declared` are those of the
    package's module `limits`, whose values would replace those of a route.
    """
    return list(dict.fromkeys(_iter_conflicts(uses, declared)))


def _iter_conflicts(uses: Iterable[Use], declared: Mapping[str, Policy]) -> Iterator[ConfigError]:
    first = {name: (policy, "the module limits") for name, policy in declared.items()}
    for route, policies in uses:
        for policy in policies:
            other, place = first.setdefault(policy.name, (policy, route))
            if other != policy:
                message = f"its policy {policy.name} differs from that of {place}"
                yield ConfigError(route, message, "give each policy a name of its own")
