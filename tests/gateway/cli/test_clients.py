"""`lockgate clients`: secrets are shown once, and stored as slow hashes."""

import json
from functools import partial
from pathlib import Path

import pytest

from gateway.auth.revocation_index import RevocationKind
from gateway.cli.main import main
from gateway.identity.signing_key import build_private_members, generate_signing_key
from gateway.oauth.client import ClientSecret, OAuthClient
from gateway.oauth.client_registry import ClientRegistry
from gateway.settings.schema import Settings
from gateway.storage.open_storage import create_database
from tests.gateway.cli.test_revoke import load
from tests.gateway.revocation.revoking import create_file

ISSUER = "https://gateway.test"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = create_file(tmp_path)
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", url)
    monkeypatch.setenv("LOCKGATE_IDENTITY__ISSUER", ISSUER)
    return url


def find(url: str, client_id: str) -> OAuthClient | None:
    database, registry = create_database(Settings(database_url=url)), ClientRegistry()
    registry.apply(database.read_now(partial(registry.load, after=0)))
    database.close()
    return registry.find(client_id)


def is_secret(stored: ClientSecret, text: str) -> bool:
    return stored.hash.is_equal(stored.hash.compute(text))


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    assert main(["clients", *arguments, "--json"]) == 0
    printed: dict[str, str] = json.loads(capsys.readouterr().out)
    return printed


def test_a_secret_is_shown_once(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clients", "add", "bff", "--scope", "a", "--scope", "b"]) == 0
    secret, words = capsys.readouterr().out.splitlines()
    assert words == "This is the secret of bff. It is shown only now."
    client = find(url, "bff")
    assert client is not None
    assert client.scopes == ("a", "b")
    assert [is_secret(it, secret) for it in client.secrets] == [True]
    assert not is_secret(client.secrets[0], secret + "x")
    assert secret.encode() not in (tmp_path / "lockgate.db").read_bytes()
    assert main(["clients", "list"]) == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert (row[:4], row[-1]) == (["bff", "a", "b", "secret"], "active")


def test_a_rotation_keeps_the_former_secret_for_a_time(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_json(capsys, "add", "bff", "--scope", "a")["client_secret"]
    second = run_json(capsys, "rotate", "bff", "--overlap-hours", "2")["client_secret"]
    third = run_json(capsys, "rotate", "bff", "--overlap-hours", "0")["client_secret"]
    client = find(url, "bff")
    assert client is not None
    former, current = client.secrets
    assert is_secret(former, second)
    assert former.expires_at == current.created_at
    assert former.hash.salt == current.hash.salt
    assert is_secret(current, third)
    assert current.expires_at is None
    assert not any(is_secret(it, first) for it in client.secrets)


def test_a_client_that_is_removed_is_gone_for_good(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_json(capsys, "add", "bff", "--scope", "a")
    assert main(["clients", "remove", "bff", "--reason", "replaced"]) == 0
    assert capsys.readouterr().out == "the client bff is removed, and its tokens are revoked\n"
    assert find(url, "bff") is None
    [revocation] = load(url)
    assert (revocation.kind, revocation.issuer) == (RevocationKind.CLIENT, ISSUER)
    assert main(["clients", "add", "bff", "--scope", "a"]) == 1
    assert "there is a client 'bff', or there was" in capsys.readouterr().err
    for action in ("remove", "rotate"):
        assert main(["clients", action, "bff"]) == 1
        assert "there is no client 'bff'; `lockgate clients list`" in capsys.readouterr().err
    assert main(["journal", "verify"]) == 0


def test_a_client_with_a_public_key_has_no_secret(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = generate_signing_key("ES256", 0)
    file = tmp_path / "key.json"
    file.write_text(json.dumps({"keys": [dict(key.public_jwk)]}))
    added = run_json(capsys, "add", "jobs", "--scope", "a", "--public-key", str(file))
    assert added["authentication"] == "private_key_jwt"
    assert "client_secret" not in added
    client = find(url, "jobs")
    assert client is not None
    assert [it["kid"] for it in client.public_keys] == [key.key_id]

    file.write_text(json.dumps(build_private_members(key.private)))
    command = ["clients", "add", "other", "--scope", "a", "--public-key", str(file)]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert error.endswith("key 1: it is not public: it has the private member d\n")


def test_the_keys_of_a_client_are_replaced(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, keys = tmp_path / "key.json", [generate_signing_key("ES256", 0) for _ in range(2)]
    for action, key in zip(("add", "rotate"), keys, strict=True):
        file.write_text(json.dumps(dict(key.public_jwk)))
        scope = ["--scope", "a"] if action == "add" else []
        assert main(["clients", action, "jobs", *scope, "--public-key", str(file)]) == 0
        client = find(url, "jobs")
        assert client is not None
        assert [it["kid"] for it in client.public_keys] == [key.key_id]
    assert "authenticates with an assertion" in capsys.readouterr().out
    file.write_text("hunter2")
    assert main(["clients", "rotate", "jobs", "--public-key", str(file)]) == 1
    assert "is neither a JWK nor a JWK Set" in capsys.readouterr().err
    assert main(["journal", "verify"]) == 0


def test_a_client_has_either_keys_or_a_secret(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(dict(generate_signing_key("ES256", 0).public_jwk)))
    assert main(["clients", "add", "jobs", "--scope", "a", "--public-key", str(file)]) == 0
    assert f"The aud of its assertions must be {ISSUER}" in capsys.readouterr().out
    assert main(["clients", "rotate", "jobs"]) == 1
    assert "the client jobs has keys: replace them with --public-key" in capsys.readouterr().err
    run_json(capsys, "add", "bff", "--scope", "a")
    assert main(["clients", "rotate", "bff", "--public-key", str(file)]) == 1
    assert "the client bff has no keys" in capsys.readouterr().err
    client = find(url, "jobs")
    assert client is not None
    assert client.secrets == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("-----BEGIN PUBLIC KEY-----", "is neither a JWK nor a JWK Set"),
        ('{"keys": []}', "must have 1 to 8 keys"),
        ('{"kty": "oct", "k": "hunter2"}', "key 1: it is not public: it has the private member k"),
    ],
)
@pytest.mark.usefixtures("url")
def test_a_file_without_public_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    file = tmp_path / "key.json"
    file.write_text(content)
    assert main(["clients", "add", "jobs", "--scope", "a", "--public-key", str(file)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "hunter2" not in error


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize("action", [["remove", "bff"], ["add", "bff", "--scope", "a"]])
def test_without_an_issuer_no_client_is_added_or_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], action: list[str]
) -> None:
    monkeypatch.delenv("LOCKGATE_IDENTITY__ISSUER")
    assert main(["clients", *action]) == 2
    assert "identity.issuer: must be set" in capsys.readouterr().err
