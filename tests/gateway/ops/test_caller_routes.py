"""An operator looks one caller up: is it limited, and why? And resets its counts."""

from urllib.parse import quote

import httpx

from gateway.api_keys.api_key import ISSUER as KEY_ISSUER
from gateway.fakes.identity_endpoints import ISSUER
from gateway.ops.ops_scopes import READ, WRITE
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.partition import parse_key
from gateway.settings.schema import Issuer
from tests.gateway.ops.ops_server import POLICIES, OpsServer, make_settings, run_ops

USER_42 = "user:#f5df4045d4d48f0d2649ac786d7deff5"


async def set_override(operator: httpx.AsyncClient, override: dict[str, object]) -> None:
    version = (await operator.get("/limits/dashboards")).headers["etag"]
    body = {"overrides": {"user:42": override}, "reason": "x"}
    changed = await operator.patch("/limits/dashboards", json=body, headers={"If-Match": version})
    assert changed.status_code == 200, changed.text


async def test_a_caller_that_was_never_seen_has_its_whole_quota(
    operator: httpx.AsyncClient,
) -> None:
    found = (await operator.get("/limits/dashboards/callers/user:42")).json()
    assert found == {
        "key": USER_42,
        "caller": "user:42",
        "rules": [
            {
                "label": "dashboards",
                "quota": 120,
                "burst": None,
                "window_seconds": 60,
                "remaining": 120,
                "reset_seconds": 0,
                "retry_after_seconds": 0,
            }
        ],
        "override": None,
        "limited": False,
        "why": "Not limited: 120 of 120 requests in 60 s are left (dashboards).",
    }


async def test_a_limited_caller_is_explained_and_reset(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    assert await ops.send_requests("42", 130) == 120
    found = (await operator.get("/limits/dashboards/callers/user:42")).json()
    assert found["limited"]
    assert found["why"].startswith("Over the limit: 0 of 120 requests in 60 s are left")
    assert 0 < found["rules"][0]["retry_after_seconds"] <= 60
    shown = (await operator.get(f"/limits/dashboards/callers/{quote(USER_42)}")).json()
    assert (shown["limited"], shown["caller"]) == (True, "user:42")
    assert await ops.send_requests("42", 1) == 0, "a look-up charges nothing"
    reset = await operator.delete("/limits/dashboards/callers/user:42", params={"reason": "test"})
    assert reset.status_code == 204
    assert await ops.send_requests("42", 130) == 120
    (entry,) = (await operator.get("/limits/dashboards/history")).json()["entries"]
    assert (entry["action"], entry["key"], entry["reason"]) == ("limit.reset", USER_42, "test")
    assert entry["caller"] == "user:42"
    assert entry["version"] is None


async def test_the_tightest_of_several_rules_is_named(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("shop", 20, "partners", kind="service")
    found = (await operator.get("/limits/partners/callers/service:shop")).json()
    labels = [it["label"] for it in found["rules"]]
    assert labels == ["partners:1s", "partners:60s"]
    assert found["rules"][1]["remaining"] == 95


async def test_what_is_left_of_a_burst_is_not_compared_with_the_rate(
    operator: httpx.AsyncClient,
) -> None:
    """A burst of 15 at 10 in a second."""
    version = (await operator.get("/limits/partners")).headers["etag"]
    change = {"burst": 15, "reason": "x"}
    await operator.patch("/limits/partners", json=change, headers={"If-Match": version})
    found = (await operator.get("/limits/partners/callers/service:shop")).json()
    assert [(it["quota"], it["burst"]) for it in found["rules"]] == [(10, 15), (100, None)]
    assert found["why"] == (
        "Not limited: 15 of a burst of 15 requests, at 10 in 1 s, are left (partners:1s)."
    )


async def test_overrides_are_part_of_the_reason(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await set_override(operator, {"kind": "times", "times": 5, "reason": "migration"})
    found = (await operator.get("/limits/dashboards/callers/user:42")).json()
    assert found["rules"][0]["quota"] == 600
    assert found["why"].endswith("An override is in force: migration.")
    until = "2199-01-01T00:00:00Z"
    await set_override(operator, {"kind": "block", "until": until, "reason": "abuse"})
    found = (await operator.get("/limits/dashboards/callers/user:42")).json()
    assert (found["limited"], found["rules"]) == (True, [])
    assert found["why"] == (
        "An override refuses all requests until 2199-01-01 00:00:00 UTC: abuse."
    )
    assert await ops.send_requests("42", 1) == 0
    await set_override(operator, {"kind": "allow"})
    found = (await operator.get("/limits/dashboards/callers/user:42")).json()
    assert (found["limited"], found["rules"]) == (False, [])
    assert found["why"] == "An override admits all requests."


async def test_a_caller_that_holds_all_its_leases_is_limited(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    path = "/limits/chats/callers/user:42"
    async with ops.hold_leases("42", 2, "chats"):
        found = (await operator.get(path)).json()
        assert found["limited"]
        assert found["why"] == "Over the limit: 0 of 2 requests at one time are left (chats)."
        assert found["rules"][0]["retry_after_seconds"] == 1
    found = (await operator.get(path)).json()
    assert (found["limited"], found["rules"][0]["remaining"]) == (False, 2)


async def test_a_shadow_limits_no_caller(ops: OpsServer, operator: httpx.AsyncClient) -> None:
    await ops.send_requests("192.0.2.7", 601, "pages", kind="address")
    found = (await operator.get("/limits/pages/callers/address:192.0.2.7")).json()
    assert not found["limited"]
    assert found["rules"][0]["remaining"] <= 0
    assert found["why"].endswith("The policy is in shadow: it refuses no request.")


async def test_keys_of_other_kinds_are_refused(operator: httpx.AsyncClient) -> None:
    for policy, key, message in (
        ("dashboards", "42", "must be a kind and a value"),
        ("dashboards", "service:shop", "its keys are user:... or subject:..."),
        ("pages", "user:42", "its keys are address:..."),
        ("pages", "address:home", "does not appear to be an IPv4 or IPv6 address"),
    ):
        refused = await operator.get(f"/limits/{policy}/callers/{key}")
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert (error["in"], error["field"]) == ("path", "key")
        assert message in error["message"]


async def test_the_issuer_must_be_named_if_there_are_several() -> None:
    with make_settings() as made:
        first = made.issuers[0].model_dump() | {"user_claim": "sub"}
        issuers = tuple(Issuer(**{**first, "issuer": name}) for name in (ISSUER, "https://second"))
        settings = made.model_copy(update={"issuers": issuers})
        async with run_ops(settings) as ops:
            headers = {"Authorization": f"Bearer {ops.token(READ, WRITE)}"}
            async with httpx.AsyncClient(
                base_url=ops.url, headers=headers, timeout=120
            ) as operator:
                path = "/limits/dashboards/callers/user:42"
                refused = await operator.get(path)
                assert refused.status_code == 422
                (error,) = refused.json()["errors"]
                assert (error["in"], error["field"]) == ("query", "issuer")
                assert "https://second" in error["message"]
                keys = [
                    (await operator.get(path, params={"issuer": it.issuer})).json()["key"]
                    for it in issuers
                ]
                assert keys[0] == USER_42
                assert keys[1] != USER_42


async def test_the_holder_of_an_api_key_is_found_by_the_issuer_of_the_keys(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    limits: Limits = ops.gateway[Limits]
    policy = POLICIES["partners"]
    holder = parse_key(policy, "service:export").make_partition(KEY_ISSUER)
    assert (await limits.enforce([Demand(policy, holder)])).admitted
    path = "/limits/partners/callers/service:export"
    found = (await operator.get(path, params={"issuer": KEY_ISSUER})).json()
    assert found["key"] == holder
    assert (await operator.get(path)).json()["key"] != holder
    version = (await operator.get("/limits/partners")).headers["etag"]
    block = {"kind": "block", "issuer": KEY_ISSUER}
    body = {"overrides": {"service:export": block}, "reason": "abuse"}
    changed = await operator.patch("/limits/partners", json=body, headers={"If-Match": version})
    assert changed.status_code == 200, changed.text
    assert not (await limits.enforce([Demand(policy, holder)])).admitted


async def test_an_api_key_has_no_user(operator: httpx.AsyncClient) -> None:
    path = "/limits/dashboards/callers/user:export"
    refused = await operator.get(path, params={"issuer": KEY_ISSUER})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "issuer"


async def test_a_user_id_of_32_hexadecimal_digits_is_blocked_by_its_name(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    user = "9f2c" * 8
    version = (await operator.get("/limits/dashboards")).headers["etag"]
    body = {"overrides": {f"user:{user}": {"kind": "block", "reason": "abuse"}}, "reason": "x"}
    changed = await operator.patch("/limits/dashboards", json=body, headers={"If-Match": version})
    assert changed.status_code == 200, changed.text
    assert await ops.send_requests(user, 1) == 0


async def test_a_shown_key_of_another_kind_is_refused(operator: httpx.AsyncClient) -> None:
    key = USER_42.replace("user", "service")
    refused = await operator.get(f"/limits/dashboards/callers/{quote(key)}")
    assert refused.status_code == 422
    assert "does not count" in refused.json()["errors"][0]["message"]


async def test_a_reset_needs_a_printable_reason(operator: httpx.AsyncClient) -> None:
    for query in ("", "?reason=", "?reason=%20", "?reason=%1B[31m", f"?reason={'x' * 1_001}"):
        refused = await operator.delete(f"/limits/dashboards/callers/user:42{query}")
        assert refused.status_code == 422, query
        (error,) = refused.json()["errors"]
        assert (error["in"], error["field"]) == ("query", "reason")
