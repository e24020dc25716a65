"""The programs of verify-internal-tokens.md: they accept good tokens, and refuse all others."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from gateway.cli.main import main
from gateway.identity.key_timetable import KEY_SET_MAX_AGE, RETIREMENT, SIGNING_DELAY
from tests.docs.blocks import matches, parse_blocks
from tests.docs.internal_token_services import (
    PAGE,
    find_failures,
    find_unused_port,
    open_issuing,
    run_program,
    wait_for_port,
)

GOLANG_JWT = Path("/usr/share/gocode/src/github.com/golang-jwt/jwt")
GO_MODULE = f"""
module inventory
go 1.18
require github.com/golang-jwt/jwt/v4 v4.4.3
replace github.com/golang-jwt/jwt/v4 => {GOLANG_JWT}
"""


async def test_the_service_in_python() -> None:
    async with open_issuing() as issuing:
        module = ModuleType("service")
        exec(issuing.read_program("service.py"), vars(module))
        transport = httpx.ASGITransport(module.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inventory") as http:
            assert await find_failures(issuing, http, "") == []


async def test_the_service_in_python_cannot_verify_without_the_keys() -> None:
    async with open_issuing() as issuing:
        program = issuing.read_program("service.py")
        token = issuing.list_cases()[0][1]
    module = ModuleType("service")
    exec(program, vars(module))
    transport = httpx.ASGITransport(module.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://inventory") as http:
        response = await http.get("/items", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 503


@pytest.mark.skipif(
    shutil.which("go") is None or not GOLANG_JWT.exists(),
    reason="Go is not installed (on Debian: golang-go and golang-github-golang-jwt-jwt-dev)",
)
async def test_the_service_in_go(tmp_path: Path) -> None:
    address = f"127.0.0.1:{find_unused_port()}"
    async with open_issuing() as issuing:
        program = issuing.read_program("main.go").replace("127.0.0.1:8080", address)
        await asyncio.to_thread(build_go, program, tmp_path)
        with run_program([str(tmp_path / "inventory")], tmp_path):
            await wait_for_port(address)
            async with httpx.AsyncClient(trust_env=False) as http:
                assert await find_failures(issuing, http, f"http://{address}") == []


def build_go(program: str, folder: Path) -> None:
    (folder / "main.go").write_text(program)
    (folder / "go.mod").write_text(GO_MODULE)
    for arguments in (["vet", "."], ["build", "-o", "inventory", "."]):
        built = subprocess.run(
            ["go", arguments[0], "-mod=mod", *arguments[1:]],
            cwd=folder, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        assert built.returncode == 0, built.stderr


def test_the_commands_of_the_page_print_what_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "signing.jwks"
    blocks = [block for block in parse_blocks(PAGE) if block.section == "Rotate the key"]
    commands = [
        line for block in blocks if block.language == "sh" for line in block.text.splitlines()
    ]
    assert main(["signing-keys", "rotate", "--file", str(file)]) == 0
    for command in commands:
        capsys.readouterr()
        assert main(command.replace("/etc/lockgate/signing.jwks", str(file)).split()[1:]) == 0
    (shown,) = [block.text for block in blocks if block.language == "text"]
    assert matches(shown, capsys.readouterr().out)


def test_the_page_has_the_times_of_the_code() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f"signs {SIGNING_DELAY // 60} minutes later" in text
    assert f"twice the {KEY_SET_MAX_AGE} seconds" in text
    assert f"published for {RETIREMENT // 60} more minutes" in text
    for setting in ("lifespan={}", "cacheMaxAge: {}_000", "maxAge = {} * time.Second"):
        assert setting.format(KEY_SET_MAX_AGE) in text
