"""Variables as Kubernetes, Docker and Compose set them, and values from files."""

from pathlib import Path

import pytest

from gateway.settings.environment import read_environment
from gateway.settings.loader import load_settings, read_settings

# A Service called `lockgate` with two ports, one without a name, and `lockgate-redis`; a link of
# old Docker to a container; a Service with the name of a table.
INJECTED = """
LOCKGATE_SERVICE_HOST=10.96.3.7
LOCKGATE_SERVICE_PORT=80
LOCKGATE_SERVICE_PORT_HTTP=80
LOCKGATE_SERVICE_PORT_HTTP_METRICS=9000
LOCKGATE_PORT=tcp://10.96.3.7:80
LOCKGATE_PORT_80_TCP=tcp://10.96.3.7:80
LOCKGATE_PORT_80_TCP_ADDR=10.96.3.7
LOCKGATE_PORT_80_TCP_PORT=80
LOCKGATE_PORT_80_TCP_PROTO=tcp
LOCKGATE_PORT_53_UDP=udp://[fd00::7]:53
LOCKGATE_PORT_53_UDP_ADDR=fd00::7
LOCKGATE_PORT_53_UDP_PORT=53
LOCKGATE_PORT_53_UDP_PROTO=udp
LOCKGATE_REDIS_SERVICE_HOST=fd00::8
LOCKGATE_REDIS_SERVICE_PORT=6379
LOCKGATE_REDIS_PORT=tcp://[fd00::8]:6379
LOCKGATE_REDIS_NAME=/gateway/lockgate_redis
LOCKGATE_ENV_NAME=/gateway/lockgate-env
LOCKGATE_REDIS_ENV_REDIS_VERSION=8.2.3
LOCKGATE_SERVER_PORT=tcp://10.96.3.9:8000
LOCKGATE_UPSTREAMS_SERVICE_HOST=10.96.3.10
LOCKGATE_UPSTREAMS_PORT_80_SCTP=sctp://10.96.3.10:80
LOCKGATE_ISSUERS_2_PORT=tcp://10.96.3.11:443
LOCKGATE_CONFIG_PORT=tcp://10.96.3.12:80
"""


def read_variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\n") if line)


def test_variables_of_kubernetes_and_of_docker_links_are_not_settings() -> None:
    layer = read_environment(read_variables(INJECTED))
    assert (layer.values, layer.sources, layer.errors) == ({}, {}, [])


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("LOCKGATE_SERVER_PORT=8000", "server_port"),
        ("LOCKGATE_REDIS_PORTT=tcp://10.0.0.1:6379", "redis_portt"),
        ("LOCKGATE_SERVICE_HOST=a.host", "service_host"),
        ("LOCKGATE_SERVICE_PORT=http", "service_port"),
        ("LOCKGATE_PORT_80_TCP_PROTO=http", "port_80_tcp_proto"),
        ("LOCKGATE_NAME=gateway", "name"),
        ("LOCKGATE_NAME=/gateway", "name"),
        ("LOCKGATE_ENV_X=1", "env_x"),
    ],
)
def test_a_variable_that_only_looks_injected_is_refused(variable: str, path: str) -> None:
    name, _, value = variable.partition("=")
    assert read_environment({name: value}).values == {path: value}


def test_a_service_with_the_name_of_a_setting_of_the_package_is_not_mistaken() -> None:
    name = "LOCKGATE_APP__SETTINGS__METRICS_SERVICE_PORT"
    assert read_environment({name: "80"}).values == {
        "app": {"settings": {"metrics_service_port": "80"}}
    }


@pytest.mark.parametrize("text", ["", " ", "\r", "\t\n"])
def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    for name in ("SERVER__PORT", "REDIS_URL", "ISSUERS", "UPSTREAMS", "APP__TITLE", "NO_SUCH"):
        monkeypatch.setenv(f"LOCKGATE_{name}", text)
    monkeypatch.setenv("LOCKGATE_CONFIG", text)
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__OWNER", text)
    settings = load_settings()
    assert (settings.server.port, settings.redis_url, settings.app.settings) == (8000, None, {})


def test_line_breaks_of_windows_and_white_space_around_a_value_are_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "lockgate.toml"
    file.write_bytes(b"\xef\xbb\xbf[log]\r\n\tlevel = 'debug'\r\n")
    variables = {
        "LOCKGATE_CONFIG": f"{file}\r",
        "LOCKGATE_SERVER__PORT": "8001\r",
        "LOCKGATE_REDIS_URL": " redis://h/0\r\n",
        "LOCKGATE_LIMITS": '{"pages": "1/second"}\r',
        "lockgate_server__host": "::1\r",
    }
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    loaded = read_settings()
    assert loaded.errors == []
    assert (loaded.settings.server.port, loaded.settings.server.host) == (8001, "::1")
    assert str(loaded.settings.redis_url) == "redis://h/0"
    assert (loaded.settings.log.level, len(loaded.settings.limits)) == ("debug", 1)


def test_a_file_holds_the_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {
        "LOCKGATE_REDIS_URL_FILE": "redis://:p%40ss@h/0\n",
        "LOCKGATE_ISSUERS_FILE": '[{"issuer": "a", "audience": "b", "jwks_file": "c"}]\r\n',
        "LOCKGATE_SERVER__PORT_FILE": "8002",
        "LOCKGATE_UPSTREAMS__ORDERS__URL_FILE": "\ufeffhttp://orders\n",
        "LOCKGATE_UPSTREAMS__ORDERS__HEADERS__X-KEY_FILE": "hunter2\n",
    }
    for name, text in values.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        monkeypatch.setenv(name, str(tmp_path / name))
    settings = load_settings()
    assert str(settings.redis_url) == "redis://:p%40ss@h/0"
    assert (settings.issuers[0].issuer, settings.server.port) == ("a", 8002)
    assert settings.upstreams["orders"].headers["x-key"].get_secret_value() == "hunter2"


def test_a_free_key_may_end_like_the_name_of_a_file() -> None:
    variables = {
        "LOCKGATE_LIMITS__UPLOAD_FILE": "1/second",
        "LOCKGATE_APP__SETTINGS__KEY_FILE": "k",
    }
    values = read_environment(variables).values
    assert values["limits"] == {"upload_file": "1/second"}
    assert values["app"] == {"settings": {"key_file": "k"}}
