"""The tests of the modules of `lockgate limits` that have no test of their own name.

Its actions are small, and share a flow.
"""

from collections.abc import Iterator, Mapping, Sequence

_MODULES: Mapping[str, Sequence[str]] = {
    "test_change": ("document", "exit_status", "set", "shadow"),
    "test_limit_arguments": ("actions",),
    "test_ops_client": ("ops_refusal",),
    "test_override": ("override_text",),
    "test_rollback": ("history",),
    "test_show": ("list", "terminal"),
    "test_simulate": ("effect",),
    "test_watch": ("top",),
    "test_who": ("reset",),
}
_SHELLS = ("bash", "fish", "zsh")


def iter_limits_tests() -> Iterator[tuple[str, str]]:
    """Yield each module with the test that covers it; those of the completion too."""
    for test, modules in _MODULES.items():
        for module in modules:
            yield f"gateway/cli/limits/{module}.py", f"tests/gateway/cli/limits/{test}.py"
    for shell in _SHELLS:
        tests = "tests/gateway/cli/completion/test_command_tree.py"
        yield f"gateway/cli/completion/{shell}.py", tests
