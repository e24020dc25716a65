"""Operators read the history of a limit, and roll back to an earlier version."""

import httpx

from gateway.ops.ops_scopes import READ, WRITE
from tests.gateway.ops.limit_changes import change, get_rate
from tests.gateway.ops.ops_server import OpsServer


async def test_the_history_says_who_changed_what_when_and_why(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await change(operator, {"rate": "60/minute", "reason": "too slow"}, version=0)
    token = ops.token(READ, WRITE, subject="second")
    headers = {"Authorization": f"Bearer {token}", "If-Match": '"1"'}
    body = {"version": 0, "reason": "it was a try"}
    rolled = await operator.post("/limits/dashboards/rollback", json=body, headers=headers)
    assert rolled.status_code == 200
    assert rolled.headers["etag"] == '"2"'
    assert get_rate(ops) == "120/minute"
    latest, first = (await operator.get("/limits/dashboards/history")).json()["entries"]
    assert latest.pop("at") >= first.pop("at")
    assert first == {
        "seq": 1,
        "version": 1,
        "by": "operator (https://identity.demo.invalid)",
        "action": "limit.change",
        "reason": "too slow",
        "from": None,
        "to": {"rate": "60/minute"},
        "key": None,
        "caller": None,
    }
    assert latest["action"] == "limit.rollback"
    assert latest["by"].startswith("second ")
    assert (latest["from"], latest["to"]) == ({"rate": "60/minute"}, None)
    before = {"before": latest["seq"], "limit": 1}
    page = await operator.get("/limits/dashboards/history", params=before)
    assert [it["seq"] for it in page.json()["entries"]] == [1]
    assert (await operator.get("/limits/pages/history")).json() == {"entries": []}


async def test_a_rollback_names_a_version_that_never_was(operator: httpx.AsyncClient) -> None:
    body = {"version": 7, "reason": "back"}
    headers = {"If-Match": '"0"'}
    refused = await operator.post("/limits/dashboards/rollback", json=body, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "version"


async def test_a_rollback_restores_a_document_byte_for_byte(operator: httpx.AsyncClient) -> None:
    document = {"rate": "1/second, 9/minute", "shadow": True, "until": "2199-01-01T00:00:00Z"}
    first = await change(operator, document, version=0)
    await change(operator, {"rate": "2/second"}, version=1, method="PUT")
    rolled = await operator.post(
        "/limits/dashboards/rollback",
        json={"version": 1, "reason": "back"},
        headers={"If-Match": '"2"'},
    )
    assert rolled.json()["live"] == first.json()["live"]
    assert rolled.json()["version"] == 3
