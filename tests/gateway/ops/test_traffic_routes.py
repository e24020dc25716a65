"""The traffic as an operator sees it: usage, simulations, the recording, the state of all."""

import gzip
import json
import time

import httpx

from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.recording.import_file import import_recordings
from tests.gateway.ops.ops_server import POLICIES, OpsServer


async def test_usage_counts_what_was_allowed_and_refused_and_by_whom(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("42", 130)
    await ops.send_requests("7", 3)
    await ops.send_requests("192.0.2.7", 603, "pages", kind="address")
    usage = (await operator.get("/limits/dashboards/usage", params={"seconds": 60})).json()
    assert abs(usage["from"] - (time.time() - 59)) < 30
    assert [len(usage[it]) for it in ("allowed", "refused", "shadow_refused")] == [60, 60, 60]
    assert [sum(usage[it]) for it in ("allowed", "refused", "shadow_refused")] == [123, 10, 0]
    top = [(it["caller"], it["allowed"], it["refused"]) for it in usage["top_keys"]]
    assert top == [("user:42", 120, 10), ("user:7", 3, 0)]
    shadow = (await operator.get("/limits/pages/usage")).json()
    assert [sum(shadow[it]) for it in ("allowed", "refused", "shadow_refused")] == [603, 0, 3]
    assert [it["caller"] for it in shadow["top_keys"]] == ["address:192.0.2.7"]
    for seconds in ("0", "601", "x"):
        refused = await operator.get("/limits/pages/usage", params={"seconds": seconds})
        assert refused.status_code == 422


async def test_the_usage_of_now_has_all_policies(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    now = (await operator.get("/usage")).json()
    idle = {"allowed": 0, "refused": 0, "shadow_refused": 0}
    assert now["policies"] == dict.fromkeys(POLICIES, idle)
    assert [it["last_seen_seconds"] for it in now["processes"]] == [0]


async def test_a_simulation_says_what_a_lower_limit_would_have_refused(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("42", 90)
    await ops.send_requests("7", 10)
    proposal = {"rate": "60/minute"}
    found = await operator.post("/limits/dashboards/simulate", json=proposal)
    assert found.status_code == 200, found.text
    result = found.json()
    assert result["reproduced"]
    assert result["effect"] == {
        "requests": 100,
        "newly_refused": 30,
        "newly_admitted": 0,
        "refused_before": 0,
        "refused_after": 30,
        "shadow_refused": 0,
    }
    assert [(it["caller"], it["newly_refused"]) for it in result["keys"]] == [
        ("user:42", 30),
        ("user:7", 0),
    ]
    assert (result["covers"]["requests"], result["covers"]["keys"]) == (100, 2)
    assert result["covers"]["left_out"] == {}
    assert not result["restarts_counts"]
    limits = (await operator.get("/limits/dashboards")).json()
    assert (limits["version"], limits["live"]) == (0, None)
    exempt = {**proposal, "overrides": {"user:42": {"kind": "allow"}}}
    result = (await operator.post("/limits/dashboards/simulate", json=exempt)).json()
    assert result["effect"]["newly_refused"] == 0
    in_shadow = {**proposal, "shadow": True}
    result = (await operator.post("/limits/dashboards/simulate", json=in_shadow)).json()
    assert (result["effect"]["newly_refused"], result["effect"]["shadow_refused"]) == (0, 30)
    other_window = {"rate": "3600/hour"}
    result = (await operator.post("/limits/dashboards/simulate", json=other_window)).json()
    assert result["restarts_counts"]


async def test_a_simulation_without_traffic_says_why_there_is_no_answer(
    operator: httpx.AsyncClient,
) -> None:
    refused = await operator.post("/limits/dashboards/simulate", json={"rate": "60/minute"})
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["type"] == "urn:lockgate:problem:cannot-simulate"
    assert "no request has been recorded yet" in problem["detail"]


async def test_a_wrong_proposal_names_the_field(operator: httpx.AsyncClient) -> None:
    for proposal, field in (
        ({"rate": "often"}, "rate"),
        ({"limit": 3}, "limit"),
        ({"reason": "x"}, "reason"),
        ({"overrides": {"user:42": {"kind": "times"}}}, "overrides.user:42.times"),
    ):
        refused = await operator.post("/limits/dashboards/simulate", json=proposal)
        assert refused.status_code == 422
        assert [it["field"] for it in refused.json()["errors"]] == [field]


async def test_the_recording_is_a_file_without_names(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("visible-name", 5)
    response = await operator.get("/recording")
    assert response.headers["content-type"] == "application/gzip"
    (recording,) = import_recordings(response.content)
    assert len(recording) == 5
    text = gzip.decompress(response.content)
    assert json.loads(text.splitlines()[0])["format"] == "lockgate-recording"
    assert b"visible-name" not in text


async def test_the_status_names_each_part(ops: OpsServer, operator: httpx.AsyncClient) -> None:
    await ops.send_requests("42", 5)
    status = (await operator.get("/status")).json()
    assert status["redis"]["counters"] == "embedded"
    assert status["database"]["status"] == "ok"
    assert status["providers"] == [{"issuer": "https://identity.demo.invalid", "state": "ok"}]
    assert status["services"] == [{"name": "orders", "state": "unused"}]
    (process,) = status["processes"]
    assert status["recording"]["processes"] == [process["name"]]
    assert (status["recording"]["requests"], status["recording"]["keys"]) == (5, None)


async def test_a_request_under_two_policies_is_one_request_of_one_caller(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    demands = [Demand(POLICIES[it], "user:9f", None) for it in ("dashboards", "pages")]
    await ops.gateway[Limits].enforce(demands)
    status = (await operator.get("/status")).json()
    assert status["recording"]["requests"] == 1
    found = await operator.post("/limits/dashboards/simulate", json={"rate": "1/minute"})
    covers = found.json()["covers"]
    assert (covers["requests"], covers["keys"]) == (1, 1)
