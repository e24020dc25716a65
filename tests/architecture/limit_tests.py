"""The tests of the modules about rate limits that have no test of their own name."""

from collections.abc import Iterator, Mapping, Sequence

_MODULES: Mapping[str, Sequence[str]] = {
    "tests/gateway/cli/limits/test_change.py": (
        "cli/limits/limit_document",
        "cli/limits/exit_status",
        "cli/limits/set",
        "cli/limits/shadow",
    ),
    "tests/gateway/cli/limits/test_limit_arguments.py": (
        "cli/limits/actions",
        "storage/journal_bounds",
    ),
    "tests/gateway/cli/limits/test_ops_client.py": ("cli/limits/ops_refusal",),
    "tests/gateway/cli/limits/test_override.py": ("cli/limits/override_text",),
    "tests/gateway/cli/limits/test_rollback.py": ("cli/limits/history",),
    "tests/gateway/cli/limits/test_show.py": (
        "cli/limits/list",
        "cli/limits/terminal",
    ),
    "tests/gateway/cli/limits/test_simulate.py": ("cli/limits/effect_text",),
    "tests/gateway/cli/limits/test_watch.py": ("cli/limits/top",),
    "tests/gateway/cli/limits/test_who.py": ("cli/limits/reset",),
    "tests/gateway/cli/test_check.py": ("ratelimit/live/unfit_documents",),
    "tests/gateway/oauth/test_attempt_limit.py": ("ratelimit/require_admission",),
    "tests/gateway/ratelimit/compat/test_slowapi.py": ("ratelimit/compat/slowapi_check",),
    "tests/gateway/ratelimit/compat/test_slowapi_engine.py": ("ratelimit/redis/delete_keys",),
    "tests/gateway/ratelimit/live/test_write_limit.py": (
        "ratelimit/live/limit_history",
        "ratelimit/live/stored_limit",
    ),
    "tests/gateway/ratelimit/live/test_live_document.py": (
        "ratelimit/bounds",
        "ratelimit/live/document_errors",
        "ratelimit/live/rfc3339",
    ),
    "tests/gateway/ratelimit/live/test_live_limits.py": (
        "ratelimit/live/check_change",
        "ratelimit/live/change_errors",
    ),
    "tests/gateway/ratelimit/live/test_live_replica.py": ("ratelimit/live/reset_counts",),
    "tests/gateway/ratelimit/recording/test_export_file.py": (
        "ratelimit/recording/check_segment",
        "ratelimit/recording/file_lines",
        "ratelimit/recording/read_segment",
    ),
    "tests/gateway/ratelimit/recording/test_recorder.py": (
        "ratelimit/recording/events",
        "ratelimit/recording/segment",
    ),
    "tests/gateway/ratelimit/recording/test_timeline.py": ("ratelimit/recording/recording",),
    "tests/gateway/ratelimit/redis/test_leases.py": ("ratelimit/redis/script_call",),
    "tests/gateway/ops/test_simulations.py": (
        "ratelimit/simulation/child",
        "ratelimit/simulation/run_in_child",
        "ratelimit/simulation/task",
    ),
    "tests/gateway/ops/test_gathered_traffic.py": ("ratelimit/recording/merge_files",),
    "tests/gateway/ratelimit/simulation/test_reproduction.py": (
        "ratelimit/simulation/corrections",
    ),
    "tests/gateway/ratelimit/simulation/test_simulate_policies.py": (
        "ratelimit/simulation/baseline",
        "ratelimit/simulation/effect",
        "ratelimit/simulation/lease_durations",
        "ratelimit/simulation/simulated_counts",
    ),
    "tests/gateway/ratelimit/test_memory_limiter.py": (
        "ratelimit/algorithms/limit_state",
        "ratelimit/monotonic_clock",
    ),
    "tests/gateway/ratelimit/test_limited_dependency.py": ("ratelimit/cost",),
    "tests/gateway/ratelimit/test_prefetched_quota.py": ("ratelimit/prefetch_numbers",),
    "tests/gateway/ratelimit/test_policy.py": ("ratelimit/policy_checks",),
    "tests/gateway/ratelimit/test_reserved_dependency.py": ("ratelimit/reservation",),
    "tests/gateway/ratelimit/test_settings_rates.py": ("ratelimit/reserved_policy_names",),
    "tests/gateway/ratelimit/usage/test_count_decisions.py": ("ratelimit/usage/policy_usage",),
    "tests/gateway/tickets/test_redis_store.py": ("ratelimit/redis/commands",),
}


def iter_limit_tests() -> Iterator[tuple[str, str]]:
    """Yield each module with the test that covers it."""
    for test, modules in _MODULES.items():
        for module in modules:
            yield f"gateway/{module}.py", test
