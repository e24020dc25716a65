"""The commands and the client of docs/how-to/dpop.md, run against a gateway on a socket."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from fastapi import APIRouter

from gateway.auth import requires
from gateway.cli.main import main
from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT
from tests.gateway.oauth.oauth_gateway import make_settings, serve_oauth

PAGE = ROOT / "docs" / "how-to" / "dpop.md"
URL = "https://api.example.com"

router = APIRouter()


@router.get("/payments/{number}", dependencies=[requires("payments:write", dpop=True)])
async def get_payment(number: int) -> int:
    return number


def add_client(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command of the page, and return the secret that it prints."""
    program, *arguments = command.split()
    assert program == "lockgate"
    assert main([*arguments, "--json"]) == 0
    secret = re.search(r"lgs_[\w-]+", capsys.readouterr().out)
    assert secret is not None
    return secret[0]


async def test_the_client_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = [block.text for block in parse_blocks(PAGE)]
    [command] = [text for text in blocks if text.startswith("lockgate clients add")]
    [script] = [text for text in blocks if text.startswith("import hashlib")]
    settings = make_settings(tmp_path)
    [variable] = [text for text in blocks if text.startswith("export ")]
    assert variable.strip() == f"export LOCKGATE_IDENTITY__ISSUER={URL}"
    monkeypatch.setenv("LOCKGATE_IDENTITY__ISSUER", URL)
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", str(settings.database_url))
    assert main(["db", "upgrade"]) == 0
    capsys.readouterr()
    secret = add_client(command, tmp_path, capsys)
    identity = settings.identity.model_copy(update={"issuer": URL})
    async with serve_oauth(
        tmp_path, routers=[router], identity=identity, database_url=settings.database_url
    ) as gateway:
        script = script.replace("base_url=GATEWAY", f'base_url="{gateway.url}"')
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            script,
            env={**os.environ, "CLIENT_SECRET": secret},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert output.decode().splitlines() == [
        "DPoP 200",
        "401 with a proof that was used",
        "401 as a bearer token",
    ]
