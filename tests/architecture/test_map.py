"""Tests mirror the code: a module of `gateway` is tested by the file of the same name and path.

The two tables below hold the exceptions. An entry that is no longer needed fails the test.
"""

from collections.abc import Collection, Iterator, Mapping

import pytest

from tests.architecture.limit_tests import iter_limit_tests
from tests.architecture.ops_tests import iter_ops_tests
from tests.architecture.sources import ROOT, get_relative_path, list_python_files

# Modules without a test file of their own: module -> the test that covers it, or a reason why it
# needs none.
COVERED_ELSEWHERE: Mapping[str, str] = {
    **dict(iter_ops_tests()),
    **dict(iter_limit_tests()),
    "gateway/cli/ops.py": "tests/e2e/test_ops.py",
    "gateway/settings/ops_section.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/settings/ops_conflicts.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/aggregation/degraded.py": "tests/gateway/aggregation/test_executor.py",
    "gateway/aggregation/dependency.py": "tests/gateway/aggregation/test_executor.py",
    "gateway/allowed_methods.py": "tests/gateway/errors/test_handlers.py",
    "gateway/app_conflicts.py": "tests/gateway/middleware/test_root_path.py",
    "gateway/settings/public_url.py": "tests/gateway/dpop/test_dpop_verifier.py",
    "gateway/dpop/assumed_proof.py": "tests/gateway/cli/test_explain.py",
    "gateway/auth/bound_token.py": "tests/gateway/dpop/test_dpop_verifier.py",
    "gateway/auth/jwt/confirmation.py": "tests/gateway/dpop/test_dpop_verifier.py",
    "gateway/auth/proof_verifier.py": "tests/gateway/dpop/test_dpop_verifier.py",
    "gateway/auth/jwks/key_strength.py": "tests/gateway/auth/jwks/test_jwk.py",
    "gateway/auth/jwt/jws.py": "tests/gateway/auth/test_invalid_tokens.py",
    "gateway/auth/jwt/numeric_date.py": "tests/gateway/auth/test_invalid_tokens.py",
    "gateway/auth/jwt/own_token_rules.py": "tests/gateway/oauth/test_own_token_keys.py",
    "gateway/auth/jwt/ids.py": "tests/gateway/auth/test_verifier.py",
    "gateway/auth/principal.py": "tests/gateway/auth/test_dependencies.py",
    "gateway/cli/__main__.py": "two lines that call gateway.cli.main",
    "gateway/cli/exit_deadline.py": "tests/gateway/cli/test_signals.py",
    "gateway/cli/served_process.py": "tests/gateway/cli/test_health.py",
    "gateway/cli/standard_streams.py": "tests/gateway/cli/test_main.py",
    "gateway/cli/table.py": "tests/gateway/cli/test_signing_keys.py",
    "gateway/cli/gc_tuning.py": "tests/e2e/test_serve.py",
    "gateway/auth/wrong_key.py": "tests/gateway/api_keys/test_address_limit.py",
    "gateway/cli/completion/bash.py": "tests/gateway/cli/completion/test_command_tree.py",
    "gateway/cli/completion/fish.py": "tests/gateway/cli/completion/test_command_tree.py",
    "gateway/cli/completion/zsh.py": "tests/gateway/cli/completion/test_command_tree.py",
    "gateway/cli/demo_database.py": "tests/gateway/cli/test_demo.py",
    "gateway/cli/demo_settings.py": "tests/gateway/cli/test_demo.py",
    "gateway/cli/uvloop_runner.py": "tests/e2e/test_serve.py",
    "gateway/fakes/identity_endpoints.py": "tests/gateway/fakes/test_identity_provider.py",
    "gateway/service_endpoint.py": "tests/gateway/oauth/test_own_token_keys.py",
    "gateway/startup_error.py": "tests/gateway/cli/test_main.py",
    "gateway/cli/subcommand.py": "tests/gateway/cli/test_main.py",
    "gateway/cli/database.py": "tests/gateway/cli/test_db.py",
    "gateway/cli/arguments.py": "tests/gateway/cli/test_keys.py",
    "gateway/access/declared_access.py": "tests/gateway/declaration/test_declared_list.py",
    "gateway/access/value_errors.py": "tests/gateway/access/test_may_exchange.py",
    "gateway/declaration/declaration.py": "tests/gateway/access/test_may_exchange.py",
    "gateway/oauth/exchange_policy.py": "tests/gateway/oauth/test_exchanged_token.py",
    "gateway/oauth/subject_token.py": "tests/gateway/oauth/grants/test_token_exchange.py",
    "gateway/oauth/client.py": "tests/gateway/cli/test_clients.py",
    "gateway/oauth/client_registry.py": "tests/gateway/cli/test_clients.py",
    "gateway/oauth/client_secret.py": "tests/gateway/oauth/test_secret_verifier.py",
    "gateway/oauth/internal_token_verifier.py": (
        "tests/gateway/oauth/test_introspection_endpoint.py"
    ),
    "gateway/oauth/client_authentication.py": "tests/gateway/oauth/test_token_endpoint.py",
    "gateway/oauth/grants/client_credentials.py": "tests/gateway/oauth/test_token_endpoint.py",
    "gateway/oauth/grants/grant.py": "tests/gateway/oauth/test_token_endpoint.py",
    "gateway/oauth/json_response.py": "tests/gateway/oauth/test_token_endpoint.py",
    "gateway/oauth/oauth_endpoint.py": "tests/gateway/oauth/test_token_endpoint.py",
    "gateway/oauth/oauth_errors.py": "tests/gateway/oauth/test_token_endpoint.py",
    "gateway/oauth/oauth_requirements.py": "tests/gateway/oauth/test_open_oauth.py",
    "gateway/oauth/presented_credentials.py": "tests/gateway/oauth/test_token_endpoint.py",
    "gateway/oauth/routes.py": "tests/gateway/oauth/test_token_endpoint.py",
    "gateway/cli/off_features.py": "tests/gateway/cli/test_check.py",
    "gateway/oauth/public_keys.py": "tests/gateway/cli/test_clients.py",
    "gateway/identity/signing_key_provider.py": "tests/gateway/identity/test_internal_tokens.py",
    "gateway/storage/migrations/versions/0004_signing_keys.py": (
        "tests/gateway/storage/test_upgrade.py"
    ),
    "gateway/storage/migrations/versions/0005_clients.py": "tests/gateway/storage/test_upgrade.py",
    "gateway/storage/migrations/versions/0010_used_ids.py": "tests/gateway/storage/test_upgrade.py",
    "gateway/storage/migrations/versions/0011_live_limits.py": (
        "tests/gateway/storage/test_upgrade.py"
    ),
    "gateway/storage/migrations/versions/0012_api_key_claims.py": (
        "tests/gateway/storage/test_upgrade.py"
    ),
    "gateway/replay/open_cache.py": "tests/gateway/replay/test_redis_cache.py",
    "gateway/replay/replay_cache.py": "tests/gateway/replay/test_memory_cache.py",
    "gateway/api_keys/api_key.py": "tests/gateway/cli/test_keys.py",
    "gateway/api_keys/open_keys.py": "tests/gateway/api_keys/test_key_verifier.py",
    "gateway/cli/time_format.py": "tests/gateway/cli/test_keys.py",
    "gateway/storage/timestamps.py": "tests/gateway/cli/test_keys.py",
    "gateway/storage/migrations/versions/0003_api_keys.py": "tests/gateway/storage/test_upgrade.py",
    "gateway/cli/author.py": "tests/gateway/cli/test_revoke.py",
    "gateway/revocation/named_tokens.py": "tests/gateway/cli/test_revoke.py",
    "gateway/revocation/open_revocations.py": "tests/gateway/revocation/test_revocation_replica.py",
    "gateway/revocation/revoke.py": "tests/gateway/cli/test_revoke.py",
    "gateway/storage/migrations/versions/0002_revocations.py": (
        "tests/gateway/storage/test_upgrade.py"
    ),
    "gateway/proxy/revocable_streams.py": "tests/gateway/revocation/test_revocation_replica.py",
    "gateway/settings/client_variables.py": "tests/gateway/settings/test_loader.py",
    "gateway/settings/section.py": "tests/gateway/settings/test_loader.py",
    "gateway/storage/engine.py": "tests/gateway/storage/test_database.py",
    "gateway/storage/locks.py": "tests/gateway/storage/test_journal.py",
    "gateway/storage/migrations/env.py": "tests/gateway/storage/test_upgrade.py",
    "gateway/storage/migrations/versions/0001_journal.py": "tests/gateway/storage/test_upgrade.py",
    "gateway/storage/postgresql_engine.py": "tests/gateway/storage/test_database.py",
    "gateway/storage/psycopg_internals.py": "tests/gateway/storage/test_database.py",
    "gateway/storage/schema_version.py": "tests/gateway/storage/test_upgrade.py",
    "gateway/storage/sqlite_engine.py": "tests/gateway/storage/test_database.py",
    "gateway/storage/tables.py": "tests/gateway/storage/test_upgrade.py",
    "gateway/storage/verify_journal.py": "tests/gateway/storage/test_journal.py",
    "gateway/storage/writing.py": "tests/gateway/storage/test_database.py",
    "gateway/forward_auth/identity.py": "tests/gateway/forward_auth/test_verify_request.py",
    "gateway/forward_auth/verified_routes.py": "tests/gateway/forward_auth/test_verify_request.py",
    "gateway/tickets/open_store.py": "tests/gateway/tickets/test_redis_store.py",
    "gateway/tickets/ticket_routes.py": "tests/gateway/tickets/test_issue_ticket.py",
    "gateway/explanation/access_list.py": "tests/gateway/cli/test_access.py",
    "gateway/explanation/explain_request.py": "tests/gateway/cli/test_explain.py",
    "gateway/explanation/explaining_verifier.py": "tests/gateway/cli/test_explain_tokens.py",
    "gateway/explanation/explanation.py": "tests/gateway/cli/test_explain.py",
    "gateway/explanation/guard_rules.py": "tests/gateway/cli/test_explain.py",
    "gateway/explanation/stored_state.py": "tests/gateway/cli/test_explain_tokens.py",
    "gateway/fakes/child_process.py": "tests/e2e/test_hanging_service.py",
    "gateway/fakes/json_service.py": "tests/gateway/fakes/test_dials.py",
    "gateway/errors/tree.py": "tests/gateway/errors/test_problem_json.py",
    "gateway/head_guard.py": "tests/gateway/routing/test_route_guards.py",
    "gateway/http1_grammar.py": "tests/gateway/transport/test_response_parser.py",
    "gateway/identity/key_document.py": "tests/gateway/identity/test_key_file_rotation.py",
    "gateway/identity/age_rotation.py": "tests/gateway/identity/test_stored_keys.py",
    "gateway/auth/service_restriction.py": "tests/gateway/oauth/test_own_token_keys.py",
    "gateway/identity/signing_key_replica.py": "tests/gateway/identity/test_open_stored_keys.py",
    "gateway/identity/setting_errors.py": "tests/gateway/identity/test_open_identity.py",
    "gateway/identity/signing_key.py": "tests/gateway/identity/test_internal_tokens.py",
    "gateway/identity/temporary_key_file.py": "tests/gateway/identity/test_key_file_rotation.py",
    "gateway/identity/token_claims.py": "tests/gateway/identity/test_internal_tokens.py",
    "gateway/kernel_buffer.py": "tests/gateway/server/test_client_timeouts.py",
    "gateway/lifespan.py": "tests/gateway/test_open_clients.py",
    "gateway/openapi/route_calls.py": "tests/gateway/openapi/test_route_problems.py",
    "gateway/proxy/path/ambiguous_path.py": "tests/gateway/proxy/path/test_target.py",
    "gateway/proxy/fields/cache_control.py": "tests/gateway/proxy/fields/test_response_fields.py",
    "gateway/proxy/fields/connection_options.py": (
        "tests/gateway/proxy/fields/test_request_fields.py"
    ),
    "gateway/proxy/path/path_mapping.py": "tests/gateway/proxy/path/test_target.py",
    "gateway/proxy/fields/removed_request_fields.py": (
        "tests/gateway/proxy/fields/test_identity_fields.py"
    ),
    "gateway/proxy/fields/removed_response_fields.py": (
        "tests/gateway/proxy/fields/test_response_fields.py"
    ),
    "gateway/proxy/fields/request_field_rules.py": (
        "tests/gateway/proxy/fields/test_request_fields.py"
    ),
    "gateway/proxy/fields/response_field_rules.py": (
        "tests/gateway/proxy/fields/test_response_fields.py"
    ),
    "gateway/proxy/declaration/access_errors.py": "tests/gateway/proxy/declaration/test_proxy.py",
    "gateway/proxy/declaration/header_errors.py": "tests/gateway/proxy/declaration/test_proxy.py",
    "gateway/proxy/declaration/path_errors.py": "tests/gateway/proxy/declaration/test_proxy.py",
    "gateway/proxy/declaration/value_errors.py": "tests/gateway/proxy/declaration/test_proxy.py",
    "gateway/proxy/upstream/direct_upstream.py": (
        "tests/gateway/proxy/upstream/test_proxy_upstream.py"
    ),
    "gateway/proxy/endpoint.py": "tests/gateway/proxy/test_forwarding.py",
    "gateway/proxy/upstream/httpx_upstream.py": (
        "tests/gateway/proxy/upstream/test_proxy_upstream.py"
    ),
    "gateway/proxy/upstream/open_upstream.py": (
        "tests/gateway/proxy/upstream/test_proxy_upstream.py"
    ),
    "gateway/proxy/proxied_response.py": "tests/gateway/proxy/test_forwarding.py",
    "gateway/proxy/upstream/request_framing.py": "tests/gateway/proxy/test_forwarding.py",
    "gateway/proxy/websocket/caller_handshake.py": (
        "tests/gateway/proxy/websocket/test_websocket_forwarding.py"
    ),
    "gateway/proxy/websocket/close_frame.py": "tests/gateway/proxy/websocket/test_tunnel.py",
    "gateway/proxy/websocket/origin_check.py": (
        "tests/gateway/proxy/websocket/test_websocket_forwarding.py"
    ),
    "gateway/proxy/websocket/tunnel_side.py": "tests/gateway/proxy/websocket/test_tunnel.py",
    "gateway/request_context.py": "tests/gateway/middleware/test_request_context.py",
    "gateway/resources.py": "tests/gateway/routing/test_dispatcher.py",
    "gateway/routing/options_requests.py": "tests/gateway/routing/test_head_requests.py",
    "gateway/routing/request_headers.py": "tests/gateway/middleware/test_cors.py",
    "gateway/routing/response_endpoint.py": "tests/gateway/routing/test_dispatcher.py",
    "gateway/scaffold/render_code.py": "tests/gateway/scaffold/test_reserved_names.py",
    "gateway/scaffold/existing_project.py": "tests/gateway/cli/test_new.py",
    "gateway/scaffold/template_files.py": "tests/gateway/scaffold/test_project.py",
    "gateway/server/request_parser.py": "tests/gateway/server/test_protocol.py",
    "gateway/server/socket_state.py": "tests/gateway/server/test_client_timeouts.py",
    "gateway/settings/errors.py": "tests/gateway/settings/test_loader.py",
    "gateway/settings/header_types.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/settings/host_names.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/settings/identity_section.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/settings/issuer_conflicts.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/settings/issuer_names.py": "tests/gateway/auth/test_verifier.py",
    "gateway/settings/issuer_types.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/settings/layers.py": "tests/gateway/settings/test_loader.py",
    "gateway/settings/redis_address.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/settings/host_patterns.py": "tests/gateway/middleware/test_allowed_hosts.py",
    "gateway/settings/network_types.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/settings/origins.py": "tests/gateway/middleware/test_cors_policy.py",
    "gateway/settings/rate.py": "tests/gateway/ratelimit/test_policy.py",
    "gateway/settings/url_types.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/testing/contract_cases.py": "tests/gateway/testing/test_contract.py",
    "gateway/testing/script.py": "tests/gateway/testing/test_scripted_service.py",
    "gateway/testing/scripted_endpoint.py": "tests/gateway/testing/test_scripted_service.py",
    "gateway/settings/setting_path.py": "tests/gateway/settings/test_repair.py",
    "gateway/settings/setting_types.py": "tests/gateway/cli/test_wrong_configurations.py",
    "gateway/testing/virtual_time.py": "tests/gateway/aggregation/test_coroutine_parts.py",
    "gateway/transport/base_connection.py": "tests/gateway/transport/test_connection.py",
    "gateway/transport/exchange_handler.py": "tests/gateway/transport/test_exchange.py",
    "gateway/transport/stale_retry.py": "tests/gateway/transport/test_transport.py",
    "gateway/transport/unread_data.py": "tests/gateway/proxy/upstream/test_upload.py",
    "gateway/transport/connection_state.py": "tests/gateway/transport/test_connection.py",
    "gateway/transport/keep_alive_field.py": "tests/gateway/transport/test_pool.py",
    "gateway/transport/raw_response.py": "tests/gateway/upstream/test_sender.py",
    "gateway/upstream/httpx_transport.py": "tests/gateway/transport/test_tls.py",
    "gateway/upstream/tls_settings.py": "tests/gateway/transport/test_tls.py",
}

# Test files that belong to several modules: test file -> what it tests.
CROSS_MODULE_TESTS: Mapping[str, str] = {
    "tests/gateway/ops/test_ops_openapi.py": "the statuses of all routes of the ops app",
    "tests/gateway/ratelimit/algorithms/test_settlement.py": "all algorithms that are settled",
    "tests/gateway/api_keys/test_key_tiers.py": "limits by the claims of API keys",
    "tests/gateway/ops/test_limit_history.py": "versions, read and rolled back by the ops API",
    "tests/gateway/ops/test_ended_limits.py": "what has ended, read and changed by the ops API",
    "tests/gateway/ratelimit/redis/test_leases.py": "leases in Redis and in process alike",
    "tests/gateway/ratelimit/redis/test_settle.py": "settlements in Redis and in process alike",
    "tests/gateway/ratelimit/test_leases_without_redis.py": "leases while Redis fails",
    "tests/gateway/ratelimit/test_leases_of_four_processes.py": "leases under load, on one Redis",
    "tests/gateway/ratelimit/test_release_at_the_end.py": "leases at each end of a request",
    "tests/gateway/ratelimit/test_policies_in_full.py": "all of `Limits`, compared with a model",
    "tests/gateway/cli/test_explain_tokens.py": "explanations of revoked and own tokens, and keys",
    "tests/gateway/aggregation/test_cancellation.py": "composites cancelled at any moment",
    "tests/gateway/aggregation/test_coroutine_parts.py": "parts that are coroutines",
    "tests/gateway/auth/jwks/test_key_refresh.py": "keys that change, end or cannot be fetched",
    "tests/gateway/auth/jwks/test_key_rotation.py": "requests while the signing keys change",
    "tests/gateway/auth/test_identity_providers.py": "tokens of real providers, and their pages",
    "tests/gateway/auth/test_invalid_tokens.py": "invalid tokens against the whole verifier",
    "tests/gateway/auth/test_valid_tokens.py": "valid tokens against the whole verifier",
    "tests/gateway/auth/test_verifier_fuzz.py": "mutated tokens against the whole verifier",
    "tests/gateway/server/test_reset.py": "truncated responses and slow readers on sockets",
    "tests/gateway/dpop/test_bound_requests.py": "bound tokens wherever a caller is verified",
    "tests/gateway/oauth/test_bound_tokens.py": "bound tokens of the token endpoint",
    "tests/gateway/errors/test_client_mistakes.py": "invalid requests through all layers",
    "tests/gateway/errors/test_ways_to_raise.py": "failures of an application through all layers",
    "tests/gateway/cli/test_check_proxied.py": "proxied routes and their settings, by the command",
    "tests/gateway/cli/test_wrong_configurations.py": "every mistake in a configuration",
    "tests/gateway/identity/test_rotation_under_load.py": "rotation in four processes",
    "tests/gateway/oauth/test_authlib_client.py": "Authlib's client against the token endpoint",
    "tests/gateway/proxy/websocket/test_service_tls.py": "WebSockets to a service with TLS",
    "tests/gateway/proxy/websocket/test_tickets.py": "tickets and tokens of WebSockets",
    "tests/gateway/proxy/websocket/test_tunnel_end.py": "how a WebSocket ends",
    "tests/gateway/transport/test_detached_connections.py": "the streams of pool and exchange",
    "tests/gateway/middleware/test_websockets.py": "WebSocket connections through all layers",
    "tests/gateway/proxy/test_attacks.py": "attacks through the whole gateway",
    "tests/gateway/proxy/test_fields_on_sockets.py": "fields through the gateway and nginx",
    "tests/gateway/proxy/test_total_timeout.py": "the total timeout of an exchange",
    "tests/gateway/proxy/test_load.py": "many requests of all kinds at once, and restarts",
    "tests/gateway/proxy/test_hostile_responses.py": "responses of hostile services",
    "tests/gateway/server/test_against_h11.py": "requests compared with uvicorn's h11 protocol",
    "tests/gateway/server/test_disconnect.py": "a client that disconnects during a request",
    "tests/gateway/server/test_end_of_connections.py": "how connections end",
    "tests/gateway/server/test_sockets.py": "the server on real sockets, on asyncio and uvloop",
    "tests/gateway/test_connection_internals.py": "inner names of Starlette's connections",
    "tests/gateway/test_routes.py": "owners, methods and inputs of a composite",
    "tests/gateway/transport/test_transport_bodies.py": "large bodies and backpressure",
    "tests/gateway/transport/test_transport_tls.py": "TLS connections",
    "tests/gateway/upstream/resilience/test_retry_safety.py": "what may be sent twice, and when",
    "tests/gateway/upstream/test_call_lifecycle.py": "a call completes exactly once",
    "tests/gateway/upstream/test_forwarded_headers.py": "hostile header fields of a request",
    "tests/gateway/upstream/test_reference_cycles.py": "failed calls leave no reference cycles",
    "tests/gateway/upstream/test_stream_misuse.py": "streams used in every wrong way",
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


def is_exempt(module: str) -> bool:
    """Whether a module only initializes a package, or belongs to the shop, tested in tests/shop."""
    return module.endswith("/__init__.py") or module.startswith(
        ("gateway/composites/", "gateway/demo/")
    )


def test_every_module_has_its_test_and_every_test_its_module() -> None:
    modules = [get_relative_path(file) for file in list_python_files("gateway")]
    tests = [get_relative_path(file) for file in list_python_files("tests/gateway")]
    gaps = find_gaps(
        [module for module in modules if not is_exempt(module)],
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
