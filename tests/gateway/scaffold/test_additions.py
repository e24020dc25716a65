"""The address that a new service adds to the settings file."""

import tomllib

import pytest

from gateway.scaffold.additions import InvalidFile, plan_service

FILE = "acme/lockgate.toml"


def add_orders(settings: str) -> dict[str, dict[str, object]]:
    """Add the service `orders`, and return the upstreams of the new file."""
    text = plan_service("acme", "orders", settings=settings).files[FILE]
    assert text.startswith(settings.rstrip())
    upstreams: dict[str, dict[str, object]] = tomllib.loads(text)["upstreams"]
    return upstreams


@pytest.mark.parametrize(
    ("settings", "port"),
    [
        ("", 9201),
        ("# [upstreams.a]\n# [upstreams.b]\n", 9201),
        ("[upstreams.a]\nurl = 'http://a.internal:9301'\n", 9201),
        ("[upstreams.a]\nurl = 'http://127.0.0.1:9203'\n[upstreams.a.headers]\nx = 'y'\n", 9204),
        ("[upstreams]\na.url = 'http://localhost:9250/v1'\nb.url = 'http://[::1]:9240'\n", 9251),
        ("[upstreams.a]\nurl = 'http://localhost:65535'\n", 9201),
        ("[upstreams.a]\nurl = 'http://['\n[upstreams.b]\nurl = 7\n", 9201),
        ("upstreams.a.url = 'http://127.0.0.1:9201'", 9202),
    ],
)
def test_the_port_follows_the_highest_local_one(settings: str, port: int) -> None:
    assert add_orders(settings)["orders"] == {"url": f"http://127.0.0.1:{port}"}


@pytest.mark.parametrize(
    "settings",
    [
        '[upstreams.orders]\nurl = "http://orders.internal"\n',
        "[upstreams.orders.headers]\nx-api-key = 'key'\n",
        "[upstreams]\n'orders' = {url = 'http://orders.internal'}\n",
    ],
)
def test_an_address_that_exists_is_kept(settings: str) -> None:
    addition = plan_service("acme", "orders", settings=settings)
    assert FILE not in addition.files
    assert sorted(addition.files) == sorted(addition.new_files)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ("[upstreams", "acme/lockgate.toml is not TOML: "),
        ("upstreams = 3", "acme/lockgate.toml: upstreams must be a table"),
        ("upstreams = {}", "declares upstreams in a form to which no table can be added; write it"),
    ],
)
def test_a_file_to_which_nothing_can_be_added_is_refused(settings: str, error: str) -> None:
    with pytest.raises(InvalidFile, match=error):
        plan_service("acme", "orders", settings=settings)


def test_a_dotted_package_is_a_folder_in_a_folder() -> None:
    files = plan_service("acme.gateway", "orders", settings="").files
    assert {"acme/gateway/clients/orders.py", "acme/gateway/lockgate.toml"} <= set(files)
    assert "from acme.gateway.clients.orders import" in files["tests/clients/test_orders.py"]
