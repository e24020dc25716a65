"""A certified OpenID provider (`oidc-provider` of npm) as the issuer: discovery, keys, tokens.

The test needs npm and its registry. Without them it is skipped, with the reason.
"""

import json
import secrets
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from fastapi import APIRouter

from gateway.auth import requires
from gateway.settings.schema import Issuer, Server, Settings
from gateway.tickets import accept_ticket
from tests.gateway.errors.served import Served, build_request, serve
from tests.gateway.forward_auth.verified_app import ask, ask_as_nginx, bearer
from tests.gateway.tickets.stream_app import issue
from tests.typescript.npm import TIMEOUT_SECONDS, UNREACHABLE, run_npm

FOLDER = Path(__file__).parent

pytestmark = [pytest.mark.oidc, pytest.mark.timeout(2 * TIMEOUT_SECONDS)]

router = APIRouter()


@router.get("/stock", dependencies=[accept_ticket(), requires("inventory:read")])
async def get_stock() -> str:
    return "stock"


class Provider:
    """A running provider with one client, `shop`."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self._credentials = b64encode(f"shop:{secret}".encode()).decode()

    def fetch_token(self, scope: str) -> str:
        """Get an access token by the client credentials grant (RFC 6749, section 4.4)."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        body = urlencode({"grant_type": "client_credentials", "scope": scope})
        headers = {
            "Authorization": f"Basic {self._credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection.request("POST", "/token", body, headers)
        response = connection.getresponse()
        document = json.loads(response.read())
        connection.close()
        assert response.status == 200, document
        token: str = document["access_token"]
        return token


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: no provider was run")
    folder = tmp_path_factory.mktemp("oidc") / "provider"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    installed = run_npm(folder, "ci", "--prefer-offline")
    if installed.returncode and any(code in installed.stderr for code in UNREACHABLE):
        pytest.skip("the registry of npm is unreachable: no provider was run")
    assert installed.returncode == 0, installed.stderr
    node, secret = shutil.which("node"), secrets.token_urlsafe(32)
    assert node is not None
    with subprocess.Popen(
        [node, "provider.mjs"],
        cwd=folder,
        env={"CLIENT_SECRET": secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield Provider(process.stdout.readline().strip(), secret)
        finally:
            process.kill()


def configure(provider: Provider) -> Settings:
    issuer = Issuer(
        issuer=provider.url,
        audience="lockgate",
        discovery_url=f"{provider.url}/.well-known/openid-configuration",
    )
    server = Server(trusted_proxies=(ip_network("127.0.0.1"),), forward_auth=True)
    return Settings(issuers=(issuer,), server=server)


async def call(served: Served, token: str) -> int:
    (reply,) = await served.send(build_request("/stock", headers=bearer(token)))
    return reply.status


async def test_tokens_of_the_provider_are_accepted_everywhere(provider: Provider) -> None:
    token, other = provider.fetch_token("inventory:read"), provider.fetch_token("inventory:write")
    async with serve(router, settings=configure(provider)) as served:
        assert await call(served, token) == 200
        assert await call(served, other) == 403
        assert await call(served, token[:-4] + "AAAA") == 401
        verify = [ask_as_nginx("GET", "/stock", token=it) for it in (token, other, "x")]
        replies = await served.send(*verify)
        assert [reply.status for reply in replies] == [200, 403, 401]
        assert replies[0].header("x-user-id") == ["shop"]
        assert replies[0].header("x-user-issuer") == [provider.url]
        ticket = await issue(served, "/stock", token)
        target = f"/stock?ticket={ticket}"
        assert await ask(served, build_request(target), build_request(target)) == [200, 401]
