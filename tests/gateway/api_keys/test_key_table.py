"""The table of API keys, in both databases."""

import time
from collections.abc import Mapping
from functools import partial

from gateway.api_keys.api_key import ApiKey, hash_text
from gateway.api_keys.key_table import add_key, list_keys, record_use
from gateway.storage.database import Database
from gateway.storage.journal import Author
from tests.databases import OpenDatabase


def add_keys(database: Database, *ids: str) -> None:
    now = time.time()
    for key_id in ids:
        key = ApiKey(key_id, "export", hash_text(key_id), ("a",), now, now + 60)
        database.write_now(partial(add_key, key=key, author=Author("jane")))


def record(database: Database, used_at: Mapping[str, float]) -> None:
    database.write_now(partial(record_use, used_at=used_at))


def test_the_last_use_of_any_process_counts(
    database: Database, open_database: OpenDatabase
) -> None:
    add_keys(database, "a", "b")
    record(database, {"a": 20.0})
    record(open_database(), {"a": 10.0, "b": 10.0})
    record(database, {"b": 30.0})
    keys = database.read_now(list_keys)
    assert {key.id: key.last_used_at for key in keys} == {"a": 20.0, "b": 30.0}
