"""A process that spends one shared quota as fast as it can: `python -m ... URL CHECKS`."""

import asyncio
import sys

from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from tests.gateway.ratelimit.charges import charge

QUOTA = 1_000


async def spend(url: str, checks: int) -> int:
    """Send `checks` checks at once, and return how many were admitted."""
    limiter = RedisLimiter(url, timeout=10, retry=1)
    task = asyncio.create_task(limiter.run())
    await limiter.wait_first_attempt()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    verdicts = await asyncio.gather(*(limiter.check([charge(QUOTA)]) for _ in range(checks)))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return sum(verdict.admitted for verdict in verdicts)


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(spend(sys.argv[1], int(sys.argv[2])))}\n")
