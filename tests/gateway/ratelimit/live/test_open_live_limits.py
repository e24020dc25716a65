"""Whole gateways with one database: what one of them changes is in force in both."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.live.change_errors import NoDatabase
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.live.live_limits import LiveLimits
from gateway.ratelimit.partition import parse_key
from gateway.settings.loader import load_settings
from gateway.settings.schema import Counters, StorageSettings
from gateway.testing import TestGateway, lockgate
from tests.databases import create_file, wait_until
from tests.gateway.ratelimit.live.live_process import JANE
from tests.redis_server import RedisServer

NEVER = 60.0


@asynccontextmanager
async def open_gateways(
    url: str | None, number: int, poll_seconds: float = NEVER, redis_url: str | None = None
) -> AsyncIterator[list[TestGateway]]:
    changes = {
        "database_url": url,
        "storage": StorageSettings(poll_seconds=poll_seconds),
        "redis_url": redis_url,
        "counters": Counters(timeout_ms=1_000),  # the machine may be busy
    }
    settings = load_settings().model_copy(update=changes)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(lockgate(settings)) for _ in range(number)]


def get_live(gateway: TestGateway) -> LiveLimits:
    live: LiveLimits = gateway.app.state.resources[LiveLimits]
    return live


async def change(gateway: TestGateway, rate: str) -> int:
    live, document = get_live(gateway), LiveDocument.parse({"rate": rate})
    version = live.get("dashboards").version
    view = await live.change("dashboards", document, if_version=version, author=JANE)
    return view.version


async def request(gateway: TestGateway) -> tuple[int, int]:
    """Return the status of a request, and the quota that its header announces."""
    headers = {"Authorization": f"Bearer {gateway.token('42', ['dashboard:read'])}"}
    response = await gateway.get("/dashboard/42", headers=headers)
    found = re.search(r'"dashboards";q=(\d+);', response.headers["RateLimit-Policy"])
    assert found is not None
    return response.status_code, int(found[1])


def count_subscribers(redis: RedisServer) -> int:
    return int(redis.command("PUBLISH", "lockgate:limits", "change").removeprefix(":"))


async def wait_for(gateway: TestGateway, expected: tuple[int, int]) -> None:
    async with asyncio.timeout(20):
        while await request(gateway) != expected:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.01)


async def test_a_change_is_in_force_at_once_here_and_with_a_poll_there(tmp_path: Path) -> None:
    async with open_gateways(create_file(tmp_path), 2, poll_seconds=0.05) as [here, there]:
        assert await request(here) == await request(there) == (200, 120)
        assert await change(here, "1/minute") == 1
        assert await request(here) == (429, 1)  # the count of before stays
        await wait_for(there, (429, 1))
        assert await change(there, "50/minute") == 2
        assert await request(there) == (200, 50)
        await wait_for(here, (200, 50))


@pytest.mark.redis
async def test_a_notice_through_redis_needs_no_poll(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    url = create_file(tmp_path)
    async with open_gateways(url, 2, redis_url=redis_server.url) as [here, there]:
        await wait_until(lambda: count_subscribers(redis_server) == 2)
        await change(here, "50/minute")
        await wait_for(there, (200, 50))
        await change(there, "1/minute")
        await wait_for(here, (429, 1))
        await wait_for(there, (429, 1))
        [key] = get_live(here).get("dashboards").in_force.policy.make_rules()
        assert key.quota == 1


@pytest.mark.redis
async def test_redis_is_not_needed(tmp_path: Path, own_redis: RedisServer) -> None:
    url = create_file(tmp_path)
    async with open_gateways(url, 2, 0.05, redis_url=own_redis.url) as [here, there]:
        own_redis.kill()
        await change(here, "50/minute")
        await wait_for(here, (200, 50))
        await wait_for(there, (200, 50))


@pytest.mark.redis
async def test_a_reset_clears_redis_and_what_each_process_remembers(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    url = create_file(tmp_path)
    async with open_gateways(url, 2, redis_url=redis_server.url) as [here, there]:
        await wait_until(lambda: count_subscribers(redis_server) == 2)
        await change(here, "2/day")
        await wait_for(there, (200, 2))
        await wait_for(here, (200, 2))
        for _ in range(2):
            assert await request(here) == await request(there) == (429, 2)
        live, issuer = get_live(here), here.app.state.settings.issuers[0].issuer
        partition = parse_key(live.get("dashboards").declared, "user:42").make_partition(issuer)
        await live.reset("dashboards", partition, JANE)
        assert await request(here) == (200, 2)
        await wait_for(there, (200, 2))
        assert await request(here) == await request(there) == (429, 2)


@pytest.mark.redis
async def test_a_reset_without_redis_is_in_the_journal_and_clears_here(
    tmp_path: Path, own_redis: RedisServer
) -> None:
    async with open_gateways(create_file(tmp_path), 1, redis_url=own_redis.url) as [gateway]:
        own_redis.kill()
        await change(gateway, "1/day")
        await wait_for(gateway, (429, 1))
        live, issuer = get_live(gateway), gateway.app.state.settings.issuers[0].issuer
        partition = parse_key(live.get("dashboards").declared, "user:42").make_partition(issuer)
        with pytest.raises(RateLimiterUnavailable):
            await live.reset("dashboards", partition, JANE)
        assert await request(gateway) == (200, 1)
        assert (await live.history("dashboards"))[0].key == partition


async def test_a_live_limit_outlives_the_process(tmp_path: Path) -> None:
    url = create_file(tmp_path)
    async with open_gateways(url, 1) as [gateway]:
        await change(gateway, "50/minute")
    async with open_gateways(url, 1) as [gateway]:
        assert await request(gateway) == (200, 50)
        assert get_live(gateway).get("dashboards").author == JANE


async def test_without_a_database_the_policies_are_listed_and_a_change_is_refused(
    no_leaks: None,
) -> None:
    async with open_gateways(None, 1) as [gateway]:
        assert "dashboards" in [view.name for view in get_live(gateway).list()]
        with pytest.raises(NoDatabase):
            await change(gateway, "50/minute")
        assert await request(gateway) == (200, 120)


async def test_nothing_is_left_open(
    no_leaks: None, tmp_path: Path, redis_server: RedisServer
) -> None:
    async with open_gateways(create_file(tmp_path), 1, redis_url=redis_server.url) as [gateway]:
        await change(gateway, "50/minute")
