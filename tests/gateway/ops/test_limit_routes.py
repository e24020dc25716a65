"""Operators read and change limits: versions, conflicts, faults with their field, history."""

import asyncio
from typing import Any

import httpx

from gateway.ops.ops_scopes import READ, WRITE
from gateway.ratelimit.limits import Limits
from gateway.ratelimit.live.write_limit import change_limit
from gateway.ratelimit.policy import RateLimit
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage
from tests.gateway.ops.ops_server import POLICIES, OpsServer, make_settings, run_ops

USER_42 = "user:#f5df4045d4d48f0d2649ac786d7deff5"

Document = dict[str, Any]

# The fields of a change, the field at fault, and a part of the message.
WRONG_CHANGES: list[tuple[Document, str, str]] = [
    ({"rate": "often"}, "rate", "'often' is not a rate"),
    ({"rate": 5}, "rate", "valid string"),
    ({"limit": 5}, "limit", "is no value of a rate limit"),
    ({"burst": -1}, "burst", "at least 0"),
    ({"shadow": "false"}, "shadow", "valid boolean"),
    ({"until": "friday", "rate": "1/minute"}, "until", "RFC 3339"),
    ({"until": "2001-01-01T00:00:00Z", "rate": "1/minute"}, "until", "has passed"),
    ({"rat": "1/minute"}, "rat", "not permitted"),
    ({"tiers": {"pro": "1/minute"}}, "tiers", "has no tiers"),
    ({"overrides": {"user:42": {"kind": "times"}}}, "overrides.user:42.times", "needs times"),
    ({"overrides": {"user:42": {"kind": "all"}}}, "overrides.user:42.kind", "block"),
    ({"overrides": {"42": {"kind": "block"}}}, "overrides.42", "a kind and a value"),
    (
        {"overrides": {"address:192.0.2.7": {"kind": "block"}}},
        "overrides.address:192.0.2.7",
        "its keys are user:... or subject:...",
    ),
    (
        {"overrides": {"user:42": {"kind": "block", "issuer": "https://other"}}},
        "overrides.user:42.issuer",
        "https://identity.demo.invalid",
    ),
    (
        {"overrides": {"user:9": {"kind": "block", "caller": "\x1b[31m\u202e"}}},
        "overrides.user:9.caller",
        "printable",
    ),
    (
        {"overrides": {"user:9": {"kind": "block", "reason": "\x1b]0;x\x07"}}},
        "overrides.user:9.reason",
        "printable",
    ),
    ({"overrides": {"user:a\nb": {"kind": "block"}}}, "overrides.user:a\nb", "printable"),
    (
        {"overrides": {"user:77": {"kind": "block", "caller": "user:ADMIN"}}},
        "overrides.user:77.caller",
        "is not the caller of this key",
    ),
    (
        {"overrides": {USER_42: {"kind": "block", "caller": "user:ADMIN"}}},
        f"overrides.{USER_42}.caller",
        "is not the caller of this key",
    ),
    (
        {"overrides": {"user:42": {"kind": "block"}, USER_42: {"kind": "allow"}}},
        f"overrides.{USER_42}",
        "the same caller as user:42",
    ),
    ({"reason": ""}, "reason", "at least 1 character"),
    ({"reason": "   "}, "reason", "pattern"),
    ({"reason": "a\x1b[31m"}, "reason", "printable"),
]


async def change(
    operator: httpx.AsyncClient,
    fields: Document,
    *,
    version: int,
    method: str = "PATCH",
    policy: str = "dashboards",
) -> httpx.Response:
    return await operator.request(
        method,
        f"/limits/{policy}",
        json={"reason": "load", **fields},
        headers={"If-Match": f'"{version}"'},
    )


def get_rate(ops: OpsServer, policy: str = "dashboards") -> str:
    """Return the rate by which the gateway counts now."""
    limits: Limits = ops.gateway[Limits]
    in_force = limits.policies.get(POLICIES[policy]).policy
    assert isinstance(in_force, RateLimit)
    return ", ".join(map(str, in_force.rates))


async def test_policies_are_listed_as_they_are_declared(operator: httpx.AsyncClient) -> None:
    listed = (await operator.get("/limits")).json()["limits"]
    assert [it["name"] for it in listed] == ["dashboards", "partners", "pages", "chats"]
    partners = listed[1]
    values: Document = {
        "rate": "10/second, 100/minute",
        "limit": None,
        "burst": 5,
        "shadow": False,
        "per": "service",
        "tiers": {},
        "tier_claim": None,
        "without_redis": "local",
        "prefetch": None,
        "cost": 1,
    }
    assert partners == {
        "name": "partners",
        "kind": "rate",
        "version": 0,
        "source": "code",
        "in_force": values,
        "declared": values,
        "settings": None,
        "live": None,
        "changed": None,
        "overrides": [],
        "fault": None,
    }


async def test_a_concurrency_limit_has_a_limit_instead_of_a_rate(
    operator: httpx.AsyncClient,
) -> None:
    chats = (await operator.get("/limits/chats")).json()
    assert (chats["kind"], chats["declared"]["limit"], chats["declared"]["rate"]) == (
        "concurrency",
        2,
        None,
    )
    changed = await change(operator, {"limit": 5}, version=0, policy="chats")
    assert changed.json()["in_force"]["limit"] == 5
    refused = await change(operator, {"rate": "1/minute"}, version=1, policy="chats")
    assert refused.json()["errors"][0]["field"] == "rate"


async def test_a_change_is_in_force_at_once_and_has_a_new_version(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    before = await operator.get("/limits/dashboards")
    assert before.headers["etag"] == '"0"'
    changed = await change(operator, {"rate": "60/minute"}, version=0)
    assert changed.status_code == 200
    assert changed.headers["etag"] == '"1"'
    assert get_rate(ops) == "60/minute"
    limit = changed.json()
    assert limit == (await operator.get("/limits/dashboards")).json()
    assert limit["source"] == "live"
    assert limit["in_force"]["rate"] == "60/minute"
    assert limit["declared"]["rate"] == "120/minute"
    assert limit["live"] == {"rate": "60/minute"}
    assert limit["changed"]["by"] == "operator (https://identity.demo.invalid)"
    assert limit["changed"]["reason"] == "load"


async def test_a_put_replaces_all_fields_but_the_overrides(operator: httpx.AsyncClient) -> None:
    override = {"kind": "times", "times": 5, "reason": "migration"}
    await change(operator, {"rate": "60/minute", "overrides": {"user:42": override}}, version=0)
    replaced = await change(operator, {"shadow": True}, version=1, method="PUT")
    assert replaced.json()["live"] == {
        "shadow": True,
        "overrides": {
            USER_42: {"kind": "times", "times": 5, "caller": "user:42", "reason": "migration"}
        },
    }
    emptied = await change(operator, {"overrides": {}}, version=2, method="PUT")
    assert emptied.json()["live"] is None
    assert emptied.json()["source"] == "code"


async def test_a_patch_merges_and_null_removes(operator: httpx.AsyncClient) -> None:
    first = {"rate": "60/minute", "overrides": {"user:42": {"kind": "block", "reason": "abuse"}}}
    await change(operator, first, version=0)
    merged = await change(operator, {"shadow": True}, version=1)
    assert merged.json()["live"]["rate"] == "60/minute"
    replaced = await change(
        operator, {"rate": None, "overrides": {USER_42: {"kind": "allow"}}}, version=2
    )
    live = replaced.json()["live"]
    assert "rate" not in live
    assert live["overrides"][USER_42]["kind"] == "allow"
    removed = await change(operator, {"shadow": None, "overrides": {"user:42": None}}, version=3)
    assert removed.json()["live"] is None


async def test_a_document_can_be_sent_back_as_it_was_read(operator: httpx.AsyncClient) -> None:
    override = {"kind": "times", "times": 5, "until": "2199-01-01T00:00:00Z"}
    first = await change(operator, {"overrides": {"user:42": override}}, version=0)
    again = await change(operator, first.json()["live"], version=1, method="PUT")
    assert again.json() == first.json()
    assert again.json()["overrides"] == [
        {
            "key": USER_42,
            "caller": "user:42",
            "kind": "times",
            "rate": None,
            "limit": None,
            "times": 5,
            "until": "2199-01-01T00:00:00Z",
            "reason": "",
        }
    ]


async def test_a_change_that_differs_in_nothing_writes_nothing(
    operator: httpx.AsyncClient,
) -> None:
    first = await change(operator, {"rate": "60/minute"}, version=0)
    same: list[tuple[str, str, Document]] = [
        ("PATCH", "", {"rate": " 60/1minute"}),
        ("PATCH", "", {}),
        ("PUT", "", {"rate": "60/minute"}),
        ("POST", "/rollback", {"version": 1}),
    ]
    for method, path, fields in same:
        url, body = f"/limits/dashboards{path}", {**fields, "reason": "the same again"}
        again = await operator.request(method, url, json=body, headers={"If-Match": '"1"'})
        assert (again.status_code, again.headers["etag"]) == (200, '"1"'), again.text
        assert again.json() == first.json()
        stale = await operator.request(method, url, json=body, headers={"If-Match": '"0"'})
        assert stale.status_code == 412
    history = (await operator.get("/limits/dashboards/history")).json()["entries"]
    assert [it["reason"] for it in history] == ["load"]


async def test_a_change_needs_the_version_that_it_is_based_on(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    body = {"rate": "1/minute", "reason": "load"}
    without = await operator.patch("/limits/dashboards", json=body)
    assert without.status_code == 428
    assert without.json()["type"] == "urn:lockgate:problem:precondition-required"
    for tag in ('"1"', "*", "0", 'W/"0"', '"0", "1"', '"00"'):
        stale = await operator.put("/limits/dashboards", json=body, headers={"If-Match": tag})
        assert stale.status_code == 412, tag
        assert stale.json()["type"] == "urn:lockgate:problem:precondition-failed"
    assert get_rate(ops) == "120/minute"


async def test_two_lines_of_if_match_are_one_list(operator: httpx.AsyncClient) -> None:
    for tags in (['"0"', '"42"'], ['"42"', '"0"'], ['"0"', '"0"']):
        headers = [("If-Match", tag) for tag in tags]
        body = {"rate": "1/minute", "reason": "load"}
        refused = await operator.patch("/limits/dashboards", json=body, headers=headers)
        assert refused.status_code == 412, tags
    assert (await operator.get("/limits/dashboards")).json()["version"] == 0


async def test_a_number_that_no_database_has_is_refused(operator: httpx.AsyncClient) -> None:
    for number in (2**53, 2**63, 10**19, -1):
        history = await operator.get("/limits/dashboards/history", params={"before": number})
        body = {"version": number, "reason": "back"}
        headers = {"If-Match": '"0"'}
        rolled = await operator.post("/limits/dashboards/rollback", json=body, headers=headers)
        assert (history.status_code, rolled.status_code) == (422, 422), number
    last = await operator.get("/limits/dashboards/history", params={"before": 2**53 - 1})
    assert last.json() == {"entries": []}


async def test_of_two_operators_at_once_one_is_told_of_the_other(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    for round_ in range(10):
        version = 2 * round_
        one, other = await asyncio.gather(
            change(operator, {"rate": f"{60 + round_}/minute"}, version=version),
            change(operator, {"rate": f"{90 + round_}/minute"}, version=version, method="PUT"),
        )
        won, lost = (one, other) if one.is_success else (other, one)
        assert (won.status_code, lost.status_code) == (200, 412)
        assert lost.json()["current_version"] == version + 1
        assert get_rate(ops) == won.json()["in_force"]["rate"]
        again = await change(operator, {"rate": "50/minute"}, version=version + 1)
        assert again.status_code == 200


async def test_a_wrong_change_names_the_field_and_leaves_the_policy(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    for fields, field, message in WRONG_CHANGES:
        refused = await change(operator, fields, version=0)
        assert refused.status_code == 422, refused.text
        problem = refused.json()
        assert problem["type"] == "urn:lockgate:problem:invalid-request"
        (error,) = problem["errors"]
        assert (error["in"], error["field"]) == ("body", field)
        assert message in error["message"]
    assert get_rate(ops) == "120/minute"
    assert (await operator.get("/limits/dashboards")).json()["version"] == 0


async def test_too_many_overrides_are_refused(operator: httpx.AsyncClient) -> None:
    many = {f"user:{number}": {"kind": "block"} for number in range(501)}
    refused = await change(operator, {"overrides": many}, version=0)
    assert refused.status_code == 422
    most = dict(list(many.items())[:500])
    assert (await change(operator, {"overrides": most}, version=0)).status_code == 200
    one_more = await change(operator, {"overrides": {"user:600": {"kind": "block"}}}, version=1)
    assert one_more.status_code == 422


async def test_a_document_that_is_too_large_names_its_overrides(
    operator: httpx.AsyncClient,
) -> None:
    long = {f"user:{number}": {"kind": "block", "reason": "x" * 999} for number in range(150)}
    refused = await change(operator, {"overrides": long}, version=0)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["field"] == "overrides"
    assert "may have 131072" in error["message"]


async def test_an_unknown_policy_is_named_with_the_nearest(operator: httpx.AsyncClient) -> None:
    for response in (
        await operator.get("/limits/dashbords"),
        await change(operator, {"rate": "1/minute"}, version=0, policy="dashbords"),
        await operator.get("/limits/dashbords/history"),
        await operator.get("/limits/dashbords/usage"),
        await operator.get("/limits/dashbords/callers/user:42"),
        await operator.post("/limits/dashbords/simulate", json={}),
    ):
        assert response.status_code == 404
        assert "did you mean dashboards?" in response.json()["detail"]


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


async def test_a_document_of_a_policy_that_is_gone_is_listed(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    storage: Storage = ops.gateway[Storage]
    author = Author("jane")
    await storage.database.write(lambda it: change_limit(it, "gone", '{"burst":3}', 0, author))
    await storage.feed.refresh()
    (unused,) = (await operator.get("/limits")).json()["unused"]
    assert (unused["name"], unused["version"]) == ("gone", 1)
    assert "no such policy" in unused["fault"]


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


async def test_without_a_database_limits_are_read_and_changes_refused_with_the_reason() -> None:
    with make_settings(has_database=False) as settings:
        async with run_ops(settings) as ops:
            headers = {"Authorization": f"Bearer {ops.token(READ, WRITE)}"}
            async with httpx.AsyncClient(
                base_url=ops.url, headers=headers, timeout=120
            ) as operator:
                assert (await operator.get("/limits/dashboards")).status_code == 200
                for response in (
                    await change(operator, {"rate": "1/minute"}, version=0),
                    await operator.get("/limits/dashboards/history"),
                    await operator.delete("/limits/dashboards/callers/user:42?reason=x"),
                ):
                    assert response.status_code == 503
                    assert "set database_url" in response.json()["detail"]
