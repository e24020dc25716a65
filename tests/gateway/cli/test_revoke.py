"""`lockgate revoke`: what it stores, and what it refuses."""

import io
import json
import shlex
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.auth.clock import Clock
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.cli.main import main
from gateway.revocation.revocation_replica import RevocationReplica
from gateway.settings.schema import Settings
from gateway.storage.open_storage import create_database
from tests.gateway.auth.token_factory import ISSUER, get_signing_key, make_token

OTHER = "https://other.test"
NOT_AN_ID = "must be 1 to 255 printable characters, as in each token that is accepted"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database, in the settings of two issuers."""
    url = f"sqlite:///{tmp_path}/lockgate.db"
    issuers = [
        {"issuer": name, "audience": "a", "jwks_file": "keys.json", "user_claim": "sub"}
        for name in (ISSUER, OTHER)
    ]
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", url)
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps(issuers))
    assert main(["db", "upgrade"]) == 0
    return url


def load(url: str) -> list[Revocation]:
    database = create_database(Settings(database_url=url))
    replica = RevocationReplica(RevocationCheck(60, {}), Clock())
    loaded = database.read_now(lambda connection: replica.load(connection, 0))
    database.close()
    assert isinstance(loaded, list)
    return loaded


def pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    stdin = SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO(text.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["token", "--id", "t1", "--issuer", ISSUER], (RevocationKind.TOKEN, ISSUER, "t1")),
        (["subject", "42", "--issuer", OTHER], (RevocationKind.SUBJECT, OTHER, "42")),
        (["client", "app", "--issuer", ISSUER], (RevocationKind.CLIENT, ISSUER, "app")),
        (["all", "--issuer", OTHER], (RevocationKind.ISSUER, OTHER, "")),
        (["all"], (RevocationKind.ISSUER, "", "")),
    ],
)
def test_a_revocation_is_stored_with_its_author(
    url: str,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    named: tuple[RevocationKind, str, str],
) -> None:
    kind, issuer, value = named
    started = time.time()
    assert main(["revoke", *arguments, "--actor", "jane", "--reason", "lost laptop"]) == 0
    assert "kept until" in capsys.readouterr().out

    [stored] = load(url)
    assert (stored.kind, stored.issuer, stored.value) == named
    assert (stored.issued_before == 0) == (kind is RevocationKind.TOKEN)
    assert stored.expires_at >= started + 2_592_000
    assert main(["journal", "list", "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert (entry["actor"], entry["action"]) == ("jane", "revocation.add")
    assert (entry["reason"], entry["subject"]) == ("lost laptop", value or issuer or "all issuers")
    assert main(["journal", "verify"]) == 0


def test_a_token_on_standard_input_names_itself(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expires_at = int(time.time()) + 600
    token = make_token({"jti": "t7", "exp": expires_at}, key=get_signing_key("ES256"))
    pipe(monkeypatch, f"Bearer {token}\n")
    assert main(["revoke", "token", "--json"]) == 0
    printed = capsys.readouterr().out
    assert token not in printed
    assert json.loads(printed)["value"] == "t7"
    assert load(url) == [Revocation(RevocationKind.TOKEN, ISSUER, "t7", 0.0, expires_at + 60)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "standard input has no token"),
        ("secret-opaque-token", "this is no JWT"),
        (make_token({"jti": None}, key=get_signing_key("ES256")), "the token has no jti; revoke"),
        (make_token({"iss": None}, key=get_signing_key("ES256")), "the token has no iss"),
        (
            make_token({"jti": "t", "exp": 1}, key=get_signing_key("ES256")),
            "the token says that it has expired (exp), and its signature is not verified here",
        ),
    ],
)
@pytest.mark.usefixtures("url")
def test_a_token_that_cannot_be_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    pipe(monkeypatch, text)
    assert main(["revoke", "token"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"lockgate: nothing is revoked: {message}")
    assert "secret-opaque-token" not in error


def test_a_token_that_says_that_it_has_expired_is_revoked_by_its_id(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, make_token({"jti": "a; b", "exp": 1}, key=get_signing_key("ES256")))
    assert main(["revoke", "token"]) == 1
    advised = shlex.split(capsys.readouterr().err.partition(", use ")[2])
    assert main(["revoke", "token", *advised]) == 0
    [stored] = load(url)
    assert (stored.issuer, stored.value) == (ISSUER, "a; b")
    assert stored.expires_at > time.time() + 2_500_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["subject", "42"], f"--issuer must name one of {ISSUER}, {OTHER}"),
        (
            ["client", "app", "--issuer", "x"],
            f"--issuer must name one of {ISSUER}, {OTHER}",
        ),
        (
            ["subject", "4" * 1_001, "--issuer", ISSUER],
            f"the subject {NOT_AN_ID}",
        ),
        (
            ["token", "--id", "a\udcff", "--issuer", ISSUER],
            f"the token {NOT_AN_ID}",
        ),
        (["client", "", "--issuer", ISSUER], f"the client {NOT_AN_ID}"),
        (
            ["all", "--issuer", "x"],
            f"--issuer must name one of {ISSUER}, {OTHER}",
        ),
        (
            ["client", "app", "--issuer", "urn:lockgate:keys"],
            f"--issuer must name one of {ISSUER}, {OTHER}",
        ),
    ],
)
@pytest.mark.usefixtures("url")
def test_what_no_token_can_have_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["revoke", *arguments]) == 1
    assert capsys.readouterr().err == f"lockgate: nothing is revoked: {message}\n"


@pytest.mark.usefixtures("url")
def test_expired_revocations_are_removed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    token = make_token({"jti": "old", "exp": time.time() + 60}, key=get_signing_key("ES256"))
    pipe(monkeypatch, token)
    assert main(["revoke", "token"]) == 0
    later = time.time() + 121
    monkeypatch.setattr("gateway.revocation.revoke.time", SimpleNamespace(time=lambda: later))
    assert main(["revoke", "all"]) == 0
    assert [it.kind for it in load(url)] == [RevocationKind.ISSUER]
