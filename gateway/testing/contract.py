"""The contract of every application: tests of all its routes, composites and API documents."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, ClassVar

import httpx

from gateway.auth.dependencies import BEARER_SCHEME, DPOP_SCHEME
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings
from gateway.testing.contract_cases import (
    FAILURES,
    CompositeCase,
    ContractRoute,
    list_composite_cases,
    list_routes,
)
from gateway.testing.example_request import build_example
from gateway.testing.gateway import BOUND, TestGateway, lockgate
from gateway.testing.virtual_time import run_in_virtual_time

_USER = "42"
_MALFORMED = b"{"
_GRACE = 0.05  # seconds that a response may take beyond the budget of its composite


class ApplicationContract:
    """Tests that pytest runs for every route and composite of a package, however many there are.

        class TestContract(ApplicationContract):
            package = "acme"

    `package` replaces `app.package`; None leaves it to the settings. Requests are sent with the
    examples that parameters declare, as in `Path(examples=["ACC-6008"])`; a number or a plain
    string needs none. `bodies` has a JSON body for each route that needs one, such as
    `{"POST /search": {"text": "tea"}}`.

    Redis is not used. Composites are tested in virtual time while their services fail.
    """

    package: ClassVar[str | None] = None
    bodies: ClassVar[Mapping[str, object]] = {}

    def pytest_generate_tests(self, metafunc: Any) -> None:  # noqa: ANN401 - pytest's own type
        """Parametrize the tests with the routes and composites of the package."""
        settings = self._load_settings()
        routes = list_routes(settings)
        cases: dict[str, Callable[[], Iterable[object]]] = {
            "documented": lambda: [route for route in routes if route.operation],
            "guarded": lambda: [route for route in routes if route.access],
            "scoped": lambda: [route for route in routes if route.access and route.access.scopes],
            "owned": lambda: [route for route in routes if route.access and route.access.owner],
            "composite": lambda: [
                route for route in routes if route.summary.composites and route.has_fakes
            ],
            "case": lambda: list_composite_cases(routes),
        }
        for name in set(cases) & set(metafunc.fixturenames):
            metafunc.parametrize(name, list(cases[name]()), ids=str)

    def test_a_request_without_a_token_is_refused(self, guarded: ContractRoute) -> None:
        """A route that requires scopes responds with 401, and calls no service."""

        async def check(gateway: TestGateway) -> None:
            response = await self._send(gateway, guarded, user=None, is_refused=True)
            assert response.status_code == 401, response.text
            assert "www-authenticate" in response.headers
            _assert_no_calls(gateway)

        self._run(check)

    def test_a_malformed_body_without_a_token_is_refused(self, guarded: ContractRoute) -> None:
        """A route that requires scopes responds with 401 before it reads a body."""

        async def check(gateway: TestGateway) -> None:
            example = build_example(guarded, _USER, {}, is_refused=True)
            response = await gateway.request(
                guarded.summary.method,
                example.path,
                params=example.query,
                headers={**example.headers, "Content-Type": guarded.body_type},
                content=_MALFORMED,
            )
            assert response.status_code == 401, response.text

        self._run(check)

    def test_a_token_without_the_scope_is_refused(self, scoped: ContractRoute) -> None:
        """A route that requires scopes responds with 403 to a token without them."""

        async def check(gateway: TestGateway) -> None:
            response = await self._send(gateway, scoped, scopes=["another:scope"], is_refused=True)
            assert response.status_code == 403, response.text
            _assert_no_calls(gateway)

        self._run(check)

    def test_the_token_of_another_user_is_refused(self, owned: ContractRoute) -> None:
        """A route with an owner responds with 403 to a valid token of another user."""

        async def check(gateway: TestGateway) -> None:
            response = await self._send(gateway, owned, user=f"{_USER}0", is_refused=True)
            assert response.status_code == 403, response.text
            _assert_no_calls(gateway)

        self._run(check)

    def test_a_composite_is_complete_when_all_services_respond(
        self, composite: ContractRoute
    ) -> None:
        """A composite whose services have fakes responds with 200 and all parts."""

        async def check(gateway: TestGateway) -> None:
            response = await self._send(gateway, composite)
            assert response.status_code == 200, response.text
            assert response.json()["degraded"] == [], response.text

        self._run(check)

    def test_a_composite_survives_a_failing_service(self, case: CompositeCase) -> None:
        """A composite responds with 200 or with a documented problem, within its budget."""

        async def check(gateway: TestGateway) -> None:
            loop = asyncio.get_running_loop()
            FAILURES[case.failure](gateway.service(case.service))
            started_at = loop.time()
            response = await self._send(gateway, case.route)
            assert response.status_code != 500, response.text
            assert case.route.is_documented(response.status_code), response.text
            assert loop.time() - started_at <= case.route.budget + _GRACE
            if response.status_code != 200:
                assert response.headers["content-type"] == "application/problem+json"

        self._run(check, run_in_virtual_time)

    def test_a_route_is_documented(self, documented: ContractRoute) -> None:
        """A route in the OpenAPI document has a description, a response and its scopes."""
        operation = documented.operation or {}
        assert operation.get("description"), f"{documented}: add a docstring"
        assert operation["operationId"]
        assert any(status.startswith(("2", "3")) for status in operation["responses"])
        listed = {
            scope
            for entry in operation.get("security", ())
            for scheme in (BEARER_SCHEME, DPOP_SCHEME)
            for scope in entry.get(scheme, ())
        }
        assert listed == set(documented.access.scopes if documented.access else ())

    def _load_settings(self) -> Settings:
        return load_settings(package=self.package).model_copy(
            update={"redis_url": None, "database_url": None}
        )

    def _run(
        self,
        check: Callable[[TestGateway], Coroutine[Any, Any, None]],
        run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
    ) -> None:
        async def open_and_check() -> None:
            async with lockgate(self._load_settings()) as gateway:
                await check(gateway)

        run(open_and_check())

    async def _send(
        self,
        gateway: TestGateway,
        route: ContractRoute,
        *,
        user: str | None = _USER,
        scopes: Iterable[str] | None = None,
        is_refused: bool = False,
    ) -> httpx.Response:
        """Send the example request of a route; `user` None sends no token."""
        example = build_example(route, _USER, self.bodies, is_refused=is_refused)
        declared = route.access.scopes if route.access else ()
        return await gateway.request(
            route.summary.method,
            example.path,
            user=user,
            claims=BOUND if user and route.access and route.access.dpop else None,
            scopes=list(declared if scopes is None else scopes),
            params=example.query,
            headers=example.headers,
            json=example.body,
        )


def _assert_no_calls(gateway: TestGateway) -> None:
    called = [name for name, service in gateway.services.items() if service.requests]
    assert not called, f"the refused request called {', '.join(called)}"
