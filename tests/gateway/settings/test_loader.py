"""Loading settings: layers, and errors that name the setting and a correct value."""

from pathlib import Path

import pytest

from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings, read_settings
from gateway.settings.rate import Rate
from gateway.settings.schema import Settings


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
        ("[server]\nport = 99999\n", ["server.port", "at most 65535", "got 99999"]),
        ('[limits]\ndashboards = "fast"\n', ["limits.dashboards", "120/minute"]),
        ('[upstreams.users]\nurl = "ftp://x"\n', ["upstreams.users.url", "http"]),
        ("demo = 3\n", ["demo", "must be a table"]),
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
            ["issuers.0.user_claim", "must be set"],
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
        ("LOCKGATE_ISSUERS", "not json", "LOCKGATE_ISSUERS: must be a list in JSON"),
        ("LOCKGATE_SERVER__PORT", "eighty", "LOCKGATE_SERVER__PORT: must be an integer"),
    ],
)
def test_an_error_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    (error,) = find_errors()
    assert message in error


def test_the_variables_of_the_client_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_OPS_URL", "https://ops.example.com")
    monkeypatch.setenv("LOCKGATE_OPS_TOKEN", "a.b.c")
    assert load_settings(None).ops == Settings().ops


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


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (error,) = find_errors(tmp_path / "nowhere.toml")
    assert "nowhere.toml" in error


def test_a_header_in_two_cases_is_one_header_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, '[upstreams.users.headers]\nX-Api-Key = "file"\nX-Other = "other"\n')
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__USERS__HEADERS__X-API-KEY", "variable")
    headers = load_settings(file).upstreams["users"].headers
    assert {name: value.get_secret_value() for name, value in headers.items()} == {
        "x-api-key": "variable",
        "x-other": "other",
    }


def test_a_variable_of_a_setting_wins_over_the_variable_of_its_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOCKGATE_SERVER", '{"port": 1, "max_in_flight": 2}')
    monkeypatch.setenv("LOCKGATE_SERVER__PORT", "3")
    server = load_settings().server
    assert (server.port, server.max_in_flight) == (3, 2)


def test_options_override_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_SERVER__PORT", "1")
    monkeypatch.setenv("LOCKGATE_SERVER__HOST", "::1")
    server = read_settings(options={"server.port": "2"}).settings.server
    assert (server.port, server.host) == (2, "::1")


def test_a_default_replaces_each_invalid_value_and_the_others_stay(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '[server]\nport = "x"\nmax_in_flight = 7\ntrusted_proxies = ["x", "10.0.0.0/8", "y"]\n'
        '[upstreams.users]\nurl = "x"\ntimeout = 3\n[upstreams]\norders = 1\n'
        '[[issuers]]\naudience = "a"\njwks_url = "x"\nalgorithms = ["ES256", "none"]\n',
    )
    loaded = read_settings(file)
    settings = loaded.settings
    assert (settings.server.port, settings.server.max_in_flight) == (8000, 7)
    assert list(map(str, settings.server.trusted_proxies)) == ["10.0.0.0/8"]
    assert settings.upstreams["users"].timeout == 3
    assert "orders" in settings.upstreams
    assert settings.issuers[0].audience == "a"
    assert settings.issuers[0].algorithms == ("ES256",)
    assert len(loaded.errors) == 8
