"""Finds access rules that name a service or an issuer that the settings do not have."""

from collections.abc import Collection, Iterator, Sequence

from gateway.access.may_exchange import MayExchange
from gateway.access.value_errors import ALL, CLIENTS
from gateway.settings.errors import ConfigError, suggest_nearest
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.schema import Settings


def find_access_errors(
    settings: Settings,
    rules: Sequence[MayExchange],
    proxied: Collection[str],
    *,
    replaced: Collection[str] = (),
) -> Iterator[ConfigError]:
    """Yield an error for each name of a rule that nothing else has.

    `proxied` are the services behind proxied routes: a token for another one is good nowhere. A
    service in `replaced` has a transport instead of an address.
    """
    services = {*settings.upstreams, *replaced}
    issuers = {name for issuer in settings.issuers for name in list_issuer_names(issuer)}
    for rule in rules:
        for service in rule.services:
            if service != ALL and service not in proxied:
                yield _report_service(rule, service, services)
        for issuer in rule.on_behalf_of:
            if issuer not in (ALL, CLIENTS, *issuers):
                yield _report_issuer(rule, issuer, settings.identity.issuer, issuers)


def _report_service(rule: MayExchange, service: str, services: Collection[str]) -> ConfigError:
    if service not in services:
        message = f"services has {service}, which is not a service of the settings"
        return ConfigError(rule.name, message, suggest_nearest(service, services), rule.place)
    message = f"services has {service}, to which no proxied route leads"
    hint = "a token for it would be good nowhere; declare a Proxy(...) in routes.py"
    return ConfigError(rule.name, message, hint, rule.place)


def _report_issuer(
    rule: MayExchange, issuer: str, gateway: str | None, issuers: Collection[str]
) -> ConfigError:
    message = f"on_behalf_of has {issuer}, which is not an issuer of the settings"
    hint = suggest_nearest(issuer, [*issuers, ALL, CLIENTS])
    if issuer == gateway:
        hint = f"for clients of the gateway, give {CLIENTS!r}"
    return ConfigError(rule.name, message, hint, rule.place)
