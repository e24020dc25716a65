"""`lockgate explain` accepts the tokens of a demo that runs on this machine."""

import io
import re
import sys
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.cli.running_demo import find_demo
from tests.gateway.cli.conftest import KEYS
from tests.running_demo import Demo


def get_identity_port(demo: Demo) -> str:
    (port,) = re.findall(r"^  identity +http://127\.0\.0\.1:(\d+)$", demo.output, re.MULTILINE)
    return str(port)


def pipe_token(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(token.encode())))


def test_a_demo_is_found_by_its_identity_provider(demo: Demo) -> None:
    port = get_identity_port(demo)
    assert find_demo(int(port)) == f"http://127.0.0.1:{port}"
    assert find_demo(int(demo.url.rpartition(":")[2])) is None  # the gateway
    assert find_demo(1) is None


def test_explain_accepts_the_token_of_the_demo(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = get_identity_port(demo)
    assert main(["token", "--port", port]) == 0
    pipe_token(monkeypatch, capsys.readouterr().out)
    assert main(["explain", "GET", "/dashboard/42", "--demo-port", port]) == 0
    printed = capsys.readouterr()
    assert "caller  42 of https://identity.demo.invalid" in printed.out
    url = f"http://127.0.0.1:{port}"
    assert printed.err == (
        f"lockgate: the settings have no issuer, so the tokens of the demo at {url} are accepted\n"
    )


def test_explain_needs_an_issuer_without_a_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "GET", "/dashboard/42", "--demo-port", "1", "--no-token"]) == 2
    assert "issuers: no identity provider is set" in capsys.readouterr().err


def test_explain_accepts_no_token_of_the_demo_if_the_settings_have_an_issuer(
    demo: Demo, issuer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer.write_bytes(KEYS)
    pipe_token(monkeypatch, demo.token)
    arguments = ["explain", "GET", "/dashboard/42", "--demo-port", get_identity_port(demo)]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "401 Unauthorized" in printed.out
    assert printed.err == ""
