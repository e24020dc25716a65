"""Two people who change one client at once, in both databases."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection

from gateway.oauth.client import ClientSecret, OAuthClient
from gateway.oauth.client_secret import SecretHash
from gateway.oauth.client_table import ClientExists, add_client, get_client, rotate_secret
from gateway.storage.database import Database
from gateway.storage.journal import Author
from tests.databases import OpenDatabase

AUTHOR = Author("jane")


def make_secret(text: bytes) -> ClientSecret:
    return ClientSecret(SecretHash(2, 8, 1, b"salt", text), 1.0)


CLIENT = OAuthClient("bff", ("a",), (make_secret(b"first"),), (), 1.0)


def change_at_once(
    database: Database, other: Database, changes: list[Callable[[Connection], object]]
) -> list[BaseException]:
    """Make two changes: the second begins before the first is committed."""
    has_changed, errors = threading.Event(), list[BaseException]()

    def hold(connection: Connection) -> None:
        changes[0](connection)
        has_changed.set()
        time.sleep(0.2)  # long enough for the second to begin

    def change_second() -> None:
        has_changed.wait(20)
        try:
            other.write_now(changes[1])
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    thread = threading.Thread(target=change_second)
    thread.start()
    database.write_now(hold)
    thread.join()
    return errors


def test_two_rotations_at_once_lose_no_secret(
    database: Database, open_database: OpenDatabase
) -> None:
    database.write_now(partial(add_client, client=CLIENT, author=AUTHOR))
    secrets = [make_secret(b"second"), make_secret(b"third")]
    rotations: list[Callable[[Connection], object]] = [
        partial(rotate_secret, client_id="bff", secret=it, author=AUTHOR, former_until=9.0)
        for it in secrets
    ]
    assert not change_at_once(database, open_database(), rotations)
    client = database.read_now(partial(get_client, client_id="bff"))
    assert client.secrets == (replace(secrets[0], expires_at=9.0), secrets[1])


def test_of_two_clients_with_one_id_that_are_added_at_once_one_is_refused(
    database: Database, open_database: OpenDatabase
) -> None:
    add = partial(add_client, client=CLIENT, author=AUTHOR)
    [error] = change_at_once(database, open_database(), [add, add])
    with pytest.raises(ClientExists):
        raise error
