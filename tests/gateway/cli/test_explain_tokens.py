"""`lockgate explain` on revoked tokens, on those of the gateway itself, and on API keys."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.api_keys.api_key import ISSUER as KEY_ISSUER
from gateway.api_keys.api_key import ApiKey, generate_text, hash_text
from gateway.api_keys.key_table import add_key, revoke_key
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.identity.encryption_rotation import create_key_file
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.revocation.revoke import revoke
from gateway.settings.schema import Settings
from gateway.storage.database import Database, Transaction
from gateway.storage.journal import Author
from gateway.storage.open_storage import create_database
from gateway.storage.upgrade import upgrade_schema
from tests.gateway.auth.token_factory import ISSUER
from tests.gateway.cli.explain_shell import Shell, sign, write_package

GATEWAY = "https://gateway.test"
JANE = Author("jane", "lost laptop")


@pytest.fixture
def shell(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    write_package(folder, monkeypatch)
    rotate_key_file(folder / "signing.jwks", "ES256", time.time() - 1_000)
    monkeypatch.setenv("LOCKGATE_IDENTITY__ISSUER", GATEWAY)
    monkeypatch.setenv("LOCKGATE_IDENTITY__SIGNING_KEY_FILE", str(folder / "signing.jwks"))
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", f"sqlite:///{folder}/lockgate.db")
    write(folder, upgrade_schema)
    return Shell(capsys, monkeypatch)


def write(folder: Path, transaction: Transaction[Any]) -> None:
    """Change the database, as a subcommand does."""
    database: Database = create_database(Settings(database_url=f"sqlite:///{folder}/lockgate.db"))
    database.write_now(transaction)
    database.close()


def revoke_in(folder: Path, kind: RevocationKind, issuer: str, value: str = "") -> None:
    now = time.time()
    before = 0.0 if kind is RevocationKind.TOKEN else now + 1
    named = Revocation(kind, issuer, value, before, now + 1_000)
    write(folder, partial(revoke, revocation=named, author=JANE))


def sign_own(folder: Path, **claims: Any) -> str:
    """Sign a token that the client bff exchanged for the token t1 of user 7."""
    now = int(time.time())
    [key] = json.loads((folder / "signing.jwks").read_text())["keys"]
    defaults = {
        "iss": GATEWAY,
        "aud": GATEWAY,
        "sub": "7",
        "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "7"},
        "user_id": "7",
        "client_id": "bff",
        "act": {"iss": GATEWAY, "sub": "bff"},
        "origin": [{"iss": ISSUER, "jti": "t1", "iat": now}],
        "scope": "stock:read",
        "iat": now,
        "exp": now + 600,
        "jti": "g1",
    }
    headers = {"typ": "at+jwt", "kid": key["kid"]}
    return jwt.encode({**defaults, **claims}, jwt.PyJWK(key).key, "ES256", headers)


def find_rule(found: dict[str, Any]) -> tuple[bool | None, str]:
    """Return what the explanation says about revocations."""
    [rule] = [rule for rule in found["rules"] if rule["name"] == "revoked"]
    return rule["is_met"], rule["text"]


def test_a_token_that_no_revocation_names(shell: Shell, folder: Path) -> None:
    revoke_in(folder, RevocationKind.SUBJECT, ISSUER, "8")
    status, found = shell.run("GET", "/stock/7/a", sign(jti="t1"))
    assert (status, found["status"]) == (0, None)
    assert find_rule(found) == (True, "no revocation names the token")


@pytest.mark.parametrize(
    ("kind", "value", "named"),
    [
        (RevocationKind.TOKEN, "t1", "the token t1"),
        (RevocationKind.SUBJECT, "7", "the subject 7"),
        (RevocationKind.CLIENT, "app", "the client app"),
        (RevocationKind.ISSUER, "", "the issuer"),
    ],
)
def test_a_revoked_token_is_explained_by_the_entry_of_the_journal(
    shell: Shell, folder: Path, kind: RevocationKind, value: str, named: str
) -> None:
    revoke_in(folder, RevocationKind.SUBJECT, ISSUER, "8")
    revoke_in(folder, kind, ISSUER, value)
    status, found = shell.run("GET", "/stock/7/a", sign(jti="t1", azp="app"))
    assert (status, found["status"]) == (1, 401)
    start, _, rest = found["outcome"].partition(" at ")
    assert start == "requires stock:read: revoked: journal entry 2 of jane"
    assert rest.endswith(f"Z names {named}: lost laptop")


@pytest.mark.parametrize(
    ("prepare", "obstacle"),
    [
        (None, "the database {file} does not exist yet"),
        (Path.touch, "the database has no schema"),
        (Path.mkdir, "the database {file} cannot be used: "),
    ],
)
def test_what_the_database_cannot_say_is_said_to_be_unknown(
    shell: Shell,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Path], None] | None,
    obstacle: str,
) -> None:
    file = folder / "other.db"
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", f"sqlite:///{file}")
    if prepare is not None:
        prepare(file)
    status, found = shell.run("GET", "/stock/7/a", sign())
    is_met, text = find_rule(found)
    assert (status, is_met) == (0, None)
    assert text.startswith(f"cannot be known: {obstacle.format(file=file)}")
    assert file.exists() == (prepare is not None)


def test_a_token_of_the_gateway_is_explained(shell: Shell, folder: Path) -> None:
    token = sign_own(folder)
    status, found = shell.run("GET", "/stock/7/a", token)
    assert (status, found["service"]) == (0, "stock")
    caller = found["caller"]
    assert (caller["issuer"], caller["subject"]) == (ISSUER, "7")
    assert (caller["token_issuer"], caller["client"], caller["services"]) == (GATEWAY, "bff", None)
    _, text = shell.print("GET", "/stock/7/a", token=token)
    assert f"caller  7 of {ISSUER}, by the client bff, stock:read, until" in text
    revoke_in(folder, RevocationKind.TOKEN, ISSUER, "t1")
    status, found = shell.run("GET", "/stock/7/a", token)
    assert (status, found["status"]) == (1, 401)
    assert "names the token t1" in found["outcome"]


def test_the_services_of_a_token_are_explained(shell: Shell, folder: Path) -> None:
    status, found = shell.run("GET", "/stock/7/a", sign_own(folder, services=["stock"]))
    assert (status, found["caller"]["services"]) == (0, ["stock"])
    token = sign_own(folder, services=["shop", "cart"])
    status, found = shell.run("GET", "/stock/7/a", token)
    assert (status, found["status"]) == (1, 403)
    explanation = 'the token is for "cart", "shop", the route of stock'
    assert found["outcome"] == f"requires stock:read: wrong_service: {explanation}"
    _, text = shell.print("GET", "/any/a", token=token)
    assert f"7 of {ISSUER}, by the client bff, stock:read, for cart, shop alone, until" in text


def test_an_api_key_is_explained(shell: Shell, folder: Path) -> None:
    text, now = generate_text(), time.time()
    key = ApiKey("k1", "printer", hash_text(text), ("stock:read",), now, now + 1_000)
    write(folder, partial(add_key, key=key, author=JANE))
    status, found = shell.run("GET", "/any/a", text)
    assert (status, found["caller"]["subject"]) == (0, "printer")
    assert found["caller"]["issuer"] == KEY_ISSUER
    write(folder, partial(revoke_key, key_id="k1", author=JANE, now=now))
    status, found = shell.run("GET", "/any/a", text)
    assert (status, found["status"]) == (1, 401)
    assert "names the token k1: lost laptop" in found["outcome"]
    status, found = shell.run("GET", "/any/a", generate_text())
    assert "unknown_api_key" in found["outcome"]


def test_without_its_database_tokens_of_the_gateway_and_api_keys_get_a_503(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key_file(folder / "database.key")
    monkeypatch.delenv("LOCKGATE_IDENTITY__SIGNING_KEY_FILE")
    monkeypatch.setenv("LOCKGATE_IDENTITY__KEY_FILE", str(folder / "database.key"))
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", f"sqlite:///{folder}/other.db")
    (folder / "other.db").mkdir()
    for token in (sign_own(folder), generate_text()):
        status, found = shell.run("GET", "/any/a", token)
        assert (status, found["status"]) == (1, 503)
        assert f"the database {folder}/other.db cannot be used: " in found["outcome"]
