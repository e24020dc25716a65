"""The claims of an API key: limits choose a tier by them, and count by them."""

import asyncio
import json
from pathlib import Path

import pytest
from fastapi import APIRouter

from gateway.app_loader import Application
from gateway.auth.dependencies import requires
from gateway.cli.main import main
from gateway.ratelimit import RateLimit, limited
from gateway.settings.schema import Settings, StorageSettings
from gateway.testing import TestGateway, lockgate
from tests.databases import create_file

EXPORTS = RateLimit("exports", "2/day", per="service", tiers={"pro": "4/day"}, tier_claim="plan")
REGIONS = RateLimit("regions", "5/day", per="claim:region")
router = APIRouter()


@router.get("/exports", dependencies=[requires("a"), limited(EXPORTS)])
async def list_exports() -> str:
    return "exports"


@router.get("/regions", dependencies=[requires("a"), limited(REGIONS)])
async def list_regions() -> str:
    return "regions"


APPLICATION = Application(
    policies={policy.name: policy for policy in (EXPORTS, REGIONS)}, routers=[router]
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    url = create_file(tmp_path)
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", url)
    return Settings(database_url=url, storage=StorageSettings(poll_seconds=0.05))


def add_key(capsys: pytest.CaptureFixture[str], name: str, *claims: str) -> str:
    """Add a key with the command, and return its text."""
    options = [option for claim in claims for option in ("--claim", claim)]
    assert main(["keys", "add", name, "--scope", "a", *options, "--json"]) == 0
    return str(json.loads(capsys.readouterr().out)["key"])


async def count_admitted(gateway: TestGateway, path: str, key: str, requests: int) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    statuses = [(await gateway.get(path, headers=headers)).status_code for _ in range(requests)]
    assert set(statuses) <= {200, 429}
    return statuses.count(200)


async def test_a_key_has_the_tier_of_its_claim(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    free = await asyncio.to_thread(add_key, capsys, "free")
    pro = await asyncio.to_thread(add_key, capsys, "pro", "plan=pro")
    unknown = await asyncio.to_thread(add_key, capsys, "other", "plan=gold")
    async with lockgate(settings, application=APPLICATION) as gateway:
        for key, quota in ((free, 2), (pro, 4), (unknown, 2)):
            assert await count_admitted(gateway, "/exports", key, 6) == quota


async def test_keys_with_one_claim_share_a_quota(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [
        await asyncio.to_thread(add_key, capsys, name, "region=eu") for name in ("one", "other")
    ]
    alone = await asyncio.to_thread(add_key, capsys, "alone")
    async with lockgate(settings, application=APPLICATION) as gateway:
        admitted = [await count_admitted(gateway, "/regions", key, 4) for key in (*keys, alone)]
    assert admitted == [4, 1, 4]
