"""`kill -9` at random moments of each command that writes leaves whole changes, or none.

The moments are spread evenly over the life of a command. Most of it is the start of Python, so most
commands run in a process that is forked after that.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy import inspect

from gateway.identity.encryption_rotation import create_key_file
from gateway.identity.key_encryption import read_key_file
from gateway.identity.signing_key import SigningKey, build_private_members
from gateway.identity.stored_keys import read_stored_keys
from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.open_storage import create_database
from gateway.storage.schema_version import SchemaState, read_schema_version
from gateway.storage.tables import metadata
from tests.postgresql_server import PostgresqlServer
from tests.proofs.forked_commands import Commands, Outcome, open_commands
from tests.proofs.revocable_gateways import RevocableGateways, issue
from tests.proofs.secret_search import find_secrets
from tests.proofs.table_agreement import require_agreement

KILLED, KILLED_WHOLE, KILLED_UPGRADES = 200, 40, 60
BATCH = 10
PASSWORD = "hunter2-of-the-database"

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]


@dataclass
class Proof:
    """The database under test, what its commands have printed, and what must stay secret."""

    commands: Commands
    database: Database
    key_file: Path
    choose: random.Random
    keys: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    added: int = 0
    secrets: set[str] = field(default_factory=lambda: {PASSWORD})
    errors: list[str] = field(default_factory=list)
    durations: dict[str, float] = field(default_factory=dict)

    def pick(self, kind: str) -> tuple[list[str], str]:
        """Return the arguments and the standard input of a command of this kind."""
        self.added += 1
        caller, stdin = issue(), ""
        match kind:
            case "revoke token":
                self.secrets.add(caller.token)
                named, stdin = [], caller.token
            case "revoke subject":
                named = [caller.subject]
            case "keys revoke":
                named = [self.choose.choice(sorted(self.keys))]
            case "clients rotate" | "clients remove":
                named = [self.choose.choice(sorted(self.clients))]
            case "signing-keys rotate":
                named = ["--drop-former"]
            case "key-file rotate":
                named = []
            case _:
                named = [f"name-{self.added}", "--scope", "a"]
        return [*kind.split(), *named], stdin

    def record(self, kind: str, outcome: Outcome) -> None:
        """Remember the secrets that a command has printed, and whether it has changed names."""
        self.errors.append(outcome.errors)
        printed = json.loads(outcome.output) if outcome.output.endswith("}\n") else {}
        if kind != "key-file rotate":  # it prints the id of a key
            self.secrets |= {printed[it] for it in ("key", "client_secret") if it in printed}

    def read_signing_keys(self) -> list[SigningKey]:
        """Decrypt the signing keys with the key file as it is."""
        encryption = read_key_file(self.key_file)
        keys = self.database.read_now(partial(read_stored_keys, encryption=encryption))
        return keys.list_published(time.time()) if keys else []

    def learn_names(self) -> None:
        """Read the keys and clients that can still be changed."""
        with self.database.engine.connect() as connection:
            tables = metadata.tables
            keys, clients = tables["api_keys"], tables["clients"]
            self.keys = {it.id for it in connection.execute(keys.select()) if not it.revoked_at}
            self.clients = {
                it.id for it in connection.execute(clients.select()) if not it.removed_at
            }


KINDS = [
    "revoke token",
    "revoke subject",
    "keys add",
    "keys revoke",
    "clients add",
    "clients rotate",
    "clients remove",
    "signing-keys rotate",
    "key-file rotate",
]


def measure(proof: Proof) -> None:
    """Run each kind without a kill, for names and durations."""
    for kind in [*["keys add", "clients add"] * 12, *KINDS]:
        arguments, stdin = proof.pick(kind)
        outcome = proof.commands.run([*arguments, "--json"], stdin)
        assert outcome.status == 0, outcome.errors
        proof.record(kind, outcome)
        proof.durations[kind] = max(outcome.seconds, proof.durations.get(kind, 0.0))
        proof.learn_names()


def kill_one(proof: Proof, kind: str, *, whole_seconds: float | None = None) -> bool:
    """Kill a command; return whether its change is in the database."""
    arguments, stdin = proof.pick(kind)
    before = proof.database.read_now(require_agreement)
    if whole_seconds is None:
        moment = proof.choose.uniform(0, 1.5 * proof.durations[kind])
        outcome = proof.commands.run([*arguments, "--json"], stdin, kill_after=moment)
    else:
        moment = proof.choose.uniform(0, 1.2 * whole_seconds)
        outcome = proof.commands.run_whole([*arguments, "--json"], stdin, kill_after=moment)
    assert outcome.status in {0, -9}, outcome.errors
    proof.record(kind, outcome)
    proof.read_signing_keys()
    is_written = proof.database.read_now(require_agreement) > before
    # What was printed is kept.
    assert is_written or not outcome.output, outcome
    proof.learn_names()
    return is_written


def kill_many(proof: Proof, number: int, *, whole_seconds: float | None = None) -> None:
    written = 0
    for turn in range(number):
        kind = KINDS[turn % len(KINDS)]
        written += kill_one(proof, kind, whole_seconds=whole_seconds)
        if turn % BATCH == 0:
            outcome = proof.commands.run(["keys", "add", "after-a-kill", "--scope", "a", "--json"])
            assert outcome.status == 0, outcome.errors
            assert outcome.seconds < 10 * proof.durations["keys add"]
            proof.record("keys add", outcome)
            assert proof.commands.run(["journal", "verify"]).status == 0
            proof.learn_names()
    moments = "their whole life" if whole_seconds else "their work"
    print(f"{number} killed during {moments}: {written} had written", flush=True)


def require_no_secret(proof: Proof, folder: Path) -> None:
    """Search the bytes of all files of the database, and what was printed to standard error."""
    proof.secrets |= {build_private_members(it.private)["d"] for it in proof.read_signing_keys()}
    proof.secrets |= {it["k"] for it in json.loads(proof.key_file.read_bytes())["keys"]}
    assert len(proof.secrets) > KILLED / len(KINDS)
    contents = [it.read_bytes() for it in folder.rglob("*") if it.is_file()]
    contents.append("\n".join(proof.errors).encode())
    assert find_secrets(proof.secrets, contents) == set()
    size = sum(map(len, contents))
    print(f"none of {len(proof.secrets)} secrets is in {size / 1e6:.1f} MB", flush=True)


@contextmanager
def open_proof(folder: Path, url: str) -> Iterator[Proof]:
    key_file = folder / "keys" / "database.key"
    environment = {
        "LOCKGATE_IDENTITY__KEY_FILE": str(key_file),
        **RevocableGateways(folder, url, service_port=1).environment,
        "LOCKGATE_IDENTITY__ISSUER": "https://gateway.test",
    }
    seed = random.randrange(10**9)
    print(f"seed {seed}", flush=True)
    database = create_database(Settings(database_url=url))
    key_file.parent.mkdir()
    create_key_file(key_file)
    with open_commands(folder / "commands", environment) as commands:
        yield Proof(commands, database, key_file, random.Random(seed))
    assert list(key_file.parent.iterdir()) == [key_file]
    database.close()


def prove(proof: Proof) -> None:
    assert proof.commands.run(["db", "upgrade"]).status == 0
    measure(proof)
    kill_many(proof, KILLED)
    arguments, stdin = proof.pick("revoke subject")
    whole = proof.commands.run_whole(arguments, stdin, kill_after=30)
    assert whole.status == 0, whole.errors
    kill_many(proof, KILLED_WHOLE, whole_seconds=whole.seconds)
    assert proof.commands.run(["key-file", "rotate"]).status == 0  # removes temporary files


def prove_upgrades(proof: Proof, create_url: Callable[[], str]) -> None:
    """Kill upgrades of empty databases: the schema is whole, or there is none."""
    seconds, done = 0.0, 0
    for number in range(KILLED_UPGRADES + 1):
        url = create_url()
        moment = proof.choose.uniform(0, 1.2 * seconds) if number else None
        on_it = proof.commands.with_variables(LOCKGATE_DATABASE_URL=url)
        outcome = on_it.run(["db", "upgrade"], kill_after=moment)
        seconds = seconds or outcome.seconds
        database = create_database(Settings(database_url=url))
        state = database.read_now(read_schema_version).state
        tables = database.read_now(lambda connection: inspect(connection).get_table_names())
        database.close()
        assert state is (SchemaState.CURRENT if tables else SchemaState.EMPTY)
        done += state is SchemaState.CURRENT
        for arguments in (["db", "upgrade"], ["keys", "add", "a", "--scope", "a"]):
            after = on_it.run(arguments)
            assert after.status == 0, after.errors
    print(f"{KILLED_UPGRADES} upgrades killed: {done - 1} were done", flush=True)


def test_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "database"
    folder.mkdir()
    with open_proof(tmp_path, f"sqlite:///{folder}/lockgate.db") as proof:
        prove(proof)
        assert proof.commands.run(["keys", "list"]).status == 0
        assert [it.name for it in folder.iterdir()] == ["lockgate.db"]
        require_no_secret(proof, folder)
        names = count()
        prove_upgrades(proof, lambda: f"sqlite:///{folder}/{next(names)}.db")
        assert {it.suffix for it in folder.iterdir()} == {".db"}


def test_postgresql(own_postgresql: PostgresqlServer, tmp_path: Path) -> None:
    def create_url() -> str:
        return own_postgresql.create_database().replace("lockgate@", f"lockgate:{PASSWORD}@")

    with open_proof(tmp_path, create_url()) as proof:
        prove(proof)
        own_postgresql.execute(sql.SQL("CHECKPOINT"))
        require_no_secret(proof, own_postgresql.folder)
        prove_upgrades(proof, create_url)
