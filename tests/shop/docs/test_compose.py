"""Tests of config/deploy/compose.yaml: its settings, commands and security options."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli.check import check_settings
from gateway.cli.main import build_parser
from gateway.fakes.identity_endpoints import AUDIENCE, DEFAULT_PORT, ISSUER, JWKS_PATH, OPS_AUDIENCE
from gateway.identity.signing_key_file import read_signing_keys
from gateway.settings.loader import load_settings
from gateway.settings.schema import Ops
from tests.docs.project import ROOT
from tests.redis_server import RedisServer
from tests.shop.docs.session import PORTS

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "config" / "deploy" / "compose.yaml").read_text()
)["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "lockgate-demo"]


def test_it_has_the_gateway_redis_and_the_demo() -> None:
    assert set(SERVICES) == {"gateway", "redis", "demo"}
    assert OURS == ["gateway", "demo"]


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_valid_setting(
    name: str, monkeypatch: pytest.MonkeyPatch, signing_key: Path, tmp_path: Path
) -> None:
    monkeypatch.delenv("LOCKGATE_CONFIG", raising=False)
    for variable, value in SERVICES[name]["environment"].items():
        assert variable.startswith("LOCKGATE_")
        given = value.replace("/run/lockgate/signing.jwks", str(signing_key))
        monkeypatch.setenv(variable, given.replace("/run/lockgate", str(tmp_path)))
    settings = load_settings()
    if SERVICES[name]["command"] == ["serve"]:
        assert check_settings(settings).errors == []
        assert str(settings.redis_url) == "redis://redis:6379/0"


def test_the_gateway_creates_its_signing_key_and_serves(tmp_path: Path) -> None:
    """Run the script of the entry point with a `lockgate` that serves nothing."""
    gateway = SERVICES["gateway"]
    key_file = tmp_path / "signing.jwks"
    program = tmp_path / "lockgate"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = serve ] && echo served || exec {sys.executable} -m gateway.cli "$@"\n'
    )
    program.chmod(0o755)
    shell, *arguments = [word.replace("$$", "$") for word in gateway["entrypoint"]]
    done = subprocess.run(
        [shell, *arguments, *gateway["command"]],
        cwd=ROOT,
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "LOCKGATE_IDENTITY__SIGNING_KEY_FILE": str(key_file),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("served\n")
    assert read_signing_keys(key_file).list_published(time.time())
    folder, _, options = gateway["tmpfs"][0].partition(":")
    assert gateway["environment"]["LOCKGATE_IDENTITY__SIGNING_KEY_FILE"].startswith(f"{folder}/")
    assert options == "uid=10001,mode=0700"


@pytest.mark.parametrize("name", OURS)
def test_the_command_is_a_lockgate_subcommand(name: str) -> None:
    assert callable(build_parser().parse_args(SERVICES[name]["command"]).run)


def test_the_gateway_trusts_the_issuer_of_the_demo() -> None:
    environment = SERVICES["gateway"]["environment"]
    assert json.loads(environment["LOCKGATE_ISSUERS"]) == [
        {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks_url": f"http://127.0.0.1:{DEFAULT_PORT}{JWKS_PATH}",
        }
    ]
    assert environment["LOCKGATE_OPS__AUDIENCE"] == OPS_AUDIENCE
    assert SERVICES["demo"]["environment"]["LOCKGATE_OPS__PORT"] != str(Ops().port)
    assert SERVICES["demo"]["network_mode"] == "service:gateway"
    assert SERVICES["demo"]["environment"]["LOCKGATE_SERVER__PORT"] not in {
        str(port) for port in (8000, *PORTS.values())
    }


def test_only_the_public_port_is_published() -> None:
    published = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert published == {"gateway": ["8000:8000"]}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_read_only_and_without_capabilities(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_grace_period_exceeds_the_shutdown_time(monkeypatch: pytest.MonkeyPatch) -> None:
    grace = int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s"))
    assert grace > load_settings().server.shutdown_seconds


def test_redis_keeps_nothing_and_is_bounded() -> None:
    command = SERVICES["redis"]["command"]
    assert command[0] == "redis-server"
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--save"] == ""
    assert options["--appendonly"] == "no"
    assert options["--maxmemory"] == "256mb"
    assert options["--maxmemory-policy"] == "noeviction"


@pytest.mark.redis
def test_a_redis_takes_these_options(redis_binary: str) -> None:
    server = RedisServer(redis_binary, *SERVICES["redis"]["command"][1:])
    server.start()
    try:
        assert server.command("PING") == "+PONG"
    finally:
        server.stop()
