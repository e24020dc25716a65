"""The wheel in a foreign application, which has its own `config` module and `clients` package."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.installed_wheel import run

APPLICATION = {
    "config.py": 'NAME = "the foreign config"\n',
    "clients/__init__.py": 'NAME = "the foreign clients"\n',
    "clients/customers.py": 'CUSTOMERS = ["Ada"]\n',
}

COMPANY = {
    "acme/__init__.py": "",
    "acme/clients/__init__.py": "",
    "acme/clients/invoices.py": """
from gateway.upstream import PendingCall, ResponseModel, ServiceClient


class Invoice(ResponseModel):
    number: str
    total: float


class Invoices(ServiceClient, name="invoices"):
    def open(self, user_id: int) -> PendingCall[list[Invoice]]:
        return self.get("/invoices", params={"user_id": user_id}, into=list[Invoice])
""",
    "acme/composites/__init__.py": "",
    "acme/composites/account.py": """
from typing import Annotated

from fastapi import APIRouter, Path

from acme.clients.invoices import Invoice, Invoices
from acme.limits import ACCOUNTS
from gateway.aggregation import Composed, Composite, Part
from gateway.auth import owner, requires
from gateway.ratelimit import limited
from gateway.resources import Upstream
from gateway.upstream import PendingCall

router = APIRouter()


def fetch_invoices(
    user_id: Annotated[int, Path(ge=1)], invoices: Upstream[Invoices]
) -> PendingCall[list[Invoice]]:
    return invoices.open(user_id)


class Account(Composite, budget=1.0):
    \"\"\"The account page.\"\"\"

    invoices: Annotated[list[Invoice], Part(fetch_invoices)] = []


@router.get(
    "/account/{user_id}",
    dependencies=[requires("account:read"), owner("user_id"), limited(ACCOUNTS)],
)
async def get_account(view: Composed[Account]) -> Account:
    \"\"\"The account of a user.\"\"\"
    return view
""",
    "acme/limits.py": """
from gateway.ratelimit import RateLimit

ACCOUNTS = RateLimit("accounts", "60/minute", per="user", without_redis="local")
""",
    "acme/lockgate.toml": """
[[issuers]]
issuer = "https://login.acme.example"
audience = "acme"
jwks_url = "https://login.acme.example/keys"

[upstreams.invoices]
url = "http://invoices.acme.internal"
""",
}

USE_EVERYTHING = """
import asyncio, json, sys

import clients, clients.customers, config
import gateway
from gateway.testing import lockgate

result = {"config": config.NAME, "clients": clients.NAME, "gateway": gateway.__path__[0]}


async def main():
    account = {"user": "7", "scopes": ["account:read"]}
    async with lockgate() as gateway:
        routes = (await gateway.get("/openapi.json")).json()["paths"]
        result["routes"] = [path for path in routes if "{" in path]
        result["without_script"] = (await gateway.get("/account/7", **account)).json()
        gateway.service("invoices").answers([{"number": "A-1", "total": 9.5, "secret": 1}])
        response = await gateway.get("/account/7", **account)
        result["status"], result["account"] = response.status_code, response.json()
        result["limit"] = response.headers["ratelimit-policy"]
        result["requested"] = str(gateway.service("invoices").requests[-1].url)
        result["dashboard"] = (await gateway.get("/dashboard/7", **account)).status_code


asyncio.run(main())
result["clients_modules"] = sorted(name for name in sys.modules if name.startswith("clients"))
result["composites"] = [name for name in sys.modules if name.startswith("gateway.composites")]
print(json.dumps(result))
"""

SHOP = ("dashboard", "storefront", "notifications", "recommendations", "catalog")


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """The folder of the foreign application, with the company's package beside it."""
    write_files(tmp_path, APPLICATION | COMPANY)
    return tmp_path


def test_the_gateway_serves_the_company_and_the_application_keeps_its_modules(
    installation: Path, application: Path
) -> None:
    process = run(installation, application, "-c", USE_EVERYTHING, LOCKGATE_APP__PACKAGE="acme")
    assert process.returncode == 0, process.stderr
    result = json.loads(process.stdout)
    assert result["gateway"] == str(installation / "gateway")
    assert result["config"] == "the foreign config"
    assert result["clients"] == "the foreign clients"
    assert result["clients_modules"] == ["clients", "clients.customers"]
    assert result["composites"] == []
    assert result["routes"] == ["/account/{user_id}"]
    assert result["dashboard"] == 404
    assert result["status"] == 200
    assert result["account"] == {"invoices": [{"number": "A-1", "total": 9.5}], "degraded": []}
    assert result["limit"].startswith('"accounts";q=60;w=60')
    assert result["requested"].endswith("/invoices?user_id=7")
    # The demo has no invoices service, so the stand-in answers 404.
    assert result["without_script"] == {
        "invoices": [],
        "degraded": [{"part": "invoices", "reason": "refused"}],
    }


def test_check_passes_for_the_company(installation: Path, application: Path) -> None:
    process = run(
        installation, application, "-m", "gateway.cli", "check", LOCKGATE_APP__PACKAGE="acme"
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.splitlines()[0] == (
        "The configuration is valid: 6 routes, 1 composite, 1 service, 1 policy. "
        "The package is acme (app.package)."
    )


def test_an_error_in_the_companys_settings_is_found(installation: Path, application: Path) -> None:
    process = run(
        installation, application, "-m", "gateway.cli", "check",
        LOCKGATE_APP__PACKAGE="acme", LOCKGATE_LIMITS__ACOUNTS="1/second",
        LOCKGATE_UPSTREAMS__INVOICE__URL="http://h",
    )  # fmt: skip
    assert process.returncode == 2
    assert "did you mean accounts?" in process.stdout
    assert "did you mean invoices?" in process.stdout


@pytest.mark.parametrize("subcommand", ["check", "serve"])
def test_without_a_package_the_command_names_the_setting(
    installation: Path, application: Path, subcommand: str
) -> None:
    process = run(installation, application, "-m", "gateway.cli", subcommand)
    assert process.returncode == 2, process.stderr
    printed = process.stdout + process.stderr
    assert (
        "app.package: no package is set or named by an entry point in the group lockgate "
        "(set LOCKGATE_APP__PACKAGE to the package with your clients, composites and limits; "
        "`lockgate new PATH` creates one)"
    ) in printed
    assert "Traceback" not in printed
    assert not [name for name in SHOP if name in printed]


def test_without_a_package_nothing_of_the_shop_or_the_application_is_imported(
    installation: Path, application: Path
) -> None:
    code = """
import sys
from gateway.cli.main import main
status = main(["check", "--json"])
found = [name for name in sys.modules if name.split(".")[0] in ("clients", "config", "acme")]
print(status, found, [name for name in sys.modules if name.startswith("gateway.composites")])
"""
    process = run(installation, application, "-c", code)
    *_, last = process.stdout.splitlines()
    assert last == "2 [] []", process.stderr


def test_the_demo_of_the_shop_is_part_of_the_repository(
    installation: Path, application: Path
) -> None:
    process = run(installation, application, "-m", "gateway.cli", "demo")
    assert process.returncode == 2
    assert process.stderr == (
        "lockgate: demo: the demo shop is part of Lockgate's repository: clone it and run "
        "`make run` (for a gateway of your own, run `lockgate new PATH`)\n"
    )


def test_the_wheel_has_types_and_no_file_of_the_shop(installation: Path) -> None:
    files = [path.relative_to(installation).as_posix() for path in installation.rglob("*.py")]
    assert (installation / "gateway" / "py.typed").is_file()
    assert not [name for name in files if name.startswith(("gateway/composites", "gateway/demo"))]
    texts = {name: (installation / name).read_text() for name in files}
    assert not [name for name, text in texts.items() if "storefront" in text]
