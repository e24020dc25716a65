"""Revokes tokens in a database as the command line does, beside a gateway that is running."""

import time
from functools import partial

from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.revocation.revoke import revoke
from gateway.settings.schema import Settings
from gateway.storage.journal import Author
from gateway.storage.open_storage import create_database


def revoke_in(url: str, kind: RevocationKind, issuer: str, value: str = "") -> None:
    """Revoke a token by its id, or all that were issued until now."""
    now = time.time()
    before = 0.0 if kind is RevocationKind.TOKEN else now + 1
    revocation = Revocation(kind, issuer, value, before, now + 1_000)
    database = create_database(Settings(database_url=url))
    database.write_now(partial(revoke, revocation=revocation, author=Author("jane", "lost laptop")))
    database.close()
