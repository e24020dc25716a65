"""The tests of the modules of `gateway/ops` that have no test of their own name.

They are parts of one app, which is tested by its routes.
"""

from collections.abc import Iterator, Mapping, Sequence

_MODULES: Mapping[str, Sequence[str]] = {
    "test_ops_app": ("health_route", "operator_tokens", "ops_scopes", "security_headers"),
    "test_limit_routes": (
        "build_document",
        "limit_description",
        "limit_store",
        "models",
        "ops_errors",
        "preconditions",
    ),
    "test_caller_routes": ("caller_keys", "caller_lookup"),
    "test_traffic_routes": ("status_route", "traffic", "usage_reports"),
    "test_process_registry": ("process_channel", "process_publisher", "redis_exchanges"),
    "test_gathered_traffic": ("open_shared_state", "open_ops"),
}


def iter_ops_tests() -> Iterator[tuple[str, str]]:
    """Yield each module with the test that covers it."""
    for test, modules in _MODULES.items():
        for module in modules:
            yield f"gateway/ops/{module}.py", f"tests/gateway/ops/{test}.py"
