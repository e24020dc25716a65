"""The words of errors: secrets stay hidden, and none of the words are pydantic's."""

import pytest

from gateway.settings.error_messages import show_example, show_value


@pytest.mark.parametrize(
    "path",
    [
        "redis_url",
        "database_url",
        "upstreams.users",
        "upstreams.users.url",
        "upstreams.users.headers",
        "upstreams.users.headers.x-api-key",
        "upstreams.users.headers.timeout",
        "upstreams.users.anything_new",
        "issuers.0",
        "issuers.0.jwks_url",
        "issuers.0.client_secret",
    ],
)
@pytest.mark.parametrize("value", ["hunter2", 47114711, True])
def test_a_value_is_hidden_unless_its_setting_is_listed(path: str, value: object) -> None:
    assert show_value(tuple(path.split(".")), value) == ""


@pytest.mark.parametrize(
    ("path", "value", "hint"),
    [
        ("server.port", "eighty", "got 'eighty'"),
        ("server.trusted_proxies.0", "10.0.0.1/8", "got '10.0.0.1/8'"),
        ("upstreams.users.timeout", -1, "got -1"),
        ("issuers.0.algorithms.0", "HS256", "got 'HS256'"),
        ("issuers.0.user_claim", 7, "got 7"),
        ("log.level", "x" * 61, ""),
        ("server.host", ["a", "list"], ""),
    ],
)
def test_a_value_of_a_listed_setting_is_shown_if_it_is_short(
    path: str, value: object, hint: str
) -> None:
    assert show_value(tuple(path.split(".")), value) == hint


def test_a_boolean_is_shown_as_toml_writes_it() -> None:
    assert show_value(("server", "port"), value=True) == "got true"


def test_the_json_of_a_list_that_may_hold_secrets_is_an_example() -> None:
    shown = show_example(("server", "trusted_proxies"), "10.0.0.0/8, 10.1.0.0/16")
    assert shown == 'write ["10.0.0.0/8", "10.1.0.0/16"]'
    assert "hunter2" not in show_example(("issuers",), "a,hunter2")
