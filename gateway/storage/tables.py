"""The tables. A migration creates each; `upgrade.py` runs the migrations.

Times are microseconds since the epoch, as integers, which both databases compare alike.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()

_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only a column of the type INTEGER."""

journal = Table(
    "journal",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("ix_journal_subject", "subject", "seq"),
)
"""Every change: who changed what, when and why. Triggers refuse any other statement than INSERT."""

revocations = Table(
    "revocations",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("issued_before", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""The revoked tokens, until they have expired; `seq` is that of the entry in the journal."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger, nullable=True),
    Column("revoked_at", BigInteger, nullable=True),
    Column("claims", Text, nullable=False, server_default=text("'{}'")),
)
"""The API keys; `seq` is that of the last change, `digest` the SHA-256 of the key.

`scopes` is a JSON array, `claims` a JSON object of texts.
"""

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("private", LargeBinary, nullable=False),
    Column("encryption_key_id", Text, nullable=False),
)
"""The keys that sign internal tokens; `private` is a private JWK, encrypted."""

clients = Table(
    "clients",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False, index=True),
    Column("scopes", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("public_keys", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("removed_at", BigInteger, nullable=True),
)
"""The OAuth clients; `secrets` has hashes alone. `seq` is that of the last change.

A client that is removed stays, so that its name is never given to another one.
"""

used_ids = Table(
    "used_ids",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""Ids that may be used once, until they expire; `digest` is the SHA-256 of the kind and the id.

It is no change that a person makes, so the journal has no entry of it.
"""

live_limits = Table(
    "live_limits",
    metadata,
    Column("policy", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False, index=True),
    Column("version", BigInteger, nullable=False),
    Column("document", Text, nullable=True),
)
"""The live document of each policy that had one; NULL if it has none now.

`seq` is that of the last change, and `version` the number of changes.
"""
