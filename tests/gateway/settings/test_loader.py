"""Loading settings: layers, and errors that name the setting and a correct value."""

from pathlib import Path

import pytest

from gateway.settings import loader
from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings
from gateway.settings.rate import Rate


def find_errors(file: Path | None = None) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(file)
    return [str(error) for error in caught.value.errors]


def write(folder: Path, text: str) -> Path:
    file = folder / "lockgate.toml"
    file.write_text(text)
    return file


def test_the_environment_overrides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, '[upstreams.orders]\nurl = "http://orders.internal"\ntimeout = 3\n')
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__ORDERS__TIMEOUT", "0.25")
    monkeypatch.setenv("LOCKGATE_LIMITS__DASHBOARDS", "240/minute")
    settings = load_settings(file)
    assert settings.upstreams["orders"].timeout == 0.25
    assert settings.upstreams["orders"].url.host == "orders.internal"
    assert settings.upstreams["users"].url.port == 9191
    assert settings.limits == {"dashboards": Rate(240, 60)}


def test_the_file_can_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_CONFIG", str(write(tmp_path, "[demo]\nlatency_ms = 7\n")))
    assert load_settings().demo.latency_ms == 7


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[serever]\nport = 1\n", ["serever", "no such setting", "did you mean server?"]),
        ("[server]\nprot = 1\n", ["server.prot", "no such setting", "did you mean port?"]),
        ("[upstreams.users]\ntimout = 1\n", ["upstreams.users.timout", "did you mean timeout?"]),
        ("[server]\nport = 99999\n", ["server.port", "less than or equal to 65535", "got 99999"]),
        ('[limits]\ndashboards = "fast"\n', ["limits.dashboards", "120/minute"]),
        ('[upstreams.users]\nurl = "ftp://x"\n', ["upstreams.users.url", "http"]),
        ("demo = 3\n", ["demo", "valid dictionary"]),
        ("[demo\n", ["is not TOML"]),
        (
            '[[issuers]]\nissuer = "a"\naudience = "b"\n',
            ["issuers.0", "exactly one of jwks_url, discovery_url and jwks_file"],
        ),
        (
            (
                '[[issuers]]\nissuer = "a"\naudience = "x"\njwks_file = "k"\n'
                '[[issuers]]\nissuer = "b"\naudience = "x"\njwks_file = "k"\nuser_claim = ""\n'
                '[[issuers]]\nissuer = "c"\naudience = "x"\njwks_file = "k"\nuser_claim = "uid"\n'
            ),
            ["issuers [LOCKGATE_ISSUERS]", "a must set user_claim"],
        ),
        (
            '[[issuers]]\nissuer = "a"\naudience = "b"\njwks_url = "http://idp.example/keys"\n',
            ["issuers.0.jwks_url", "https", "loopback"],
        ),
    ],
)
def test_an_error_in_the_file_names_the_setting_and_a_correct_value(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    (error,) = find_errors(write(tmp_path, text))
    for part in parts:
        assert part in error


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LOCKGATE_REDIS_ULR", "redis://x", "did you mean redis_url?"),
        ("LOCKGATE_DEMO__LATENCYMS", "1", "did you mean latency_ms?"),
        ("LOCKGATE_ISSUERS", "not json", "issuers [LOCKGATE_ISSUERS]: is not JSON"),
        ("LOCKGATE_SERVER__PORT", "eighty", "server.port [LOCKGATE_SERVER__PORT]"),
    ],
)
def test_an_error_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    (error,) = find_errors()
    assert message in error


def test_all_errors_are_reported_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_NOPE", "1")
    assert len(find_errors(write(tmp_path, "[server]\nport = -1\n[demo]\nlatency_ms = -1\n"))) == 3


@pytest.mark.parametrize(
    "text",
    [
        'redis_url = "reddis://user:hunter2@h"',
        '[upstreams.users]\nurl = "ftp://user:hunter2@h"',
        '[upstreams]\nusers = "http://user:hunter2@h"',
        'upstreams = "http://user:hunter2@h"',
        '[[issuers]]\nissuer = "a"\naudience = "b"\njwks_url = "http://user:hunter2@idp/keys"',
        '[[issuers]]\nissuer = "a"\naudience = "b"\ndiscovery_url = "hunter2"',
        'issuers = ["hunter2"]',
        '[upstreams.users]\nurl = "http://h"\nheaders = {x-key = "hunter2\\u0001"}',
        'password = "hunter2"',
    ],
)
def test_an_error_never_repeats_a_value_that_may_be_a_secret(tmp_path: Path, text: str) -> None:
    for error in find_errors(write(tmp_path, text)):
        assert "hunter2" not in error


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
    assert loader._describe_input(path.split("."), value) == ""


@pytest.mark.parametrize(
    ("path", "value", "hint"),
    [
        ("server.port", "eighty", "got 'eighty'"),
        ("server.trusted_proxies.0.ipv4network", "10.0.0.1/8", "got '10.0.0.1/8'"),
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
    assert loader._describe_input(path.split("."), value) == hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (error,) = find_errors(tmp_path / "nowhere.toml")
    assert "nowhere.toml" in error
