"""Decides by the rules of `access.py` what `grants/token_exchange.py` may issue to a client."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gateway.access.may_exchange import MayExchange
from gateway.access.value_errors import ALL, CLIENTS
from gateway.auth.principal import ANY, Principal
from gateway.oauth.oauth_errors import (
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
)


@dataclass(frozen=True, slots=True)
class ExchangeRequest:
    """The request of a client; None stands for services or scopes that it does not name."""

    client_id: str
    services: Collection[str] | None = None
    scopes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """The most that the client gets; `services` is None for the whole gateway."""

    services: frozenset[str] | None
    scopes: tuple[str, ...]


class ExchangePolicy:
    """The rules of `access.py`. What no rule permits is refused.

    `gateway` is `identity.issuer`, `providers` are the issuers of the settings, and `services` are
    those behind proxied routes.
    """

    def __init__(
        self,
        rules: Sequence[MayExchange],
        *,
        gateway: str,
        providers: Collection[str],
        services: Collection[str],
    ) -> None:
        self._rules = rules
        self._gateway = gateway
        self._providers = frozenset(providers)
        self._services = frozenset(services)

    def require_rule(self, client_id: str) -> None:
        """Refuse a client that no rule is about: it learns nothing about the token that it sends.

        Raises:
            UnauthorizedClient: there is no such rule.
        """
        if all(rule.client != client_id for rule in self._rules):
            raise UnauthorizedClient("No rule permits the client to exchange tokens.")

    def permit(self, request: ExchangeRequest, subject: Principal) -> Permission:
        """Return what the first rule permits that permits the whole request.

        Rules do not add up: with one for the service a and the scope x, and one for b and y, no
        token is for a with y.

        Raises:
            UnauthorizedClient: no rule is about the client.
            InvalidRequest: none is about subjects like this one (RFC 8693, section 2.2.2).
            InvalidTarget: none of these permits the services, or the token of the subject does not.
            InvalidScope: none of these permits the scopes, or the subject does not hold them.
        """
        self.require_rule(request.client_id)
        about_client = [rule for rule in self._rules if rule.client == request.client_id]
        rules = [rule for rule in about_client if self._is_about(rule, subject)]
        if not rules:
            raise InvalidRequest("No rule permits the client to act for this subject.")
        targets = [
            (rule, services)
            for rule in rules
            for services in self._iter_services(rule, request.services, subject.services)
        ]
        if not targets:
            raise InvalidTarget("No rule permits the client to call each of these services.")
        for rule, services in targets:
            if scopes := _select_scopes(rule, request.scopes, subject):
                return Permission(services, scopes)
        raise InvalidScope("The subject does not hold these scopes, or no rule passes them on.")

    def _is_about(self, rule: MayExchange, subject: Principal) -> bool:
        issuer = subject.issuer
        is_named = (
            (CLIENTS in rule.on_behalf_of and issuer == self._gateway)
            or (ALL in rule.on_behalf_of and issuer in self._providers)
            or issuer in rule.on_behalf_of
        )
        return is_named and all(map(subject.may, rule.requires))

    def _iter_services(
        self, rule: MayExchange, requested: Collection[str] | None, held: frozenset[str] | None
    ) -> Iterator[frozenset[str] | None]:
        """Yield the services of the token, if the rule permits them; None for the whole gateway.

        `held` are those to which the token of the subject is restricted.
        """
        permitted = held if ALL in rule.services else frozenset(rule.services)
        if permitted is not None and held is not None:
            permitted &= held
        if requested is None:
            if permitted is None or permitted:
                yield permitted
        elif (self._services if permitted is None else permitted).issuperset(requested):
            yield frozenset(requested)


def _select_scopes(
    rule: MayExchange, requested: Sequence[str] | None, subject: Principal
) -> tuple[str, ...]:
    """Return the scopes of the token; none if the rule and the subject do not permit all of them.

    Without a request, they are all that the rule passes on and the subject holds. A scope is held
    and passed on in its wider form `:any`, too.
    """
    named = dict.fromkeys((*rule.scopes, *sorted(subject.scopes)))
    candidates = named if requested is None else requested
    permitted = tuple(
        scope for scope in candidates if subject.may(scope) and _passes_on(rule, scope)
    )
    return permitted if requested is None or len(permitted) == len(requested) else ()


def _passes_on(rule: MayExchange, scope: str) -> bool:
    return scope in rule.scopes or scope + ANY in rule.scopes
