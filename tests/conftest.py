"""Fixtures for every test: no network except loopback, a real Redis, a running demo."""

import gc
import os
import socket
from typing import Any

import hypothesis
import pytest

# A slow machine must not fail a test: performance is measured in tests/bench.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

# Every process that starts would load the CA certificates of this machine, which is slow.
for _name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(_name, None)

pytest_plugins = [
    "tests.e2e.installed_wheel",
    "tests.leak_check",
    "tests.redis_server",
    "tests.postgresql_server",  # it imports redis_server
    "tests.databases",
    "tests.report_escapes",
    "tests.running_demo",
]

_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(scope="module", autouse=True)
def _freeze_old_objects() -> None:
    """Exclude the objects of pytest and of earlier modules from garbage collection.

    Tests that look for reference cycles collect garbage several times. Without this, each
    collection would examine hundreds of thousands of objects.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that resolves or connects to any address except this machine."""
    getaddrinfo, connect = socket.getaddrinfo, socket.socket.connect

    def is_local(host: object) -> bool:
        name = host.decode() if isinstance(host, bytes) else host
        return name is None or (isinstance(name, str) and name.startswith(_LOOPBACK))

    def checked_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert is_local(host), f"a test tried to resolve {host!r}"
        return getaddrinfo(host, *args, **kwargs)

    def checked_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            assert is_local(address[0]), f"a test tried to connect to {address!r}"
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", checked_getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", checked_connect)
