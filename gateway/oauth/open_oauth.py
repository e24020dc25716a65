"""`open_oauth`: opens what the OAuth endpoints use, if OAuth is on."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from gateway.access.may_exchange import MayExchange
from gateway.auth.clock import Clock
from gateway.auth.jwt.own_token_rules import OwnTokenRules
from gateway.auth.verifier import TokenVerifier
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.oauth.access_tokens import AccessTokens
from gateway.oauth.assertion_verifier import AssertionVerifier
from gateway.oauth.attempt_limit import AttemptLimit
from gateway.oauth.client_authentication import ClientAuthentication
from gateway.oauth.client_registry import ClientRegistry
from gateway.oauth.exchange_policy import ExchangePolicy
from gateway.oauth.grants import client_credentials, token_exchange
from gateway.oauth.grants.client_credentials import ClientCredentials
from gateway.oauth.grants.grant import Grants
from gateway.oauth.grants.token_exchange import TokenExchange
from gateway.oauth.oauth_requirements import is_oauth_on
from gateway.oauth.secret_verifier import SecretVerifier
from gateway.ratelimit.limits import Limits
from gateway.replay import TableReplayCache
from gateway.resources import Resources
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.schema import Settings
from gateway.storage.open_storage import Storage


@asynccontextmanager
async def open_oauth(
    settings: Settings,
    resources: Resources,
    *,
    access: Sequence[MayExchange] = (),
    services: Collection[str] = (),
    clock: Clock | None = None,
) -> AsyncIterator[None]:
    """Follow the clients in the database, and open the grants, into `resources`.

    `access` has the rules of token exchange, and `services` are those behind proxied routes.
    Nothing is done if OAuth is off.
    """
    issuer = settings.identity.issuer
    if issuer is None or not is_oauth_on(settings):
        yield
        return
    clock, clients, secrets = clock or Clock(), ClientRegistry(), SecretVerifier()
    storage: Storage = resources[Storage]
    storage.feed.add(clients, "clients")
    keys: SigningKeyProvider = resources[SigningKeyProvider]
    providers = {name for it in settings.issuers for name in list_issuer_names(it)}
    tokens = AccessTokens(
        keys,
        rules=OwnTokenRules(issuer, providers),
        seconds=settings.oauth.token_seconds,
        max_bytes=settings.tokens.max_bytes,
        clock=clock,
    )
    resources[ClientRegistry], resources[AccessTokens] = clients, tokens
    policy = ExchangePolicy(access, gateway=issuer, providers=providers, services=services)
    resources[Grants] = _create_grants(tokens, policy, resources, clock)
    resources[ClientAuthentication] = ClientAuthentication(
        clients,
        secrets,
        AssertionVerifier(issuer, TableReplayCache(storage.database)),
        AttemptLimit(resources[Limits], settings),
        clock,
    )
    try:
        yield
    finally:
        secrets.close()


def _create_grants(
    tokens: AccessTokens, policy: ExchangePolicy, resources: Resources, clock: Clock
) -> Grants:
    exchange = TokenExchange(policy, resources[TokenVerifier], tokens, clock)
    return Grants(
        {
            client_credentials.GRANT_TYPE: ClientCredentials(tokens),
            token_exchange.GRANT_TYPE: exchange,
        }
    )
