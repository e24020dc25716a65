"""200 wrong secrets a second: the event loop stays responsive, and good clients get tokens."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings.rate import Rate
from gateway.settings.schema import OAuthSettings
from tests.gateway.oauth.oauth_gateway import SECRET, OAuthGateway, basic, make_client, serve_oauth
from tests.running_demo import ROOT

RATE, SECONDS, TICK = 200, 15, 0.005
MAX_LAG = 0.02

LIMITS = {
    "the limits of the defaults": OAuthSettings(),
    "no limits": OAuthSettings(address_limit=Rate(9_999, 1), client_limit=Rate(9_999, 1)),
}

pytestmark = [pytest.mark.prove, pytest.mark.timeout(120)]


async def measure_lag(stopped: asyncio.Event) -> list[float]:
    """Return by how much each wake-up of the loop was late, in order."""
    loop, lags = asyncio.get_running_loop(), list[float]()
    while not stopped.is_set():
        due = loop.time() + TICK
        await asyncio.sleep(TICK)
        lags.append(loop.time() - due)
    return sorted(lags)


async def measure_idle_lag() -> float:
    """Return the lag of the loop that 99 % are below while nothing is sent: that of the machine."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().call_later(5, stopped.set)
    lags = await measure_lag(stopped)
    return lags[len(lags) * 99 // 100]


async def send_wrong(gateway: OAuthGateway) -> dict[str, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proofs.wrong_secrets", str(gateway.served.port), str(RATE),
        str(SECONDS), stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    output, _ = await process.communicate()
    statuses: dict[str, int] = json.loads(output)
    return statuses


@pytest.fixture
def _without_log() -> Iterator[None]:
    """Write no log: the test formats each line twice, which the gateway does not."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_without_log")
@pytest.mark.parametrize("name", LIMITS)
async def test_wrong_secrets_do_not_block_the_loop(tmp_path: Path, name: str) -> None:
    async with serve_oauth(tmp_path, make_client("bff", SECRET), oauth=LIMITS[name]) as gateway:
        grant, good = {"grant_type": "client_credentials"}, basic("bff", SECRET)
        assert (await gateway.post(grant, good)).status == 200
        idle = await measure_idle_lag()
        stopped = asyncio.Event()
        measuring = asyncio.create_task(measure_lag(stopped))
        sending = asyncio.create_task(send_wrong(gateway))
        served = 0
        while not sending.done():
            assert (await gateway.post(grant, good)).status == 200
            served += 1
            await asyncio.sleep(0.05)
        stopped.set()
        statuses, lags = await sending, await measuring
        at_99, largest = lags[len(lags) * 99 // 100], lags[-1]
        print(
            f"\n{name}: {statuses} of {RATE * SECONDS} wrong secrets in {SECONDS} s; {served} good "
            f"requests served; lag of the loop: 99 % below {at_99 * 1e3:.1f} ms, at most "
            f"{largest * 1e3:.1f} ms (idle before: 99 % below {idle * 1e3:.1f} ms)"
        )
        assert set(statuses) <= {"401", "429", "503"}
        assert sum(statuses.values()) == RATE * SECONDS
        assert at_99 < MAX_LAG
