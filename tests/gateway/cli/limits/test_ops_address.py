"""Where the ops app is, and the token: options, then variables. A token is never printed."""

import argparse
import io
import sys
from functools import partial

import pytest

from gateway.cli.limits import ops_address
from gateway.cli.limits.ops_address import InvalidAddress, OpsAddress, find_ops_address
from gateway.cli.main import main
from gateway.cli.running_demo import request_operator_token
from tests.running_demo import Demo


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCKGATE_OPS_URL", "LOCKGATE_OPS_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def find(url: str | None = None, token: str | None = None) -> OpsAddress:
    return find_ops_address(argparse.Namespace(ops=url, token=token))


def test_options_win_over_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_OPS_URL", "https://ops.example.com/lockgate/")
    monkeypatch.setenv("LOCKGATE_OPS_TOKEN", "Bearer a.b.c\n")
    assert find() == OpsAddress("https://ops.example.com/lockgate", "a.b.c")
    assert find("http://[::1]:9000", "d.e.f") == OpsAddress("http://[::1]:9000", "d.e.f")


def test_a_token_can_be_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a.b.c\n"))
    assert find("http://ops.internal", "-").token == "a.b.c"


@pytest.mark.parametrize(
    "url",
    [
        "ops.example.com:9000",
        "ftp://ops.example.com",
        "http://",
        "http://jane:secret@ops.example.com",
        "http://ops.example.com/?a=secret",
        "http://ops.example.com/#secret",
        "http://ops.example.com:99999",
        "http://[::1",
        "http://ops\x1b.example.com",
    ],
)
def test_a_url_that_is_none_of_an_ops_app_is_not_repeated(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["limits", "list", "--ops", url]) == 2
    assert capsys.readouterr().err == (
        "lockgate: --ops must be the URL of the ops app, such as http://127.0.0.1:9000\n"
    )


def test_a_url_of_a_route_is_none_of_an_ops_app(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["limits", "list", "--ops", "http://127.0.0.1:9001/limits"]) == 2
    assert capsys.readouterr().err == (
        "lockgate: --ops must be the URL of the ops app, without /limits at its end\n"
    )


@pytest.mark.parametrize("token", ["a b", "a\u202eb", "a\x00b"])
def test_a_token_that_is_none_is_not_repeated(
    token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidAddress) as caught:
        find("http://127.0.0.1:1", token)
    assert str(caught.value) == "--token must have one token"
    assert token not in repr(OpsAddress("http://127.0.0.1:1", token))


@pytest.mark.parametrize("token", ["", " \n", "Bearer "])
def test_an_empty_token_is_named_with_where_it_is_from(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["limits", "list", "--token", token]) == 2
    assert capsys.readouterr().err.startswith("lockgate: --token is empty: ")
    monkeypatch.setattr(sys, "stdin", io.StringIO(token))
    assert main(["limits", "list", "--token", "-"]) == 2
    assert capsys.readouterr().err.startswith("lockgate: standard input is empty: ")
    monkeypatch.setenv("LOCKGATE_OPS_TOKEN", token)
    assert main(["limits", "list"]) == 2
    assert capsys.readouterr().err.startswith("lockgate: LOCKGATE_OPS_TOKEN is empty: ")


def test_with_a_running_demo_neither_a_url_nor_a_token_is_needed(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for its ports, which are any here."""
    identity = int(demo.service("identity").rpartition(":")[2])
    ask = partial(request_operator_token, port=identity)
    monkeypatch.setattr(ops_address, "request_operator_token", ask)
    monkeypatch.setattr(ops_address, "DEFAULT_URL", demo.ops)
    assert main(["limits", "list"]) == 0
    assert "dashboards" in capsys.readouterr().out
    assert find(demo.ops).token_source == "the running demo"
    # No other ops app gets its token, on this machine or another one.
    assert find("https://ops.example.com").token is None
    assert find("http://127.0.0.1:1").token is None
