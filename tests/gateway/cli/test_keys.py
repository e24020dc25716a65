"""`lockgate keys`: the secret is shown once, and stored nowhere."""

import json
import re
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Connection

from gateway.api_keys.api_key import ISSUER, ApiKey, hash_text
from gateway.api_keys.key_table import add_key, list_keys, revoke_with_keys
from gateway.api_keys.key_verifier import KeyVerifier
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.cli.main import main
from gateway.errors.tree import Unauthenticated
from gateway.revocation.revocation_replica import RevocationReplica
from gateway.settings.schema import Settings
from gateway.storage.change_feed import Changes
from gateway.storage.journal import Author
from gateway.storage.locks import lock_journal
from gateway.storage.open_storage import create_database
from tests.databases import create_file
from tests.gateway.auth.manual_clock import ManualClock


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", create_file(tmp_path))
    return tmp_path


def test_a_key_is_shown_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "add", "export", "--scope", "a", "--scope", "b", "--scope", "a"]) == 0
    printed = capsys.readouterr().out
    match = re.fullmatch(
        r"(lk_[\w-]{43})\nThis is the key (\w{12}) of export\. It is shown only now\.\n", printed
    )
    assert match
    key, key_id = match.groups()
    assert main(["keys", "list"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "NAME", "SCOPES", "CLAIMS", "EXPIRES", "LAST", "USED", "STATE"]
    assert row.split()[:5] == [key_id, "export", "a", "b", "-"]
    assert row.split()[-1] == "active"
    assert main(["journal", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["action"] == "key.add"
    assert key.encode() not in (folder / "lockgate.db").read_bytes()


def test_a_key_has_the_claims_that_it_is_added_with(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = ["--claim", "plan=pro", "--claim", "https://acme.example/region=a=b"]
    assert main(["keys", "add", "export", "--scope", "a", *claims, "--json"]) == 0
    expected = {"plan": "pro", "https://acme.example/region": "a=b"}
    assert json.loads(capsys.readouterr().out)["claims"] == expected
    assert main(["keys", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["claims"] == expected
    assert main(["keys", "list"]) == 0
    assert "plan=pro https://acme.example/region=a=b" in capsys.readouterr().out
    assert main(["journal", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["details"]["claims"] == expected


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        (["plan"], "must be NAME=VALUE"),
        (["=pro"], "must be NAME=VALUE"),
        (["plan="], "must be NAME=VALUE"),
        (["pl an=pro"], "must be NAME=VALUE"),
        (["plan=a\nb"], "must be NAME=VALUE"),
        (["plan=" + "x" * 256], "must be NAME=VALUE"),
        (["sub=admin"], "'sub' cannot be set"),
        (["plan=a", "plan=b"], "each claim once"),
        ([f"claim{number}=x" for number in range(17)], "at most 16"),
    ],
)
def test_a_claim_that_cannot_be_used_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], claims: list[str], message: str
) -> None:
    options = [option for claim in claims for option in ("--claim", claim)]
    with pytest.raises(SystemExit) if len(claims) == 1 else nullcontext():
        assert main(["keys", "add", "export", "--scope", "a", *options]) == 2
    assert message in capsys.readouterr().err
    assert main(["keys", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_key_is_revoked_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "add", "export", "--scope", "a", "--json"])
    key_id = json.loads(capsys.readouterr().out)["id"]
    assert main(["keys", "revoke", key_id, "--reason", "leaked"]) == 0
    assert capsys.readouterr().out == f"the key {key_id} is revoked\n"
    assert main(["keys", "revoke", key_id]) == 0
    assert capsys.readouterr().out == f"the key {key_id} was revoked already\n"
    assert main(["journal", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 3
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-1] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "revoked"),
    [
        (["all"], {"export", "import"}),
        (["all", "--issuer", ISSUER], {"export", "import"}),
        (["subject", "export", "--issuer", ISSUER], {"export"}),
        (["token", "--id", "ID", "--issuer", ISSUER], {"export"}),
        (["all", "--issuer", "https://gateway.test"], set()),
        (["subject", "export", "--issuer", "https://gateway.test"], set()),
    ],
)
def test_a_revocation_lasts_as_long_as_the_keys_that_it_names(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    revoked: set[str],
) -> None:
    monkeypatch.setenv("LOCKGATE_IDENTITY__ISSUER", "https://gateway.test")
    added = {}
    for name in ("export", "import"):
        assert main(["keys", "add", name, "--scope", "a", "--days", "3650", "--json"]) == 0
        added[name] = json.loads(capsys.readouterr().out)
    arguments = [added["export"]["id"] if it == "ID" else it for it in arguments]
    url, in_a_year = f"sqlite:///{folder}/lockgate.db", time.time() + 365 * 86_400
    database = create_database(Settings(database_url=url))
    before, after, check = KeyVerifier(), KeyVerifier(), RevocationCheck(60, {})
    before.apply(database.read_now(partial(before.load, after=0)))
    assert main(["revoke", *arguments]) == 0
    capsys.readouterr()
    assert main(["keys", "list", "--json"]) == 0
    states = {it["name"]: it["state"] for it in json.loads(capsys.readouterr().out)}
    assert {name for name, state in states.items() if state == "revoked"} == revoked
    assert main(["journal", "verify"]) == 0

    replica = RevocationReplica(check, ManualClock(in_a_year))
    replica.apply(database.read_now(partial(replica.load, after=0)))
    after.apply(database.read_now(partial(after.load, after=0)))
    database.close()
    for name in ("export", "import"):
        principal = before.verify(added[name]["key"], in_a_year)
        assert check.is_revoked(principal) == (name in revoked)
        with pytest.raises(Unauthenticated) if name in revoked else nullcontext():
            after.verify(added[name]["key"], in_a_year)
        # A token that does not say when it was issued is not revoked for as long as that.
        other = replace(principal, issuer="https://a.test", token_issuer="https://a.test")
        assert not check.is_revoked(replace(other, issued_at=None))


@pytest.mark.usefixtures("folder")
def test_a_key_that_is_added_after_a_revocation_of_all_is_valid(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["revoke", "all"]) == 0
    assert main(["keys", "add", "export", "--scope", "a"]) == 0
    capsys.readouterr()
    assert main(["keys", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "active"


@pytest.mark.parametrize("is_added_first", [True, False])
def test_the_order_of_the_journal_decides_whether_a_revocation_covers_a_key(
    folder: Path, is_added_first: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that comes second waits for the transaction of the first, which began before."""
    arguments = ["revoke", "all"] if is_added_first else ["keys", "add", "late", "--scope", "a"]
    second = Thread(target=main, args=(arguments,))

    def write_first(connection: Connection) -> None:
        lock_journal(connection)
        second.start()
        time.sleep(0.2)  # if it has not come so far, the test proves nothing, and passes
        now = time.time()
        if is_added_first:
            key = ApiKey("k1", "late", hash_text("a"), ("a",), now, now + 60)
            add_key(connection, key, Author("jane"))
        else:
            every = Revocation(RevocationKind.ISSUER, "", "", now, now + 60)
            revoke_with_keys(connection, every, Author("jane"))

    database = create_database(Settings(database_url=f"sqlite:///{folder}/lockgate.db"))
    database.write_now(write_first)
    second.join(20)
    verifier, check = KeyVerifier(), RevocationCheck(60, {})
    replica = RevocationReplica(check, ManualClock(0))
    replica.apply(database.read_now(partial(replica.load, after=0)))
    [key] = database.read_now(list_keys)
    database.close()
    text = "a" if is_added_first else capsys.readouterr().out.splitlines()[0]
    assert key.is_revoked is is_added_first
    verifier.apply(Changes([replace(key, is_revoked=False)], is_complete=True))
    assert check.is_revoked(verifier.verify(text, key.created_at)) is is_added_first


@pytest.mark.usefixtures("folder")
def test_an_unknown_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "revoke", "none"]) == 1
    assert "there is no key 'none'; `lockgate keys list`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a b", "--scope", "a"], "'a b' must be 1 to 64 letters"),
        (["a", "--scope", "a b"], "'a b' must be one scope"),
        (["a", "--scope", "a", "--days", "0"], "'0' must be a number of days, 1 to 3650"),
        (["a"], "the following arguments are required: --scope"),
    ],
)
def test_arguments_are_checked(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        main(["keys", "add", *arguments])
    assert message in capsys.readouterr().err
