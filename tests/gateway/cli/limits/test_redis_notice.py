"""While Redis is down, no limit is what it says: `list` and each change warn of it."""

import pytest

from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import OpsUnreachable
from gateway.ops.models import OpsStatus
from tests.gateway.cli.limits.conftest import Ops

SET = ("set", "dashboards", "60/minute", "--reason", "slow", "--yes")


@pytest.mark.parametrize("arguments", [("list",), SET])
def test_limits_that_are_not_shared_are_announced(ops: Ops, arguments: tuple[str, ...]) -> None:
    assert ops.run(*arguments)[2] == ""
    read_status = OpsClient.read_status

    def lose_redis(client: OpsClient) -> OpsStatus:
        lost: dict[str, str | int] = {"status": "degraded", "redis": "down"}
        return read_status(client).model_copy(update={"redis": lost})

    ops.monkeypatch.setattr(OpsClient, "read_status", lose_redis)
    status, _, errors = ops.run(*arguments)
    assert status == 0
    assert errors.startswith("lockgate: Redis is down: until it counts again, each gateway process")


def test_a_status_that_cannot_be_read_stops_no_change(ops: Ops) -> None:
    def fail(_: OpsClient) -> OpsStatus:
        raise OpsUnreachable("no response")

    ops.monkeypatch.setattr(OpsClient, "read_status", fail)
    status, _, errors = ops.run(*SET)
    assert (status, errors) == (0, "")
