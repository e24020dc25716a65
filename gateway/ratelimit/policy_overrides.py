"""`PolicyOverrides`: policies with the rates that the settings or an operator set."""

from collections.abc import Awaitable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.policy import SLOWAPI, RateLimit, check_burst, with_rate
from gateway.settings.errors import ConfigError, InvalidSettings, suggest_nearest
from gateway.settings.rate import Rate


def apply_rates(
    policies: Mapping[str, RateLimit], overrides: Mapping[str, Rate]
) -> dict[str, RateLimit]:
    """Return all policies by name; those named in `overrides` get the rate given there.

    Raises:
        InvalidSettings: a name is not declared, or reserved; or a rate does not fit the burst of
            its policy.
    """
    if errors := list(_find_errors(policies, overrides)):
        raise InvalidSettings(errors)
    overridden = {name: with_rate(policies[name], rate) for name, rate in overrides.items()}
    return {**policies, **overridden}


def _find_errors(
    policies: Mapping[str, RateLimit], overrides: Mapping[str, Rate]
) -> Iterator[ConfigError]:
    for name in sorted(overrides.keys() - policies):
        hint = suggest_nearest(name, policies)
        yield ConfigError(f"limits.{name}", "there is no such policy", hint)
    if SLOWAPI in policies:
        message = "is the name of the limits of slowapi's decorators"
        yield ConfigError(f"limits.{SLOWAPI}", message, "choose another name for the policy")
    for name in sorted(overrides.keys() & policies):
        burst = policies[name].burst
        try:
            if burst is not None:
                check_burst(name, overrides[name], burst)
        except ValueError as error:
            yield ConfigError(f"limits.{name}", str(error))


class PolicyOverrides(RateLimiter):
    """A limiter that replaces the policy of each charge with the current one of the same name.

    `policies` may be replaced at any time; the next check uses the new ones. A policy that is
    not in `policies` is used as the route declares it.
    """

    def __init__(self, limiter: RateLimiter, policies: Mapping[str, RateLimit]) -> None:
        self._limiter = limiter
        self.policies = policies

    def check(self, charges: Sequence[Charge]) -> Awaitable[Verdict]:
        """Admit and charge the request, or refuse it at no cost."""
        for charge in charges:
            if self.policies.get(charge.policy.name, charge.policy) is not charge.policy:
                return self._limiter.check([self._override(charge) for charge in charges])
        return self._limiter.check(charges)

    def clear(self, prefix: str) -> Coroutine[Any, Any, None] | None:
        """Drop the counts of all keys that begin with `prefix`."""
        return self._limiter.clear(prefix)

    def health(self) -> dict[str, str | int]:
        """Return the health of the limiter underneath."""
        return self._limiter.health()

    def _override(self, charge: Charge) -> Charge:
        policy = self.policies.get(charge.policy.name, charge.policy)
        return charge if policy is charge.policy else Charge(policy, charge.key, charge.cost)
