"""`lockgate ops` gathers what several gateway processes count and record, through Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from gateway.ops.open_ops import open_ops, open_ops_alone
from gateway.ops.open_shared_state import open_shared_state
from gateway.ops.ops_scopes import READ, WRITE
from gateway.ratelimit.recording.import_file import import_recordings
from gateway.ratelimit.recording.recorder import Recorder
from gateway.resources import Resources
from gateway.settings.schema import Counters, Settings
from tests.gateway.ops.ops_server import (
    OPS_AUDIENCE,
    POLICIES,
    get_signer,
    make_settings,
    open_gateway,
    send_requests,
)
from tests.gateway.ops.test_process_registry import make_settings as make_channel_settings
from tests.gateway.ops.test_process_registry import publish_heartbeats
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis


@dataclass(frozen=True, slots=True)
class Gathering:
    """A client of the ops app, and the gateway processes that it hears."""

    operator: httpx.AsyncClient
    gateways: Sequence[Resources]

    def list_names(self) -> list[str]:
        return sorted(gateway[Recorder].process for gateway in self.gateways)

    async def wait_until(self, path: str, condition: Callable[[dict[str, object]], bool]) -> None:
        """Wait until the document of a path is as it should be."""
        async with asyncio.timeout(60):
            while not condition((await self.operator.get(path)).json()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@asynccontextmanager
async def gather(settings: Settings, processes: int) -> AsyncIterator[Gathering]:
    """Run gateway processes as far as they count, and an ops app apart from them."""
    async with AsyncExitStack() as stack:
        gateways = list[Resources]()
        for _ in range(processes):
            gateways.append(await stack.enter_async_context(open_gateway(settings)))
            opened = await stack.enter_async_context(open_ops(settings, gateways[-1]))
            assert opened is None, "the ops app runs apart"
        shared = await stack.enter_async_context(open_shared_state(settings, POLICIES))
        server = await stack.enter_async_context(open_ops_alone(settings, shared))
        token = get_signer().issue_token("operator", scopes=[READ, WRITE], audience=OPS_AUDIENCE)
        headers = {"Authorization": f"Bearer {token}"}
        operator = httpx.AsyncClient(base_url=server.url, headers=headers, timeout=120)
        gathering = Gathering(await stack.enter_async_context(operator), gateways)
        names = gathering.list_names() if settings.redis_url else []
        await gathering.wait_until(
            "/usage",
            lambda usage: [it["name"] for it in usage["processes"]] == names,  # type: ignore[attr-defined]
        )
        yield gathering


@asynccontextmanager
async def gather_on(redis: RedisServer, processes: int) -> AsyncIterator[Gathering]:
    """Do the same with a Redis, and without a database."""
    with make_settings(has_database=False) as made:
        counters = Counters(processes=4, key_prefix="staging:", timeout_ms=1_000)
        settings = made.model_copy(update={"redis_url": redis.url, "counters": counters})
        async with gather(settings, processes) as gathering:
            yield gathering


def is_counted(usage: dict[str, object]) -> bool:
    """Return whether the rates are those of 120 requests that were allowed, and 40 refused."""
    rates = usage["policies"]["dashboards"]  # type: ignore[index]
    return bool(rates["allowed"] == 12 and rates["refused"] == 4)


async def test_usage_and_recordings_of_all_processes_are_added_up(
    redis_server: RedisServer,
) -> None:
    async with gather_on(redis_server, 4) as gathering:
        sent = [send_requests(gateway, "42", 40) for gateway in gathering.gateways]
        assert sum(await asyncio.gather(*sent)) == 120
        # First of all, as the rates are those of the last ten seconds.
        await gathering.wait_until("/usage", is_counted)
        usage = (await gathering.operator.get("/limits/dashboards/usage?seconds=60")).json()
        assert [sum(usage[it]) for it in ("allowed", "refused")] == [120, 40]
        (top,) = usage["top_keys"]
        assert (top["caller"], top["allowed"], top["refused"]) == ("user:42", 120, 40)

        await asyncio.sleep(1.1)  # what may have been in flight in another process is left out
        body = {"rate": "60/minute"}
        found = await gathering.operator.post("/limits/dashboards/simulate", json=body)
        assert found.status_code == 200, found.text
        result = found.json()
        assert result["covers"]["processes"] == gathering.list_names()
        assert (result["effect"]["requests"], result["effect"]["newly_refused"]) == (160, 60)
        assert result["keys"][0]["caller"] == "user:42"

        recordings = import_recordings((await gathering.operator.get("/recording")).content)
        assert sorted(it.process for it in recordings) == gathering.list_names()
        assert sum(map(len, recordings)) == 160

        caller = (await gathering.operator.get("/limits/dashboards/callers/user:42")).json()
        assert caller["limited"]

        status = (await gathering.operator.get("/status")).json()
        assert status["recording"]["requests"] == 160
        assert status["services"] == [{"name": "orders", "state": "unused"}]
        assert status["redis"]["redis"] == "up"


async def test_traffic_is_unknown_while_no_process_replies(redis_server: RedisServer) -> None:
    silent = publish_heartbeats(make_channel_settings(redis_server), "silent")
    async with gather_on(redis_server, 0) as gathering, silent:
        await gathering.wait_until("/usage", lambda it: len(it["processes"]) == 1)  # type: ignore[arg-type]
        usage = (await gathering.operator.get("/limits/dashboards/usage?seconds=5")).json()
        assert usage["fault"] == "no gateway process replies"
        assert usage["allowed"] == [0] * 5


async def test_a_process_that_does_not_reply_is_named_in_the_answer(
    redis_server: RedisServer,
) -> None:
    silent = publish_heartbeats(make_channel_settings(redis_server), "silent")
    async with gather_on(redis_server, 1) as gathering, silent:
        await send_requests(gathering.gateways[0], "42", 10)
        await gathering.wait_until("/usage", lambda it: len(it["processes"]) == 2)  # type: ignore[arg-type]
        await asyncio.sleep(1.1)  # as above
        body = {"rate": "5/minute"}
        found = (await gathering.operator.post("/limits/dashboards/simulate", json=body)).json()
        assert found["effect"]["newly_refused"] == 5
        assert found["covers"]["left_out"] == {"all requests of silent, which has not replied": 0}


async def test_while_redis_is_down_the_ops_app_says_so(own_redis: RedisServer) -> None:
    async with gather_on(own_redis, 1) as gathering:
        operator = gathering.operator
        own_redis.kill()
        await gathering.wait_until("/status", lambda it: it["redis"]["redis"] == "down")  # type: ignore[index]
        assert (await operator.get("/limits")).status_code == 200
        caller = await operator.get("/limits/dashboards/callers/user:42")
        assert caller.status_code == 503
        assert caller.json()["detail"] == "Redis, which has the counts, does not respond."
        unheard = "the traffic of the gateway processes cannot be read: Redis does not respond ("
        await gathering.wait_until("/usage", lambda it: it["fault"] is not None)
        simulated = await operator.post("/limits/dashboards/simulate", json={})
        assert (simulated.status_code, simulated.json()["detail"][: len(unheard)]) == (409, unheard)
        usage = await operator.get("/limits/dashboards/usage?seconds=5")
        assert usage.json()["fault"].startswith(unheard)
        recording = await operator.get("/recording")
        assert recording.status_code == 503
        assert unheard in recording.json()["detail"]
        own_redis.start()
        names = gathering.list_names()
        await gathering.wait_until("/status", lambda it: it["redis"]["redis"] == "up")  # type: ignore[index]
        await gathering.wait_until(
            "/usage",
            lambda it: [one["name"] for one in it["processes"]] == names,  # type: ignore[attr-defined]
        )


async def test_without_redis_limits_are_shown_and_no_traffic_is_known() -> None:
    with make_settings() as made:
        settings = made.model_copy(update={"counters": Counters(processes=2)})
        async with gather(settings, 2) as gathering:
            operator = gathering.operator
            assert (await operator.get("/usage")).json()["processes"] == []
            changed = await operator.patch(
                "/limits/dashboards",
                json={"rate": "1/minute", "reason": "test"},
                headers={"If-Match": '"0"'},
            )
            assert changed.status_code == 200
            caller = await operator.get("/limits/dashboards/callers/user:42")
            assert caller.status_code == 503
            assert "without redis_url" in caller.json()["detail"]
            simulated = await operator.post("/limits/dashboards/simulate", json={})
            assert simulated.status_code == 409
            assert "that needs `redis_url`" in simulated.json()["detail"]
            redis = (await operator.get("/status")).json()["redis"]
            assert redis == {"status": "unknown", "counters": "in the memory of each process"}
