"""What docs/how-to/when-redis-is-down.md shows is what happens, on a real Redis."""

import asyncio
import json
import re
from collections.abc import Callable

import pytest
from pydantic import RedisDsn

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.open_limiter import RETRIES_IN_NEW_EPOCH, open_limiter
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.redis.count_restorer import BATCH_KEYS
from gateway.settings.schema import Counters, Settings
from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT
from tests.gateway.ratelimit.charges import charge
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

PAGE = ROOT / "docs/how-to/when-redis-is-down.md"
PROSE = " ".join(PAGE.read_text().split())
BLOCKS = {block.language: block.text for block in parse_blocks(PAGE)}
COMMANDS = [line.split() for line in BLOCKS["redis"].splitlines()]
PATIENCE = 30.0
DEFAULT = Counters()

POLICIES = (
    RateLimit("dashboards", "9/minute"),
    RateLimit("storefront", "9/minute"),
    RateLimit("chat", "9/minute", without_redis="deny"),
)

# The fault in a row of the table -> the commands that cause it and that end it.
FAULTS = {
    "it is full": (COMMANDS[0], COMMANDS[1]),
    "it is a replica now": (COMMANDS[2], COMMANDS[3]),
    "it was emptied": (COMMANDS[4], ["PING"]),
}


def settings(url: str) -> Settings:
    """Settings that reconnect often, so that the tests are short, and that show each state."""
    return Settings(redis_url=RedisDsn(url), counters=Counters(retry_ms=200, timeout_ms=1_000))


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true. It sees every state that lasts until the next event."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)


async def decide(limiter: RateLimiter, without_redis: str) -> str | None:
    """Return the fallback in use for a policy, or `refused`."""
    try:
        verdict = await limiter.check([charge(9, name="any", without_redis=without_redis)])
    except RateLimiterUnavailable:
        return "refused"
    return verdict.degraded


async def test_readiness_names_the_policies(own_redis: RedisServer) -> None:
    async with open_limiter(settings(own_redis.url), POLICIES) as limiter:
        await wait_until(lambda: limiter.health()["status"] == "ok")
        own_redis.kill()
        await wait_until(lambda: limiter.health()["redis"] == "down")
        assert [await decide(limiter, kind) for kind in ("local", "deny")] == ["local", "refused"]
        assert limiter.health() == json.loads(BLOCKS["json"])


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_seen_and_ends(own_redis: RedisServer, fault: str) -> None:
    cause, repair = FAULTS[fault]
    [expected] = re.findall(rf"^\| {fault}.*?\| `(\w+)`", PAGE.read_text(), re.MULTILINE)
    reasons: set[str] = set()

    def is_seen() -> bool:
        health = limiter.health()
        reasons.update({str(health.get("reason")), str(health["redis"])})
        return expected in reasons and (fault != "it was emptied" or "restoring" in reasons)

    async with open_limiter(settings(own_redis.url), POLICIES) as limiter:
        await wait_until(lambda: limiter.health()["status"] == "ok")
        assert own_redis.command(*cause) == "+OK"
        await wait_until(is_seen)
        own_redis.command(*repair)
        await wait_until(lambda: limiter.health()["status"] == "ok")
        assert await decide(limiter, "deny") is None


def test_the_numbers_are_those_of_the_code() -> None:
    seconds = RETRIES_IN_NEW_EPOCH * DEFAULT.retry_ms / 1_000
    assert f"`counters.timeout_ms` ({DEFAULT.timeout_ms} ms)" in PROSE
    assert f"`counters.retry_ms` ({DEFAULT.retry_ms} ms)" in PROSE
    assert f"`counters.local_keys` ({DEFAULT.local_keys:,})" in PROSE
    assert f"batches of {BATCH_KEYS} keys" in PROSE
    assert seconds == 2
    assert RETRIES_IN_NEW_EPOCH == 4
    assert "two seconds (four times `counters.retry_ms`)" in PROSE
