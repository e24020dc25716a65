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
