"""`open_oauth`: opens what the OAuth endpoints use, if OAuth is on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.auth.clock import Clock
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.oauth.access_tokens import AccessTokens
from gateway.oauth.assertion_verifier import AssertionVerifier
from gateway.oauth.attempt_limit import AttemptLimit
from gateway.oauth.client_authentication import ClientAuthentication
from gateway.oauth.client_registry import ClientRegistry
from gateway.oauth.grants import client_credentials
from gateway.oauth.grants.client_credentials import ClientCredentials
from gateway.oauth.grants.grant import Grants
from gateway.oauth.oauth_requirements import is_oauth_on
from gateway.oauth.secret_verifier import SecretVerifier
from gateway.ratelimit.limiter import RateLimiter
from gateway.replay import open_replay_cache
from gateway.resources import Resources
from gateway.settings.schema import Settings
from gateway.storage.open_storage import Storage


@asynccontextmanager
async def open_oauth(
    settings: Settings, resources: Resources, *, clock: Clock | None = None
) -> AsyncIterator[None]:
    """Follow the clients in the database, and open the grants, into `resources`.

    Nothing is done if OAuth is off.
    """
    issuer = settings.identity.issuer
    if issuer is None or not is_oauth_on(settings):
        yield
        return
    clock, clients, secrets = clock or Clock(), ClientRegistry(), SecretVerifier()
    storage: Storage = resources[Storage]
    storage.feed.add(clients)
    keys: SigningKeyProvider = resources[SigningKeyProvider]
    tokens = AccessTokens(issuer, keys, seconds=settings.oauth.token_seconds, clock=clock)
    resources[ClientRegistry], resources[AccessTokens] = clients, tokens
    resources[Grants] = Grants({client_credentials.GRANT_TYPE: ClientCredentials(tokens)})
    try:
        async with open_replay_cache(settings, storage.database) as replays:
            resources[ClientAuthentication] = ClientAuthentication(
                clients,
                secrets,
                AssertionVerifier(issuer, replays),
                AttemptLimit(resources[RateLimiter], settings),
                clock,
            )
            yield
    finally:
        secrets.close()
