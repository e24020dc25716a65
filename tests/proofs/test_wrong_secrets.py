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

RATE, SECONDS, TICK = 200, 10, 0.005
MAX_LAG = 0.02

GRANT = {"grant_type": "client_credentials"}

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


async def send_requests(gateway: OAuthGateway, *, with_secret: bool) -> dict[str, int]:
    """Send the requests of `wrong_secrets.py`; return the number of responses by status."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proofs.wrong_secrets", str(gateway.served.port), str(RATE),
        str(SECONDS), str(int(with_secret)), stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    output, _ = await process.communicate()
    statuses: dict[str, int] = json.loads(output)
    return statuses


async def measure(
    gateway: OAuthGateway, *, with_secret: bool
) -> tuple[dict[str, int], list[float]]:
    """Return the statuses, and the lags of the loop, while good requests are served as well."""
    stopped = asyncio.Event()
    measuring = asyncio.create_task(measure_lag(stopped))
    sending = asyncio.create_task(send_requests(gateway, with_secret=with_secret))
    while not sending.done():
        assert (await gateway.post(GRANT, basic("bff", SECRET))).status == 200
        await asyncio.sleep(0.05)
    stopped.set()
    return await sending, await measuring


@pytest.fixture
def _without_log() -> Iterator[None]:
    """Write no log: the test formats each line twice, which the gateway does not."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_without_log")
@pytest.mark.parametrize("name", LIMITS)
async def test_wrong_secrets_do_not_block_the_loop(tmp_path: Path, name: str) -> None:
    """On a machine that is busy with other work, requests without a secret have a lag as well."""
    async with serve_oauth(tmp_path, make_client("bff", SECRET), oauth=LIMITS[name]) as gateway:
        assert (await gateway.post(GRANT, basic("bff", SECRET))).status == 200
        statuses, lags = await measure(gateway, with_secret=True)
        # Last, as requests without a secret use up the same limit.
        _, others = await measure(gateway, with_secret=False)
    at_99, of_others = (found[len(found) * 99 // 100] for found in (lags, others))
    print(
        f"\n{name}: {statuses} of {RATE * SECONDS} wrong secrets in {SECONDS} s; lag of the loop: "
        f"99 % below {at_99 * 1e3:.1f} ms, at most {lags[-1] * 1e3:.1f} ms; without secrets: 99 % "
        f"below {of_others * 1e3:.1f} ms, at most {others[-1] * 1e3:.1f} ms"
    )
    assert set(statuses) <= {"401", "429", "503"}
    assert sum(statuses.values()) == RATE * SECONDS
    assert at_99 < max(MAX_LAG, 2 * of_others)
