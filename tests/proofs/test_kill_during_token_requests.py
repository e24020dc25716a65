"""`kill -9` of a gateway that issues tokens: an assertion that got a token never gets another."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import Connection, select

from gateway.cli.main import main
from gateway.identity.encryption_rotation import create_key_file
from gateway.replay.replay_cache import hash_value
from gateway.settings.schema import Settings
from gateway.storage.open_storage import create_database
from gateway.storage.tables import used_ids
from tests.e2e.serve_process import ServeProcess
from tests.gateway.oauth.client_keys import make_claims, present, publish, sign
from tests.gateway.oauth.oauth_gateway import GATEWAY
from tests.proofs.revocable_gateways import RevocableGateways
from tests.proofs.table_agreement import require_agreement
from tests.running_demo import send_request

KILLS, IN_FLIGHT = 20, 10
KIND = "client_assertion"

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]


@dataclass
class Proof:
    """What has been sent: the ids of the assertions by themselves, and the tokens got for them."""

    gateways: RevocableGateways
    sent: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def make(self) -> str:
        """Make an assertion."""
        claims = make_claims()
        assertion = sign(claims)
        self.sent[assertion] = claims["jti"]
        return assertion

    def read_used(self, connection: Connection) -> set[bytes]:
        """Read the digests of the ids that are remembered, where all else is whole."""
        require_agreement(connection)
        return {bytes(row.digest) for row in connection.execute(select(used_ids))}


@dataclass(frozen=True)
class Round:
    """The assertions that one gateway got, those with a token, and the seconds until its kill."""

    sent: Sequence[str]
    accepted: Sequence[str]
    seconds: float


async def ask(port: int, assertion: str) -> tuple[int, str]:
    """Ask for a token; return the status, 0 if the gateway was killed before, and the token."""
    with suppress(OSError, asyncio.IncompleteReadError, ValueError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = urlencode(present(assertion)).encode()
        writer.write(
            b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return int(head[9:12]), json.loads(content).get("access_token", "")
    return 0, ""


def wait_until_ready(gateway: ServeProcess) -> int:
    deadline = time.monotonic() + 60
    while send_request("GET", f"{gateway.url}/readyz").status_code != 200:
        assert time.monotonic() < deadline, gateway.log.read_text()
        time.sleep(0.01)
    return int(gateway.url.rpartition(":")[2])


async def kill_once(proof: Proof, moment: float | None, replayed: Sequence[str]) -> Round:
    """Replay assertions, send new ones, and kill the gateway; after all responses without a moment.

    No replayed one gets another token.
    """
    assertions = [proof.make() for _ in range(IN_FLIGHT)]
    with proof.gateways.serve(1) as [gateway]:
        port = await asyncio.to_thread(wait_until_ready, gateway)
        replies = await asyncio.gather(*(ask(port, it) for it in replayed))
        assert [status for status, _ in replies] == [401] * len(replayed), gateway.log.read_text()
        asking = [asyncio.create_task(ask(port, it)) for it in assertions]
        began = time.monotonic()
        await asyncio.wait(asking, timeout=moment)
        seconds = time.monotonic() - began
        gateway.process.kill()
        replies = await asyncio.gather(*asking)
    assert {status for status, _ in replies} <= {0, 200}
    proof.tokens |= {
        assertion: token
        for assertion, (status, token) in zip(assertions, replies, strict=True)
        if status == 200
    }
    return Round(assertions, [it for it in assertions if it in proof.tokens], seconds)


def require_no_secret(proof: Proof, folder: Path) -> None:
    """Search the log and the database for the signatures of assertions and tokens."""
    contents = [it.read_bytes() for it in folder.rglob("*") if it.is_file()]
    for secret in (*proof.sent, *proof.tokens.values()):
        signature = secret.rpartition(".")[2].encode()
        assert not any(signature in it for it in contents)


async def test_an_assertion_gets_one_token(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file, public = tmp_path / "database.key", tmp_path / "public.json"
    create_key_file(key_file)
    public.write_text(json.dumps(publish("ec")))
    identity = {"LOCKGATE_IDENTITY__ISSUER": GATEWAY, "LOCKGATE_IDENTITY__KEY_FILE": str(key_file)}
    proof = Proof(RevocableGateways(tmp_path, database_url, 1, variables=identity))
    for name, value in proof.gateways.environment.items():
        monkeypatch.setenv(name, value)
    add = ["clients", "add", "signer", "--scope", "a", "--public-key", str(public)]
    assert [main(it) for it in (["db", "upgrade"], add)] == [0, 0]
    database, choose = create_database(Settings(database_url=database_url)), random.Random()
    latest = await kill_once(proof, None, ())
    assert latest.accepted == latest.sent
    seconds, in_doubt = latest.seconds, 0
    for _ in range(KILLS):
        latest = await kill_once(proof, choose.uniform(0, 1.2 * seconds), latest.accepted)
        used = await asyncio.to_thread(database.read_now, proof.read_used)
        kept = {it for it in latest.sent if hash_value(KIND, f"signer {proof.sent[it]}") in used}
        assert set(latest.accepted) <= kept
        in_doubt += len(kept) - len(latest.accepted)
    await kill_once(proof, None, latest.accepted)
    database.close()
    require_no_secret(proof, tmp_path)
    print(
        f"{database_url.partition(':')[0]}: {KILLS} gateways killed, {len(proof.sent)} assertions "
        f"sent, {len(proof.tokens)} got a token, {in_doubt} were remembered without a response",
        flush=True,
    )
