"""The ends of live values and overrides: a change neither reads nor keeps ended ones."""

from typing import Any

import httpx
import pytest

from tests.gateway.ops.ops_server import OpsServer

USER_7 = "user:#" + "7" * 32
USER_42 = "user:#f5df4045d4d48f0d2649ac786d7deff5"

Document = dict[str, Any]

LASTING: Document = {USER_7: {"kind": "block", "reason": "abuse"}}
ENDED: Document = {
    "rate": "60/minute",
    "shadow": True,
    "until": "2001-01-01T00:00:00Z",
    "overrides": {
        USER_42: {"kind": "block", "reason": "", "until": "2001-01-01T00:00:00Z"},
        **LASTING,
    },
}


async def change(
    operator: httpx.AsyncClient, fields: Document, *, version: int, method: str = "PATCH"
) -> httpx.Response:
    body, headers = {"reason": "load", **fields}, {"If-Match": f'"{version}"'}
    return await operator.request(method, "/limits/dashboards", json=body, headers=headers)


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({"rate": "90/minute"}, {"rate": "90/minute"}),
        ({"shadow": False}, {"shadow": False}),
        ({"rate": "9/second", "until": "2199-01-01T00:00:00Z"}, None),
        ({"overrides": {"user:42": None}}, {}),
    ],
)
async def test_what_has_ended_is_dropped_before_a_patch_is_merged(
    ops: OpsServer, operator: httpx.AsyncClient, fields: Document, values: Document | None
) -> None:
    await ops.store_document(ENDED, "dashboards")
    changed = await change(operator, fields, version=1)
    assert changed.status_code == 200, changed.text
    live = changed.json()["live"]
    assert live.pop("overrides") == LASTING
    assert live == (fields if values is None else values)


async def test_what_has_ended_is_not_read_so_that_a_form_can_send_the_rest_back(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.store_document(ENDED, "dashboards")
    limit = (await operator.get("/limits/dashboards")).json()
    assert limit["live"] == {"overrides": LASTING}
    assert (limit["source"], [it["key"] for it in limit["overrides"]]) == ("code", [USER_7])
    sent = await change(operator, {**limit["live"], "rate": "9/minute"}, version=1, method="PUT")
    assert sent.json()["live"] == {**limit["live"], "rate": "9/minute"}
    history = (await operator.get("/limits/dashboards/history")).json()
    assert history["entries"][1]["to"] == ENDED


async def test_a_patch_leaves_the_end_that_there_is(operator: httpx.AsyncClient) -> None:
    end = {"until": "2199-01-01T00:00:00Z"}
    await change(operator, {"rate": "60/minute", **end}, version=0)
    merged = await change(operator, {"shadow": True}, version=1)
    assert merged.json()["live"] == {"rate": "60/minute", "shadow": True, **end}
    endless = await change(operator, {"until": None}, version=2)
    assert endless.json()["live"] == {"rate": "60/minute", "shadow": True}
