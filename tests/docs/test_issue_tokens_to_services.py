"""Every command of docs/how-to/issue-tokens-to-services.md is run against a gateway."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.identity.key_file_rotation import rotate_key_file
from gateway.settings.schema import Identity
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.open_storage import Storage
from tests.databases import wait_until
from tests.docs.blocks import Block, matches, parse_blocks
from tests.docs.project import ROOT
from tests.gateway.oauth.oauth_gateway import OAuthGateway, serve_oauth

PAGE = ROOT / "docs" / "how-to" / "issue-tokens-to-services.md"
GATEWAY = "https://gateway.example.com"


async def run(script: str, folder: Path, variables: Mapping[str, str]) -> str:
    """Run commands in a folder, and return what they print."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", script, cwd=folder, env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 0, errors.decode()
    return output.decode()


def write_programs(folder: Path, gateway: OAuthGateway) -> None:
    """Put the command `lockgate` and the programs of the page into the folder."""
    program = folder / "lockgate"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m gateway.cli "$@"\n')
    program.chmod(0o755)
    make_key, get_token = (it.text for it in parse_blocks(PAGE) if it.language == "python")
    (folder / "make_key.py").write_text(make_key)
    endpoint = f'"{gateway.url}/oauth/token"'
    assert 'f"{GATEWAY}/oauth/token"' in get_token
    (folder / "get_token.py").write_text(get_token.replace('f"{GATEWAY}/oauth/token"', endpoint))


def is_shown(shown: Block, printed: str) -> bool:
    if shown.language == "json":
        document = json.loads(printed)
        return bool({**document, "access_token": "…"} == json.loads(shown.text))
    return matches(shown.text, printed)


async def wait_for_poll(feed: ChangeFeed) -> None:
    """Wait until the gateway has polled the database, and so knows each change made until now."""
    begun = time.monotonic()
    await wait_until(lambda: feed.age < time.monotonic() - begun)


@pytest.mark.timeout(300)
async def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    rotate_key_file(tmp_path / "signing.jwks", "ES256", time.time())
    identity = Identity(issuer=GATEWAY, signing_key_file=tmp_path / "signing.jwks")
    async with serve_oauth(tmp_path, identity=identity) as gateway:
        write_programs(tmp_path, gateway)
        variables = {
            "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LOCKGATE_DATABASE_URL": str(gateway.settings.database_url),
            "LOCKGATE_IDENTITY__ISSUER": GATEWAY,
        }
        blocks = [it for it in parse_blocks(PAGE) if it.language in {"sh", "text", "json"}]
        outputs = list[str]()
        for place, block in enumerate(blocks):
            if block.language != "sh":
                continue
            script = block.text.replace(f"curl --silent {GATEWAY}", f"curl --silent {gateway.url}")
            outputs.append(await run(script, tmp_path, variables))
            await wait_for_poll(gateway.app.state.resources[Storage].feed)
            shown = blocks[place + 1 : place + 2]
            if shown and shown[0].language != "sh":
                assert is_shown(shown[0], outputs[-1]), outputs[-1]
            if "clients add bff" in script:
                variables["SECRET"] = outputs[-1].splitlines()[0]
    assert json.loads(outputs[0])["token_endpoint"] == f"{GATEWAY}/oauth/token"
    assert "two secrets" in outputs[-1]
    assert len(outputs) == 7
