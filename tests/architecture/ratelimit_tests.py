"""The tests of the modules of `gateway/ratelimit` that have no test of their own name."""

from collections.abc import Mapping

# Below gateway/ratelimit -> below tests/gateway.
_TESTS: Mapping[str, str] = {
    "compat/slowapi_check.py": "ratelimit/compat/test_slowapi.py",
    "cost.py": "ratelimit/test_dependency.py",
    "lease_numbers.py": "ratelimit/test_leased_quota.py",
    "limiter.py": "ratelimit/test_memory.py",
    "live/check_change.py": "ratelimit/live/test_live_limits.py",
    "live/document_errors.py": "ratelimit/live/test_live_document.py",
    "live/errors.py": "ratelimit/live/test_live_limits.py",
    "live/limit_history.py": "ratelimit/live/test_limit_table.py",
    "live/reset_counts.py": "ratelimit/live/test_live_replica.py",
    "live/rfc3339.py": "ratelimit/live/test_live_document.py",
    "live/unfit_documents.py": "cli/test_check.py",
    "policy_checks.py": "ratelimit/test_policy.py",
    "recording/events.py": "ratelimit/recording/test_recorder.py",
    "recording/import_file.py": "ratelimit/recording/test_export.py",
    "recording/read_segment.py": "ratelimit/recording/test_export.py",
    "recording/recording.py": "ratelimit/recording/test_timeline.py",
    "recording/segment.py": "ratelimit/recording/test_recorder.py",
    "redis/commands.py": "tickets/test_redis_store.py",
    "redis/delete_keys.py": "ratelimit/compat/test_slowapi_engine.py",
    "redis/script_call.py": "ratelimit/redis/test_leases.py",
    "require_admission.py": "oauth/test_attempt_limit.py",
    "reservation.py": "ratelimit/test_reserved.py",
    "simulation/corrections.py": "ratelimit/simulation/test_reproduction.py",
    "simulation/effect.py": "ratelimit/simulation/test_simulate.py",
    "simulation/lease_durations.py": "ratelimit/simulation/test_simulate.py",
    "simulation/simulated_counts.py": "ratelimit/simulation/test_simulate.py",
    "usage/policy_usage.py": "ratelimit/usage/test_usage.py",
}

RATE_LIMIT_TESTS: Mapping[str, str] = {
    f"gateway/ratelimit/{module}": f"tests/gateway/{test}" for module, test in _TESTS.items()
}
