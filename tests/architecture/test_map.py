"""Tests mirror the code: a module of `gateway` is tested by the file of the same name and path.

The two tables below hold the exceptions. An entry that is no longer needed fails the test.
"""

from collections.abc import Collection, Iterator, Mapping

import pytest

from tests.architecture.sources import ROOT, get_relative_path, list_python_files

# Modules without a test file of their own: module -> the test that covers it, or a reason why it
# needs none.
COVERED_ELSEWHERE: Mapping[str, str] = {
    "gateway/aggregation/dependency.py": "tests/gateway/routing/test_dispatcher.py",
    "gateway/aggregation/part.py": "tests/gateway/aggregation/test_model.py",
    "gateway/aggregation/timeout_groups.py": "tests/gateway/aggregation/test_compose.py",
    "gateway/app.py": "tests/gateway/test_routes.py",
    "gateway/auth/authorization.py": "tests/gateway/auth/test_dependencies.py",
    "gateway/auth/bearer.py": "tests/gateway/auth/test_dependencies.py",
    "gateway/auth/clock.py": "tests/gateway/auth/test_verifier.py",
    "gateway/auth/jwt/claims.py": "tests/gateway/auth/test_hostile_tokens.py",
    "gateway/auth/jwt/jws.py": "tests/gateway/auth/test_hostile_tokens.py",
    "gateway/auth/jwt/signatures.py": "tests/gateway/auth/test_hostile_tokens.py",
    "gateway/auth/principal.py": "tests/gateway/auth/test_dependencies.py",
    "gateway/auth/route_access.py": "tests/gateway/auth/test_dependencies.py",
    "gateway/cli/__main__.py": "two lines that call gateway.cli.main",
    "gateway/cli/check.py": "tests/gateway/cli/test_main.py",
    "gateway/cli/demo.py": "tests/e2e/test_demo.py",
    "gateway/cli/gc_tuning.py": "tests/e2e/test_serve.py",
    "gateway/cli/serve.py": "tests/e2e/test_serve.py",
    "gateway/cli/subcommand.py": "tests/gateway/cli/test_main.py",
    "gateway/cli/token.py": "tests/gateway/cli/test_main.py",
    "gateway/composites/dashboard.py": "tests/gateway/composites/test_dashboard_outcomes.py",
    "gateway/composites/storefront.py": "tests/gateway/test_routes.py",
    "gateway/demo/child_process.py": "tests/e2e/test_demo.py",
    "gateway/demo/fault_call.py": "tests/gateway/demo/test_faults.py",
    "gateway/demo/history.py": "tests/gateway/demo/test_orders.py",
    "gateway/demo/people.py": "tests/gateway/demo/test_users.py",
    "gateway/demo/places.py": "tests/gateway/demo/test_users.py",
    "gateway/demo/request_counts.py": "tests/gateway/demo/test_dials.py",
    "gateway/demo/service.py": "tests/gateway/demo/test_services.py",
    "gateway/demo/shop.py": "tests/gateway/demo/test_catalog.py",
    "gateway/demo/timestamps.py": "tests/gateway/demo/test_orders.py",
    "gateway/demo/uvicorn_protocol.py": "tests/gateway/demo/test_faults.py",
    "gateway/errors/tree.py": "tests/gateway/errors/test_problem_json.py",
    "gateway/http1_grammar.py": "tests/gateway/transport/test_response_parser.py",
    "gateway/lifespan.py": "tests/gateway/test_routes.py",
    "gateway/ratelimit/algorithms/limit_state.py": (
        "tests/gateway/ratelimit/algorithms/test_sliding_window.py"
    ),
    "gateway/ratelimit/compat/slowapi_rules.py": "tests/gateway/ratelimit/compat/test_slowapi.py",
    "gateway/ratelimit/limiter.py": "tests/gateway/ratelimit/test_memory.py",
    "gateway/ratelimit/policy.py": "tests/gateway/ratelimit/test_policies.py",
    "gateway/ratelimit/redis/connection.py": "tests/gateway/ratelimit/redis/test_redis_limiter.py",
    "gateway/request_context.py": "tests/gateway/middleware/test_access_log.py",
    "gateway/resources.py": "tests/gateway/routing/test_dispatcher.py",
    "gateway/routing/compiled_route.py": "tests/gateway/routing/test_dispatcher.py",
    "gateway/routing/dependency_calls.py": "tests/gateway/routing/test_dispatcher.py",
    "gateway/routing/parameters.py": "tests/gateway/routing/test_dispatcher.py",
    "gateway/routing/route_table.py": "tests/gateway/routing/test_dispatcher.py",
    "gateway/server/flow_control.py": "tests/gateway/server/test_protocol.py",
    "gateway/server/idle_timeout.py": "tests/gateway/server/test_protocol.py",
    "gateway/server/request_cycle.py": "tests/gateway/server/test_connections.py",
    "gateway/server/request_target.py": "tests/gateway/server/test_requests.py",
    "gateway/services.py": "tests/gateway/test_routes.py",
    "gateway/settings/app_package.py": "tests/gateway/test_application.py",
    "gateway/settings/errors.py": "tests/gateway/settings/test_loader.py",
    "gateway/settings/rate.py": "tests/gateway/ratelimit/test_policies.py",
    "gateway/settings/schema.py": "tests/gateway/settings/test_loader.py",
    "gateway/telemetry/event.py": "tests/gateway/middleware/test_access_log.py",
    "gateway/telemetry/log_format.py": "tests/gateway/telemetry/test_log.py",
    "gateway/telemetry/log_writer.py": "tests/gateway/telemetry/test_log.py",
    "gateway/testing/gateway.py": "tests/gateway/test_routes.py",
    "gateway/testing/scripted_service.py": ("tests/gateway/composites/test_dashboard_outcomes.py"),
    "gateway/testing/virtual_time.py": "tests/gateway/aggregation/test_compose.py",
    "gateway/transport/connection.py": "tests/gateway/transport/test_transport_connections.py",
    "gateway/transport/origin.py": "tests/gateway/transport/test_transport_connections.py",
    "gateway/transport/raw_response.py": "tests/gateway/upstream/test_direct_sender.py",
    "gateway/transport/request_writer.py": "tests/gateway/transport/test_transport_bodies.py",
    "gateway/transport/transport.py": "tests/gateway/transport/test_transport_responses.py",
    "gateway/transport/waiter.py": "tests/gateway/transport/test_transport_responses.py",
    "gateway/upstream/base_url.py": "tests/gateway/upstream/test_call.py",
    "gateway/upstream/call_executor.py": "tests/gateway/upstream/test_client.py",
    "gateway/upstream/decoding.py": "tests/gateway/upstream/test_model.py",
    "gateway/upstream/error_mapping.py": "tests/gateway/upstream/test_client.py",
    "gateway/upstream/errors.py": "tests/gateway/upstream/test_client.py",
    "gateway/upstream/headers.py": "tests/gateway/upstream/test_client.py",
    "gateway/upstream/httpx_sender.py": "tests/gateway/upstream/test_client.py",
    "gateway/upstream/propagation.py": "tests/gateway/upstream/test_client.py",
    "gateway/upstream/verbs.py": "tests/gateway/upstream/test_client.py",
}

# Test files that belong to several modules: test file -> what it tests.
CROSS_MODULE_TESTS: Mapping[str, str] = {
    "tests/gateway/auth/jwks/test_rotation.py": "requests while the signing keys change",
    "tests/gateway/auth/test_fuzz.py": "mutated tokens against the whole verifier",
    "tests/gateway/auth/test_good_tokens.py": "valid tokens against the whole verifier",
    "tests/gateway/auth/test_hostile_tokens.py": "forged tokens against the whole verifier",
    "tests/gateway/composites/test_dashboard_outcomes.py": "all combinations of failing services",
    "tests/gateway/server/test_against_h11.py": "requests compared with uvicorn's h11 protocol",
    "tests/gateway/server/test_connections.py": "connections from open to close",
    "tests/gateway/server/test_disconnect.py": "a client that disconnects during a request",
    "tests/gateway/server/test_requests.py": "valid and invalid requests",
    "tests/gateway/server/test_sockets.py": "the server on real sockets",
    "tests/gateway/test_routes.py": "authentication and authorization of every route",
    "tests/gateway/transport/test_transport_bodies.py": "request and response bodies",
    "tests/gateway/transport/test_transport_connections.py": "connection reuse, limits and retries",
    "tests/gateway/transport/test_transport_responses.py": "responses and timeouts",
    "tests/gateway/transport/test_transport_tls.py": "TLS connections",
}


def find_gaps(
    modules: Collection[str],
    tests: Collection[str],
    covered_elsewhere: Mapping[str, str],
    cross_module_tests: Mapping[str, str],
) -> list[str]:
    """Return a message for each module or test file without a counterpart or a current entry."""
    own_tests = {module: get_test_path(module) for module in modules}
    gaps = [
        f"{module}: add {own_test}, or name its test in COVERED_ELSEWHERE"
        for module, own_test in own_tests.items()
        if own_test not in tests and module not in covered_elsewhere
    ]
    gaps += [
        f"{test}: rename it after a module, or list it in CROSS_MODULE_TESTS"
        for test in set(tests) - set(own_tests.values()) - set(cross_module_tests)
    ]
    gaps += _find_stale_modules(own_tests, tests, covered_elsewhere)
    gaps += _find_stale_tests(own_tests, tests, cross_module_tests)
    return sorted(gaps)


def _find_stale_modules(
    own_tests: Mapping[str, str], tests: Collection[str], covered_elsewhere: Mapping[str, str]
) -> Iterator[str]:
    for module, covered_by in covered_elsewhere.items():
        if module not in own_tests:
            yield f"COVERED_ELSEWHERE: {module} does not exist"
        elif own_tests[module] in tests:
            yield f"COVERED_ELSEWHERE: {module} has a test file of its own"
        elif covered_by.startswith("tests/") and not (ROOT / covered_by).is_file():
            yield f"COVERED_ELSEWHERE: {covered_by}, for {module}, does not exist"


def _find_stale_tests(
    own_tests: Mapping[str, str], tests: Collection[str], cross_module_tests: Mapping[str, str]
) -> Iterator[str]:
    for test in cross_module_tests:
        if test not in tests:
            yield f"CROSS_MODULE_TESTS: {test} does not exist"
        elif test in own_tests.values():
            yield f"CROSS_MODULE_TESTS: {test} belongs to one module"


def get_test_path(module: str) -> str:
    """Return the path of the test file that mirrors a module."""
    folder, _, name = module.rpartition("/")
    return f"tests/{folder}/test_{name}"


def test_every_module_has_its_test_and_every_test_its_module() -> None:
    modules = [get_relative_path(file) for file in list_python_files("gateway")]
    tests = [get_relative_path(file) for file in list_python_files("tests/gateway")]
    gaps = find_gaps(
        [module for module in modules if not module.endswith("/__init__.py")],
        [test for test in tests if test.rpartition("/")[2].startswith("test_")],
        COVERED_ELSEWHERE,
        CROSS_MODULE_TESTS,
    )
    assert not gaps, "\n".join(gaps)


EXISTING_TEST = "tests/architecture/test_map.py"


@pytest.mark.parametrize(
    ("modules", "tests", "covered_elsewhere", "cross_module_tests", "gap"),
    [
        (["gateway/a/b.py"], [], {}, {}, "add tests/gateway/a/test_b.py"),
        ([], ["tests/gateway/a/test_b.py"], {}, {}, "rename it after a module"),
        ([], [], {"gateway/a.py": "a reason"}, {}, "gateway/a.py does not exist"),
        (
            ["gateway/a.py"],
            ["tests/gateway/test_a.py"],
            {"gateway/a.py": "a reason"},
            {},
            "has a test file of its own",
        ),
        (["gateway/a.py"], [], {"gateway/a.py": "tests/no.py"}, {}, "tests/no.py, for"),
        ([], [], {}, {"tests/gateway/test_a.py": "x"}, "test_a.py does not exist"),
        (
            ["gateway/a.py"],
            ["tests/gateway/test_a.py"],
            {},
            {"tests/gateway/test_a.py": "x"},
            "belongs to one module",
        ),
    ],
)
def test_a_gap_or_a_stale_entry_is_found(
    modules: list[str],
    tests: list[str],
    covered_elsewhere: dict[str, str],
    cross_module_tests: dict[str, str],
    gap: str,
) -> None:
    (found,) = find_gaps(modules, tests, covered_elsewhere, cross_module_tests)
    assert gap in found


def test_mirrored_files_and_current_entries_are_no_gaps() -> None:
    assert not find_gaps(
        ["gateway/a.py", "gateway/b.py", "gateway/c.py"],
        ["tests/gateway/test_a.py", "tests/gateway/test_all.py"],
        {"gateway/b.py": EXISTING_TEST, "gateway/c.py": "a reason"},
        {"tests/gateway/test_all.py": "a, b and c"},
    )
