"""The rates that the settings give to declared policies: `limits.NAME`."""

from collections.abc import Iterator, Mapping

from gateway.ratelimit.policy import Policy, RateLimit
from gateway.ratelimit.policy_in_force import PoliciesInForce, PolicyInForce
from gateway.ratelimit.reserved_policy_names import RESERVED_NAMES
from gateway.settings.errors import ConfigError, InvalidSettings, suggest_nearest
from gateway.settings.rate import Rate

RatesByName = Mapping[str, Rate | tuple[Rate, ...]]


def apply_rates(policies: Mapping[str, Policy], rates: RatesByName) -> dict[str, Policy]:
    """Return all policies by name; those named in `rates` get the rates given there.

    Raises:
        InvalidSettings: a name is not declared, or reserved; or rates do not fit their policy.
    """
    if errors := list(_find_errors(policies, rates)):
        raise InvalidSettings(errors)
    return {name: _change(policy, rates.get(name)) for name, policy in policies.items()}


def put_in_force(policies: Mapping[str, Policy], rates: RatesByName) -> PoliciesInForce:
    """Put all policies in force, with the rates of the settings.

    Raises:
        InvalidSettings: as `apply_rates`.
    """
    return PoliciesInForce(
        PolicyInForce(policy, source="settings" if name in rates else "code")
        for name, policy in apply_rates(policies, rates).items()
    )


def _find_errors(policies: Mapping[str, Policy], rates: RatesByName) -> Iterator[ConfigError]:
    for name in sorted(rates.keys() - policies):
        hint = suggest_nearest(name, policies)
        yield ConfigError(f"limits.{name}", "there is no such policy", hint)
    for name in sorted(RESERVED_NAMES.keys() & policies):
        hint = "choose another name for the policy"
        yield ConfigError(f"limits.{name}", RESERVED_NAMES[name], hint)
    for name in sorted(rates.keys() & policies):
        try:
            _change(policies[name], rates[name])
        except ValueError as error:
            yield ConfigError(f"limits.{name}", str(error))


def _change(policy: Policy, rates: Rate | tuple[Rate, ...] | None) -> Policy:
    """Return the policy with these rates.

    Raises:
        ValueError: they do not fit, or the policy has no rate.
    """
    if rates is None:
        return policy
    if not isinstance(policy, RateLimit):
        raise ValueError(f"policy {policy.name}: it has no rate, and its limit is set in the code")  # noqa: TRY004 - an error of the settings
    return policy.change(rate=rates)
