"""What every test lives under: no network but loopback, and a real Redis for those that ask."""

import socket
from typing import Any

import hypothesis
import pytest

# A shared or busy machine is no reason to fail: what takes time is measured elsewhere.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

pytest_plugins = ["tests.leftovers", "tests.redis_server", "tests.running_demo"]

_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to resolve or connect to anything that is not this machine."""
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def is_local(host: object) -> bool:
        name = host.decode() if isinstance(host, bytes) else host
        return name is None or (isinstance(name, str) and name.startswith(_LOOPBACK))

    def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert is_local(host), f"a test tried to resolve {host!r}"
        return resolve(host, *args, **kwargs)

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            assert is_local(address[0]), f"a test tried to connect to {address!r}"
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
