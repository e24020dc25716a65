"""What a service on the page about internal tokens must accept and refuse, in any language."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from socket import socket
from subprocess import PIPE, STDOUT, Popen
from typing import Any, NamedTuple

import httpx
import jwt
from fastapi import FastAPI

from gateway.identity import key_set_route
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import TOKEN_TYPE, SigningKey, generate_signing_key
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.resources import Resources
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server
from tests.docs.blocks import parse_files
from tests.docs.project import ROOT
from tests.gateway.identity.callers import make_caller

PAGE = ROOT / "docs" / "how-to" / "verify-internal-tokens.md"
ISSUER = "https://gateway.example.com"
SUBJECT = "https://login.example.com#42"


class Issuing(NamedTuple):
    """A gateway that publishes its keys at `url`, and the cases for a service."""

    url: str
    tokens: InternalTokens
    key: SigningKey

    def read_program(self, name: str) -> str:
        """Return a program of the page, for this gateway."""
        program = parse_files(PAGE)[name]
        assert ISSUER in program
        return program.replace(ISSUER, self.url)

    def list_cases(self) -> Sequence[tuple[str, str | None, int]]:
        """Return the name of each case, the token and the expected status."""
        scopes = frozenset({"inventory:read", "inventory:write"})
        caller = make_caller(expires_at=time.time() + 3_600, scopes=scopes)
        good = self.tokens.issue(caller, "inventory", ("inventory:read",))
        wider = make_caller(expires_at=caller.expires_at, scopes=frozenset({"inventory:read:any"}))
        stranger = generate_signing_key("ES256", 0)
        now = int(time.time())
        return [
            ("good", good, 200),
            ("wider scope", self.tokens.issue(wider, "inventory", ("inventory:read",)), 200),
            ("other scope", self.tokens.issue(caller, "inventory", ("inventory:write",)), 403),
            ("other service", self.tokens.issue(caller, "orders", ("inventory:read",)), 401),
            ("no token", None, 401),
            ("no JWT", "abc", 401),
            ("changed", f"{good[:-8]}AAAAAAAA", 401),
            ("signed alike", self._sign({}), 200),
            ("within the clock tolerance", self._sign({"exp": now - 2}), 200),
            ("expired", self._sign({"exp": now - 30}), 401),
            ("without end", self._sign({"exp": None}), 401),
            ("other issuer", self._sign({"iss": "https://other.example"}), 401),
            ("access token", self._sign({}, typ="at+jwt"), 401),
            ("unknown key", self._sign({}, key=stranger), 401),
            ("another's key", self._sign({}, key=stranger, kid=self.key.key_id), 401),
            ("unsigned", self._sign({}, algorithm="none"), 401),
        ]

    def _sign(
        self,
        changes: Mapping[str, object],
        *,
        key: SigningKey | None = None,
        typ: str = TOKEN_TYPE,
        kid: str = "",
        algorithm: str = "ES256",
    ) -> str:
        """Sign a token as the gateway does, with changes to its claims; None removes one."""
        key = key or self.key
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": "inventory", "sub": SUBJECT, "scope": "inventory:read",
            "iat": now, "exp": now + 60, **changes,
        }  # fmt: skip
        present = {name: value for name, value in claims.items() if value is not None}
        headers = {"typ": typ, "kid": kid or key.key_id}
        secret: Any = None if algorithm == "none" else key.private
        return jwt.encode(present, secret, algorithm, headers)


@asynccontextmanager
async def open_issuing() -> AsyncIterator[Issuing]:
    """Publish an ES256 and an Ed25519 key on loopback."""
    key, next_key = generate_signing_key("ES256", 0), generate_signing_key("EdDSA", time.time())
    app = FastAPI()
    app.include_router(key_set_route.router)
    resources = app.state.resources = Resources()
    async with open_server(app, Server(host="127.0.0.1", port=0)) as server:
        keys = SigningKeyProvider(SigningKeys([key, next_key]))
        tokens = InternalTokens(server.url, keys, max_entries=100)
        resources[InternalTokens] = tokens
        yield Issuing(server.url, tokens, key)


async def find_failures(issuing: Issuing, http: httpx.AsyncClient, url: str) -> list[str]:
    """Send every case to the service at `url`, and return those with another status."""
    failures = []
    for name, token, expected in issuing.list_cases():
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        response = await http.get(f"{url}/items", headers=headers)
        if response.status_code != expected or (expected == 200 and SUBJECT not in response.text):
            failures.append(f"{name}: {response.status_code} {response.text}")
    return failures


def find_unused_port() -> int:
    """Find a port on loopback that no program uses."""
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def run_program(command: Sequence[str], folder: Path) -> Iterator[Popen[bytes]]:
    """Run a program until the block ends."""
    with Popen(command, cwd=folder, stdout=PIPE, stderr=STDOUT) as process:
        try:
            yield process
        finally:
            process.kill()


async def wait_for_port(address: str) -> None:
    """Wait until a program accepts connections."""
    host, _, port = address.partition(":")
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
