"""A package with proxied routes, tokens for it, and `lockgate explain` as a shell runs it."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from tests.gateway.auth.token_factory import (
    encode_jwk_set,
    get_signing_key,
    make_claims,
    make_token,
)
from tests.gateway.cli.wrong_configuration import PACKAGE, Wrong

KEY = get_signing_key("ES256")

ROUTES = """
from acme.limits import CALLS, PAGES, PLANS
from gateway.proxy import Proxy

routes = [
    Proxy(
        "/stock/{user_id}/{path:path}",
        to="stock",
        requires="stock:read",
        owner="user_id",
        limit=PAGES,
        max_body_bytes=9,
        identity="headers",
        tickets=True,
        websocket=True,
        outlive_token=True,
        remove_headers=["x-company-role", "x-company-team"],
        set_headers={"X-Tenant": "acme", "X-Team": "a"},
        set_response_headers={"X-Frame-Options": "DENY"},
        remove_response_headers=["x-backend", "server"],
    ),
    Proxy("/shop/{path:path}", to="shop", public="a shop window", methods=["GET"]),
    Proxy("/any/{path:path}", to="shop", requires=(), identity="none"),
    Proxy("/all/{path:path}", to="shop", requires=["a", "b", "c"], identity="none"),
    Proxy("/open/{path:path}", to="shop", public="it checks the token itself", forward_token=True),
    Proxy("/bound/{path:path}", to="shop", requires="a", dpop=True, identity="none"),
    Proxy("/middle/{path:path}", to="shop", public="a test", target="/x/{path}/y"),
    Proxy("/plans/{path:path}", to="shop", requires=(), identity="none", limit=[PLANS, CALLS]),
]
"""

TIERS = """
from gateway.ratelimit import ConcurrencyLimit

PLANS = RateLimit("plans", "9/minute", tiers={"pro": "10/second, 99/minute"}, tier_claim="plan")
CALLS = ConcurrencyLimit("calls", 2, tiers={"pro": 8}, tier_claim="plan")
"""


def write_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the package into a folder, and set the variables of its settings."""
    case = Wrong("", text=None, files={"routes.py": ROUTES})
    case.write(folder)
    with (folder / PACKAGE / "limits.py").open("a") as limits:
        limits.write(TIERS)
    settings = folder / PACKAGE / "lockgate.toml"
    settings.write_text(
        settings.read_text()
        + '[upstreams.stock]\nurl = "http://stock.internal:9000/v2"\n'
        + '[upstreams.shop]\nurl = "https://shop.internal"\n'
        + '[limits]\npages = "20/minute"\n'
    )
    (folder / "jwks.json").write_bytes(encode_jwk_set(KEY.jwk()))
    claims = make_claims()
    issuer = {
        "issuer": claims["iss"],
        "audience": claims["aud"],
        "jwks_file": str(folder / "jwks.json"),
    }
    variables = {
        **case.get_variables(),
        "LOCKGATE_ISSUERS": json.dumps([issuer]),
        "LOCKGATE_IDENTITY__ISSUER": "https://api.example.test",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def sign(**changes: Any) -> str:
    """Sign a token of user 7 with the scope `stock:read`."""
    return make_token({"sub": "7", "scope": "stock:read", **changes}, key=KEY)


class Shell:
    """Runs the command with a token on standard input."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def run(self, method: str, target: str, token: str = "") -> tuple[int, dict[str, Any]]:
        """Return the exit status and the JSON of an explanation."""
        status, text = self.print(method, target, "--json", token=token)
        return status, json.loads(text)

    def print(self, *arguments: str, token: str = "") -> tuple[int, str]:
        """Return the exit status and the output, which never has the token."""
        stdin = io.TextIOWrapper(io.BytesIO(token.encode()))
        self._monkeypatch.setattr(sys, "stdin", stdin)
        status = main(["explain", *arguments])
        captured = self._capsys.readouterr()
        assert not token or token not in captured.out + captured.err
        return status, captured.out
