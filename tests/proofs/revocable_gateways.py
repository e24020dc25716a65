"""Gateways in processes of their own on one database, their tokens, and `lockgate revoke`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from gateway.settings.schema import Settings
from gateway.storage.journal import read_entries
from gateway.storage.open_storage import create_database
from tests.e2e.serve_process import ServeProcess, run_serve_with
from tests.gateway.auth.token_factory import AUDIENCE, encode_jwk_set, get_signing_key, make_token
from tests.running_demo import ROOT

ISSUER = "https://people.test"
_KEY = "ES256"
_LIFETIME_SECONDS = 3_600
_numbers = count(1)


@dataclass(frozen=True)
class Command:
    """What a command has printed, its exit status, and when it began and ended (monotonic)."""

    status: int
    output: str
    errors: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(frozen=True)
class Caller:
    """A token, and what each kind of revocation may name of it."""

    token: str
    issuer: str
    token_id: str
    subject: str
    client: str


def issue(issuer: str = ISSUER) -> Caller:
    """Issue a token with an id, a subject and a client of its own."""
    number = next(_numbers)
    names = {"jti": f"t{number}", "sub": f"user-{number}", "azp": f"client-{number}"}
    now = int(time.time())
    times = {"iat": now - 1, "exp": now + _LIFETIME_SECONDS}
    token = make_token({"iss": issuer, **names, **times}, key=get_signing_key(_KEY))
    return Caller(token, issuer, *names.values())


@dataclass(frozen=True)
class RevocableGateways:
    """The environment of all gateways on a database; `service_port` is that of their service."""

    folder: Path
    database_url: str
    service_port: int
    issuers: Sequence[str] = (ISSUER,)
    redis_url: str | None = None
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a gateway, and of the commands beside it."""
        keys = self.folder / "jwks.json"
        keys.write_bytes(encode_jwk_set(get_signing_key(_KEY).jwk()))
        options = {"audience": AUDIENCE, "jwks_file": str(keys), "user_claim": "sub"}
        issuers = [{"issuer": it, **options} for it in self.issuers]
        redis = {} if self.redis_url is None else {"LOCKGATE_REDIS_URL": self.redis_url}
        return {
            "PATH": os.environ["PATH"],
            "LOCKGATE_APP__PACKAGE": "tests.proofs.revocable",
            "LOCKGATE_ISSUERS": json.dumps(issuers),
            "LOCKGATE_DATABASE_URL": self.database_url,
            "LOCKGATE_UPSTREAMS__SERVICE__URL": f"http://127.0.0.1:{self.service_port}",
            **redis,
            **self.variables,
        }

    @contextmanager
    def serve(self, number: int) -> Iterator[list[ServeProcess]]:
        """Run so many gateways until the end of the block."""
        with ExitStack() as stack:
            yield [
                stack.enter_context(
                    run_serve_with(self.environment, self.folder / f"log-{next(_numbers)}")
                )
                for _ in range(number)
            ]

    def read_time(self, seq: int) -> float:
        """Return when an entry of the journal was written, on the clock of `time.monotonic`."""
        database = create_database(Settings(database_url=self.database_url))
        [entry] = database.read_now(partial(read_entries, after=seq - 1, limit=1))
        database.close()
        return entry.at / 1e6 - time.time() + time.monotonic()

    def run(self, *arguments: str, stdin: str = "") -> Command:
        """Run a command of `lockgate` beside the gateways."""
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "gateway.cli", *arguments],
            cwd=ROOT, env=self.environment, input=stdin, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip
        return Command(done.returncode, done.stdout, done.stderr, began, time.monotonic())
