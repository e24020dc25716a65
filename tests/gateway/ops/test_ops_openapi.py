"""The OpenAPI document of the ops app has every status that a route responds with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.ops.ops_app import MAX_BODY_BYTES, create_ops_app
from gateway.ops.ops_scopes import READ, WRITE
from gateway.resources import Resources
from gateway.settings.schema import Settings
from tests.gateway.ops.ops_server import OpsServer, make_settings, run_ops

PATHS: Mapping[str, Mapping[str, Any]] = create_ops_app(Settings(), Resources()).openapi()["paths"]
POLICY, CALLER = "/limits/{policy}", "/limits/{policy}/callers/{key}"
CHANGE = {"rate": "10/minute", "reason": "load"}
ROLLBACK = {"version": 0, "reason": "back"}


@dataclass(frozen=True)
class Case:
    """A request, the status that it gets, and the invalid field as `in` and `field`."""

    method: str
    route: str
    status: int
    invalid: tuple[str, str] | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    content: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.status} {self.invalid or ''}"

    async def send(self, client: httpx.AsyncClient) -> httpx.Response:
        """Send the request; its path names a policy and a key that exist, unless `path` says."""
        path = self.route
        for name, value in ({"policy": "dashboards", "key": "user:42"} | dict(self.path)).items():
            path = path.replace(f"{{{name}}}", value)
        headers = {"If-Match": '"0"', "Content-Type": "application/json"} | dict(self.headers)
        return await client.request(
            self.method, path, params=self.query, headers=headers,
            json=self.body if self.content is None else None, content=self.content,
        )  # fmt: skip


def with_body(status: int, *, invalid: tuple[str, str] | None = None, **given: Any) -> list[Case]:
    """Return the case for each route that takes a change."""
    methods = (("PUT", POLICY, CHANGE), ("PATCH", POLICY, CHANGE))
    routes = (*methods, ("POST", f"{POLICY}/rollback", ROLLBACK))
    return [
        Case(method, route, status, invalid, **{"body": body, **given})
        for method, route, body in routes
    ]


OTHER_HOST = {"Host": "evil.example"}
READS = [
    (method, route)
    for route, operations in PATHS.items()
    for method in operations
    if method == "get" and route != "/healthz"
]
CASES = [
    Case("GET", "/healthz", 200, headers=OTHER_HOST),
    *(Case(method.upper(), route, 421, headers=OTHER_HOST) for method, route in READS),
    *(Case(method.upper(), route, 401, headers={"Authorization": ""}) for method, route in READS),
    *(Case("GET", route, 400, path={"policy": "%00"}) for _, route in READS if "{policy}" in route),
    *(Case("GET", route, 404, path={"policy": "no"}) for _, route in READS if "{policy}" in route),
    *with_body(404, path={"policy": "no"}),
    *with_body(400, content=b'{"rate": "1/minute", "rate": "2/minute"}'),
    *with_body(400, content=b'{"version": 1, "version": 2, "reason": "x"}')[2:],
    *with_body(412, headers={"If-Match": '"7"'}),
    *with_body(412, headers={"If-Match": "*"}),
    *with_body(413, content=b"x" * (MAX_BODY_BYTES + 1)),
    *with_body(415, headers={"Content-Encoding": "gzip"}),
    *with_body(422, invalid=("body", "body"), content=b"{"),
    *with_body(422, invalid=("body", "reason"), body={**ROLLBACK, "reason": ""})[2:],
    *with_body(422, invalid=("body", "reason"), body={"rate": "1/minute"})[:2],
    *with_body(422, invalid=("body", "rate"), body={**CHANGE, "rate": "1/fortnight"})[:2],
    *with_body(422, invalid=("body", "limit"), body={"limit": 1, "reason": "x"})[:2],
    *with_body(422, invalid=("body", "until"), body={**CHANGE, "until": "friday"})[:2],
    *with_body(422, invalid=("body", "burst"), body={**CHANGE, "burst": -1})[:2],
    *with_body(422, invalid=("body", "no"), body={**CHANGE, "no": 1})[:2],
    *with_body(
        422,
        invalid=("body", "overrides.service:shop"),
        body={"overrides": {"service:shop": {"kind": "block"}}, "reason": "x"},
    )[:2],
    *with_body(
        422,
        invalid=("body", "overrides.user:42.issuer"),
        body={"overrides": {"user:42": {"kind": "block", "issuer": "no"}}, "reason": "x"},
    )[:2],
    *with_body(
        422,
        invalid=("body", "overrides.user:42.rate"),
        body={"overrides": {"user:42": {"kind": "rate", "rate": "x"}}, "reason": "x"},
    )[:2],
    *with_body(422, invalid=("body", "version"), body={**ROLLBACK, "version": 9})[2:],
    Case("POST", f"{POLICY}/simulate", 400, content=b'{"rate": "1/minute", "rate": "2/minute"}'),
    Case("POST", f"{POLICY}/simulate", 404, path={"policy": "no"}, body={}),
    Case("POST", f"{POLICY}/simulate", 409, body={}),
    Case("POST", f"{POLICY}/simulate", 413, content=b"x" * (MAX_BODY_BYTES + 1)),
    Case("POST", f"{POLICY}/simulate", 415, body={}, headers={"Content-Encoding": "gzip"}),
    Case("POST", f"{POLICY}/simulate", 421, body={}, headers=OTHER_HOST),
    Case("POST", f"{POLICY}/simulate", 422, ("body", "rate"), body={"rate": "x"}),
    Case("GET", f"{POLICY}/history", 422, ("query", "limit"), query={"limit": "0"}),
    Case("GET", f"{POLICY}/history", 422, ("query", "before"), query={"before": "x"}),
    Case("GET", f"{POLICY}/usage", 422, ("query", "seconds"), query={"seconds": "601"}),
    *(
        case
        for method in ("GET", "DELETE")
        for case in (
            Case(method, CALLER, 404, path={"policy": "no"}, query={"reason": "x"}),
            Case(method, CALLER, 421, query={"reason": "x"}, headers=OTHER_HOST),
            Case(method, CALLER, 422, ("path", "key"), {"key": "42"}, {"reason": "x"}),
            Case(method, CALLER, 422, ("path", "key"), {"key": "service:a"}, {"reason": "x"}),
            Case(method, CALLER, 422, ("path", "key"), {"key": "user:%E2%80%AE"}, {"reason": "x"}),
            Case(method, CALLER, 422, ("query", "issuer"), {}, {"reason": "x", "issuer": "no"}),
        )
    ),
    Case("DELETE", CALLER, 422, ("query", "reason")),
    Case("DELETE", CALLER, 204, query={"reason": "x"}),
]
WITHOUT_DATABASE = [
    *with_body(503),
    Case("GET", f"{POLICY}/history", 503),
    Case("DELETE", CALLER, 503, query={"reason": "x"}),
]


def find_undescribed(case: Case, response: httpx.Response) -> str:
    """Return what is wrong with a response; "" if it is as the case and the document say."""
    described = PATHS[case.route][case.method.lower()]["responses"]
    if response.status_code != case.status:
        return f"{response.status_code}: {response.text}"
    if not described.get(str(case.status), {}).get("description"):
        return f"OpenAPI has only {list(described)}"
    errors = response.json()["errors"] if case.invalid else []
    found = {(it["in"], it["field"]) for it in errors}
    return "" if case.invalid is None or case.invalid in found else f"names {found}"


async def find_all_undescribed(ops: OpsServer, cases: list[Case]) -> dict[str, str]:
    """Send the requests of an operator; return what is wrong, by the request."""
    headers = {"Authorization": f"Bearer {ops.token(READ, WRITE)}"}
    async with httpx.AsyncClient(base_url=ops.url, headers=headers, timeout=20) as client:
        found = {str(it): find_undescribed(it, await it.send(client)) for it in cases}
    return {case: fault for case, fault in found.items() if fault}


async def test_each_status_is_described_and_each_invalid_field_is_located(ops: OpsServer) -> None:
    assert await find_all_undescribed(ops, CASES) == {}


async def test_so_is_each_status_without_a_database() -> None:
    with make_settings(has_database=False) as settings:
        async with run_ops(settings) as ops:
            assert await find_all_undescribed(ops, WITHOUT_DATABASE) == {}


def test_what_the_middleware_and_the_access_rule_refuse_is_described_on_each_route() -> None:
    for path, operations in PATHS.items():
        for method, operation in operations.items():
            responses = operation["responses"]
            expected = {"500", "default"}
            if path != "/healthz":
                expected |= {"400", "401", "403", "421", "503"}
            assert expected <= responses.keys(), (method, path)
            assert all(it["description"] for it in responses.values()), (method, path)


def test_errors_of_one_status_are_both_described() -> None:
    delete = PATHS[CALLER]["delete"]["responses"]["503"]
    assert "Limits cannot be changed now" in delete["description"]
    look_up = PATHS[CALLER]["get"]["responses"]["503"]
    assert "counts of a caller" in look_up["description"]
