"""docs/how-to/exchange-tokens.md: its files are valid, and its commands print what it shows."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.access import MayExchange
from gateway.app import create_app
from gateway.cli.main import main
from gateway.settings.loader import load_settings
from gateway.settings.schema import Service
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.open_storage import Storage
from tests.databases import wait_until
from tests.docs.blocks import matches, parse_blocks, parse_files
from tests.docs.project import ROOT
from tests.gateway.auth.token_factory import encode_jwk_set, get_signing_key, make_token
from tests.gateway.server.serve_app import serve_app
from tests.gateway.transport.scripted_server import HELLO, Peer, serve_script

PAGE = ROOT / "docs" / "how-to" / "exchange-tokens.md"
LOCKGATE = Path(sys.executable).with_name("lockgate")


@pytest.fixture
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the page, in the working directory, with a signing key and an issuer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
        monkeypatch.delitem(sys.modules, module)
    (settings,) = [block.text for block in parse_blocks(PAGE) if block.language == "toml"]
    files = {"acme/__init__.py": "", "acme/lockgate.toml": settings, **parse_files(PAGE)}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    keys = tmp_path / "provider.jwks"
    keys.write_bytes(encode_jwk_set(get_signing_key("ES256").jwk()))
    issuer = {"issuer": "https://idp", "audience": "lockgate", "jwks_file": str(keys)}
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps([issuer]))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "acme")
    (make_keys, *_) = [block.text for block in parse_blocks(PAGE) if block.language == "sh"]
    assert main(make_keys.split()[1:]) == 0


@pytest_asyncio.fixture
async def served(_package: None) -> AsyncIterator[tuple[dict[str, str], ChangeFeed]]:
    """Serve the package; the variables of the page, and what reads changes of the database."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            peer.send(HELLO)

    async with serve_script(script) as upstream:
        loaded = load_settings()
        service = Service.model_validate({"url": upstream.url})
        settings = loaded.model_copy(update={"upstreams": {"stock": service, "orders": service}})
        app = create_app(settings)
        async with app.router.lifespan_context(app), serve_app(app) as port:
            storage: Storage = app.state.resources[Storage]
            await wait_until(lambda: storage.feed.is_loaded)
            claims = {
                "iss": "https://idp",
                "aud": "lockgate",
                "scope": "stock:read orders:read",
                "exp": int(time.time()) + 3_600,
            }
            variables = {
                **os.environ,
                "PATH": f"{LOCKGATE.parent}:{os.environ['PATH']}",
                "PYTHONPATH": str(Path.cwd()),
                "URL": f"http://127.0.0.1:{port}",
                "TOKEN": make_token(claims, key=get_signing_key("ES256")),
            }
            yield variables, storage.feed


async def run_block(text: str, environment: dict[str, str]) -> str:
    """Run a block of the page in a shell, and return its output."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-ec", text, env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, text
    return output.decode()


async def test_the_commands_print_what_the_page_shows(
    served: tuple[dict[str, str], ChangeFeed],
) -> None:
    environment, feed = served
    blocks = [block for block in parse_blocks(PAGE) if block.language in {"sh", "json", "text"}]
    _, add, exchange, response, call, statuses = (block.text for block in blocks)
    secret, *_ = (await run_block(add, environment)).splitlines()
    await feed.refresh()
    printed = await run_block(exchange, {**environment, "SECRET": secret})
    document, shown = json.loads(printed), json.loads(response)
    assert {**document, "access_token": "…"} == shown
    called = await run_block(call, {**environment, "EXCHANGED": document["access_token"]})
    assert called.split() == statuses.split()


@pytest.mark.usefixtures("_package")
def test_the_list_of_rules_is_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block.text for block in parse_blocks(PAGE) if block.language == "console"]
    command, _, shown = block.partition("\n")
    capsys.readouterr()
    assert main(command.split()[2:]) == 0
    assert matches(shown, capsys.readouterr().out)
    assert main(["check"]) == 0


def test_the_table_has_every_argument() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("| Argument |")[2].partition("\n\n")[0]
    arguments = {field.name for field in fields(MayExchange) if field.init}
    assert {row.split("`")[1] for row in table.splitlines()[2:]} == arguments
