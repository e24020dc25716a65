"""The listening socket, and the words when it cannot be opened."""

import os
import socket

import pytest

from gateway.server.listener import AddressUnavailable, find_host_errors, open_listener
from gateway.settings.errors import InvalidSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1"])
def test_it_listens_on_a_host_of_this_machine(host: str) -> None:
    assert find_host_errors(host) == []
    with open_listener(host, 0) as listener:
        assert not listener.getblocking()
        address = "::1" if ":" in host else "127.0.0.1"
        socket.create_connection((address, listener.getsockname()[1])).close()


def test_a_port_in_use_is_reported_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressUnavailable) as caught:
            open_listener("127.0.0.1", port)
    message = str(caught.value)
    assert message.startswith(f"server.port: cannot listen on 127.0.0.1:{port}: ")
    assert f"(process {os.getpid()}) listens there" in message
    assert message.endswith("(set LOCKGATE_SERVER__PORT or --port to a free port)")


def test_two_sockets_that_are_bound_but_do_not_listen_are_told_apart() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        with open_listener("127.0.0.1", other.getsockname()[1]):
            pass


def test_an_address_of_another_machine_is_an_error_of_the_host() -> None:
    with pytest.raises(InvalidSettings) as caught:
        open_listener("192.0.2.1", 0)
    (error,) = caught.value.errors
    assert (error.path, error.message) == ("server.host", "is not an address of this machine")
    assert caught.value.errors == find_host_errors("192.0.2.1")
