"""`open_revocations`: lets the verifier refuse revoked tokens, if there is a database."""

from gateway.auth.clock import Clock
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.verifier import JwtVerifier
from gateway.resources import Resources
from gateway.revocation.revocation_replica import RevocationReplica
from gateway.settings.schema import Settings
from gateway.storage.open_storage import Storage


def open_revocations(
    settings: Settings, resources: Resources, verifier: JwtVerifier, *, clock: Clock | None = None
) -> None:
    """Follow the revocations in the database, into `resources`; nothing is done without one.

    Until they have been read, the verifier refuses every token with a 503.
    """
    storage: Storage | None = resources.get(Storage)
    if storage is None:
        return
    check = RevocationCheck(settings.tokens.max_lifetime_seconds)
    verifier.refuse_revoked(check)
    storage.feed.add(RevocationReplica(check, clock or Clock()), "revocations")
    resources[RevocationCheck] = check
