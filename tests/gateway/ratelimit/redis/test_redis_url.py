"""The options of a Redis URL."""

from pathlib import Path

import pytest

from gateway.ratelimit.redis.redis_url import create_pool, find_redis_errors
from gateway.settings.errors import InvalidSettings
from tests.gateway.unreadable_folder import make_unreadable


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://h", {"host": "h"}),
        ("redis://h:6380/3", {"host": "h", "port": 6380, "db": 3}),
        ("redis://h?db=4&client_name=gate", {"db": 4, "client_name": "gate"}),
        ("redis://user:p%40ss@h/0", {"username": "user", "password": "p@ss"}),
        ("rediss://h/0?ssl_cert_reqs=none&ssl_check_hostname=false", {"ssl_cert_reqs": "none"}),
    ],
)
def test_an_option_that_the_gateway_does_not_set_is_passed_on(
    url: str, options: dict[str, object]
) -> None:
    assert find_redis_errors(url) == []
    assert create_pool(url).connection_kwargs.items() >= options.items()


@pytest.mark.parametrize(
    "option", ["socket_timeout=1", "protocol=3", "max_connections=9", "retry_on_timeout=true"]
)
def test_an_option_that_the_gateway_sets_cannot_be_replaced(option: str) -> None:
    with pytest.raises(InvalidSettings, match="which is unknown or set by the gateway itself"):
        create_pool(f"redis://h/0?{option}")


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@h/main",
        "redis://:hunter2@h/0?nope=hunter2",
        "redis://:hunter2@h/0#hunter2",
        "rediss://:hunter2@h/0?ssl_password=hunter2&ssl_cert_reqs=x",
        "rediss://:hunter2@h/0?ssl_keyfile=/hunter2",
    ],
)
def test_no_error_shows_the_password(url: str) -> None:
    errors = find_redis_errors(url)
    assert errors
    assert "hunter2" not in "".join(map(str, errors))


def test_a_file_in_an_unreadable_folder_is_an_error_of_the_setting(tmp_path: Path) -> None:
    with make_unreadable(tmp_path):
        [error] = find_redis_errors(f"rediss://h/0?ssl_ca_certs={tmp_path / 'ca.pem'}")
    assert error.message == "has the option ssl_ca_certs, but there is no such file"
