"""A body that two parsers could read differently changes nothing."""

import httpx
import pytest

BODIES = {
    "member": '{"rate": "1/minute", "rate": "100/minute", "reason": "x"}',
    "reason": '{"rate": "1/minute", "reason": "x", "reason": "y"}',
    "override": '{"reason": "x", "overrides": {"user:1": null, "user:1": {"kind": "block"}}}',
    "nested": '{"reason": "x", "overrides": {"user:1": {"kind": "block", "kind": "allow"}}}',
    "number": '{"reason": "x", "version": 1, "version": 0}',
    "constant": '{"reason": "x", "overrides": {"user:1": {"kind": "times", "times": NaN}}}',
    "digits": '{"reason": "x", "burst": 1' + "0" * 30 + "}",
}
UNREADABLE = {
    b'{"rate": ' + b"[" * 100_000: "The body is nested too deep.",
    b'{"rate": "\xff"}': "The body is not in UTF-8.",
    b'{"rate": ' + b"[" * 40 + b"]" * 40 + b"}": (
        "The body is not one clear JSON object: nested too deep: more than 32 levels."
    ),
}
ROUTES = [
    ("PUT", "/limits/dashboards"),
    ("PATCH", "/limits/dashboards"),
    ("POST", "/limits/dashboards/rollback"),
    ("POST", "/limits/dashboards/simulate"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_an_ambiguous_body_is_refused(
    operator: httpx.AsyncClient, method: str, path: str
) -> None:
    headers = {"If-Match": '"0"', "Content-Type": "application/json"}
    for name, body in BODIES.items():
        refused = await operator.request(method, path, content=body, headers=headers)
        assert refused.status_code == 400, (name, refused.text)
        assert refused.json()["detail"].startswith("The body is not one clear JSON object: ")
    assert (await operator.get("/limits/dashboards")).json()["version"] == 0


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_body_that_cannot_be_read_is_explained(
    operator: httpx.AsyncClient, method: str, path: str
) -> None:
    headers = {"If-Match": '"0"', "Content-Type": "application/json"}
    for body, detail in UNREADABLE.items():
        refused = await operator.request(method, path, content=body, headers=headers)
        assert refused.status_code in {400, 422}
        assert refused.json()["detail"] == detail
    method_of_none = await operator.delete("/limits")
    assert method_of_none.status_code == 405
    assert method_of_none.headers["allow"]


async def test_a_reason_of_spaces_is_refused(operator: httpx.AsyncClient) -> None:
    for reason in ("", "  "):
        body = {"rate": "1/minute", "reason": reason}
        refused = await operator.put("/limits/dashboards", json=body, headers={"If-Match": '"0"'})
        assert refused.status_code == 422
        assert "must have a character that is not a space" in refused.json()["detail"]
