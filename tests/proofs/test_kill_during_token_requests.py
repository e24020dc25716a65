"""`kill -9` of a gateway that issues tokens: an assertion that got a token never gets another."""

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from secrets import token_urlsafe
from statistics import median
from urllib.parse import urlencode

import pytest
from psycopg import sql
from sqlalchemy import Connection, select, text

from gateway.identity.encryption_rotation import create_key_file
from gateway.identity.key_encryption import read_key_file
from gateway.identity.signing_key import build_private_members
from gateway.identity.stored_keys import read_stored_keys
from gateway.replay.replay_cache import hash_value
from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.engine import is_sqlite
from gateway.storage.open_storage import create_database
from gateway.storage.tables import used_ids
from gateway.storage.upgrade import upgrade_schema
from tests.gateway.oauth.client_keys import make_claims, present, publish, sign
from tests.gateway.oauth.oauth_gateway import FORM, GATEWAY, add_in, basic, make_client
from tests.postgresql_server import PostgresqlServer
from tests.proofs.forked_gateways import ForkedGateways, open_gateways
from tests.proofs.revocable_gateways import RevocableGateways
from tests.proofs.secret_search import find_secrets
from tests.proofs.table_agreement import require_agreement

KILLS, IN_FLIGHT, OLDER = 200, 10, 2
SECRETS = 0.1
"""The share of the killed gateways that also get a secret."""

LIFETIME_SECONDS = 290
PASSWORD = "hunter2-of-the-database"

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Assertion:
    """An assertion, and what the gateway is to remember of it until `expires_at`."""

    text: str
    digest: bytes
    expires_at: float


def make_assertion() -> Assertion:
    claims = make_claims(exp=int(time.time()) + LIFETIME_SECONDS)
    digest = hash_value("client_assertion", f"signer {claims['jti']}")
    return Assertion(sign(claims), digest, claims["exp"])


@dataclass
class Proof:
    """What is under test, the assertions that are known to be used, and what must stay secret."""

    gateways: ForkedGateways
    database: Database
    secret: str
    used: list[Assertion] = field(default_factory=list)
    lost: list[Assertion] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    tokens: int = 0
    in_doubt: int = 0
    kills_within: int = 0

    async def ask(self, port: int, assertion: Assertion) -> int:
        """Ask for a token with an assertion."""
        self.secrets.add(assertion.text)
        return await self._send(port, present(assertion.text), {})

    async def ask_with_secret(self, port: int) -> int:
        """Ask for a token with a secret."""
        grant = {"grant_type": "client_credentials"}
        return await self._send(port, grant, basic("bff", self.secret))

    async def _send(self, port: int, form: Mapping[str, str], fields: Mapping[str, str]) -> int:
        """Return the status, 0 if the gateway was killed before it responded."""
        body = urlencode(form)
        fields = {"Host": "a", "Connection": "close", **FORM, **fields}
        lines = [f"{name}: {value}" for name, value in fields.items()]
        head = ["POST /oauth/token HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", body]
        with suppress(OSError, ValueError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write("\r\n".join(head).encode())
            response, _, content = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            document, status = json.loads(content), int(response[9:12])
            if status == 200:
                self.secrets.add(document["access_token"])
                self.tokens += 1
            return status
        return 0

    def read_used(self, connection: Connection) -> set[bytes]:
        """Read the digests of the ids that are remembered, where all else is whole."""
        require_agreement(connection)
        return {bytes(row.digest) for row in connection.execute(select(used_ids))}

    def record(self, sent: Sequence[Assertion], accepted: Sequence[Assertion]) -> None:
        """Read what is left of a killed gateway: used ids of what was sent, and all accepted."""
        wait_for_end_of_transactions(self.database)
        now, found = time.time(), self.database.read_now(self.read_used)
        known = {it.digest for it in self.used}
        assert {it.digest for it in self.used if it.expires_at > now} <= found
        assert {it.digest for it in accepted} <= found
        assert found <= known | {it.digest for it in sent}
        kept = [it for it in sent if it.digest in found]
        self.used += kept
        self.lost = [it for it in sent if it.digest not in found]
        self.in_doubt += len(kept) - len(accepted)
        self.kills_within += bool(kept and len(accepted) < len(sent))


def wait_for_end_of_transactions(database: Database) -> None:
    """Wait until PostgreSQL has noticed that a process is gone; a file has no process left."""
    if is_sqlite(database.engine):
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 10
    while database.read_now(lambda connection: connection.scalar(others)):
        assert time.monotonic() < deadline
        time.sleep(0.002)


async def require_replays_refused(proof: Proof, port: int, choose: random.Random) -> None:
    """Replay assertions to a new gateway, and send those that a killed one has not remembered.

    Each of these is sent twice at once, and gets one token.
    """
    now = time.time() + 5
    older = [it for it in proof.used[:-IN_FLIGHT] if it.expires_at > now]
    replayed = proof.used[-IN_FLIGHT:] + choose.sample(older, min(OLDER, len(older)))
    statuses = await asyncio.gather(*(proof.ask(port, it) for it in replayed))
    assert statuses == [401] * len(replayed)
    lost, proof.lost = proof.lost, []
    twice = await asyncio.gather(*(proof.ask(port, it) for it in lost + lost))
    pairs = zip(twice[: len(lost)], twice[len(lost) :], strict=True)
    assert all(set(pair) == {200, 401} for pair in pairs), twice
    proof.used += lost


async def kill_once(proof: Proof, choose: random.Random, pause: float | None = None) -> float:
    """Kill a gateway after a number of responses and a pause; without a pause, after all.

    Returns the seconds that the responses to the assertions took.
    """
    assertions = [make_assertion() for _ in range(IN_FLIGHT)]
    with proof.gateways.serve() as port:
        await require_replays_refused(proof, port, choose)
        asking = [asyncio.create_task(proof.ask(port, it)) for it in assertions]
        # A secret costs more than all else, so that few send one.
        is_one = pause is None or choose.random() < SECRETS
        others = [asyncio.create_task(proof.ask_with_secret(port))] if is_one else []
        began = time.monotonic()
        number = IN_FLIGHT if pause is None else choose.randrange(IN_FLIGHT)
        for response in islice(asyncio.as_completed(asking), number):
            await response
        seconds = time.monotonic() - began
        if pause is None:
            await asyncio.gather(*others)
        else:
            await asyncio.sleep(choose.uniform(0, pause))
    statuses = await asyncio.gather(*asking)
    expected = {200} if pause is None else {0, 200}
    assert {*statuses, *await asyncio.gather(*others)} <= expected
    responded = zip(assertions, statuses, strict=True)
    proof.record(assertions, [it for it, status in responded if status == 200])
    return seconds


async def prove(folder: Path, url: str) -> set[str]:
    """Kill the gateways; return what must not be in the database."""
    key_file, secret, began = folder / "database.key", f"lgs_{token_urlsafe(32)}", time.monotonic()
    create_key_file(key_file)
    settings = Settings(database_url=url)
    database = create_database(settings)
    database.write_now(upgrade_schema)
    add_in(settings, make_client("signer", public_keys=[publish("ec")]))
    add_in(settings, make_client("bff", secret))
    identity = {"LOCKGATE_IDENTITY__ISSUER": GATEWAY, "LOCKGATE_IDENTITY__KEY_FILE": str(key_file)}
    environment = RevocableGateways(folder, url, 1, variables=identity).environment
    seed = random.randrange(10**9)
    choose = random.Random(seed)
    with open_gateways(folder / "logs", environment) as gateways:
        proof = Proof(gateways, database, secret)
        whole = median([await kill_once(proof, choose) for _ in range(5)])
        for _ in range(KILLS):
            await kill_once(proof, choose, 2 * whole / IN_FLIGHT)
        await kill_once(proof, choose)
    assert proof.kills_within > KILLS / 5
    encryption = read_key_file(key_file)
    keys = database.read_now(lambda connection: read_stored_keys(connection, encryption))
    database.close()
    assert keys is not None
    private = {build_private_members(it.private)["d"] for it in keys.list_published(time.time())}
    encrypting = {it["k"] for it in json.loads(key_file.read_bytes())["keys"]}
    print(
        f"{url.partition(':')[0]}, seed {seed}: {KILLS} kills in {time.monotonic() - began:.0f} s, "
        f"{proof.kills_within} of them between the first write and the last response; "
        f"{len(proof.used)} assertions used, {proof.tokens} tokens, {proof.in_doubt} assertions "
        "remembered without a response",
        flush=True,
    )
    return proof.secrets | private | encrypting | {secret, PASSWORD}


def require_no_secret(secrets: set[str], *folders: Path) -> None:
    files = [it for folder in folders for it in folder.rglob("*") if it.is_file()]
    assert find_secrets(secrets, (it.read_bytes() for it in files)) == set()
    size = sum(it.stat().st_size for it in files)
    print(f"none of {len(secrets)} secrets is in {size / 1e6:.1f} MB", flush=True)


async def test_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "database"
    folder.mkdir()
    secrets = await prove(tmp_path, f"sqlite:///{folder}/lockgate.db")
    require_no_secret(secrets, folder, tmp_path / "logs")


async def test_postgresql(own_postgresql: PostgresqlServer, tmp_path: Path) -> None:
    url = own_postgresql.create_database().replace("lockgate@", f"lockgate:{PASSWORD}@")
    secrets = await prove(tmp_path, url)
    own_postgresql.execute(sql.SQL("CHECKPOINT"))
    require_no_secret(secrets, own_postgresql.folder, tmp_path / "logs")
