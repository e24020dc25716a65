"""The listening socket of the server, and the reasons why it cannot be opened."""

import errno
import socket

from gateway.server.port_owner import find_port_owner
from gateway.settings.errors import ConfigError, InvalidSettings, get_variable
from gateway.startup_error import StartupError

BACKLOG = 4_096
"""Connections that the kernel completes before the server accepts them; see also `somaxconn`."""

# The machine has no such address, or it does not support the address family.
_NOT_OUR_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class AddressUnavailable(StartupError):
    """The server cannot listen on the host and port of the settings."""


def open_listener(host: str, port: int, section: str = "server") -> socket.socket:
    """Listen on host and port; port 0 takes a free port. Errors name the section of both settings.

    Raises:
        InvalidSettings: the host is not an address of this machine.
        AddressUnavailable: the port is in use, or the process may not listen on it.
    """
    try:
        listener = _bind(host, port)
    except OSError as error:
        if host_errors := find_host_errors(host, section):
            raise InvalidSettings(host_errors) from error
        raise AddressUnavailable(_describe_port_error(host, port, error, section)) from error
    listener.setblocking(False)
    return listener


def find_host_errors(host: str, section: str = "server") -> list[ConfigError]:
    """Find out whether the server could listen on `host`, on any port."""
    try:
        _bind(host, 0).close()
    except socket.gaierror as error:
        problem = f"the host cannot be resolved: {error.strerror}"
    except OSError as error:
        known = error.errno in _NOT_OUR_ADDRESS
        problem = "is not an address of this machine" if known else f"{error.strerror or error}"
    else:
        return []
    hint = f"got {host!r}; 0.0.0.0 listens on all IPv4 addresses"
    return [ConfigError(f"{section}.host", problem, hint)]


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on the connections.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # `::` takes IPv4, too, whatever the default of the system
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _describe_port_error(host: str, port: int, error: OSError, section: str) -> str:
    if error.errno == errno.EADDRINUSE:
        owner = find_port_owner(port)
        problem = f"{owner} listens there" if owner else "another process listens there"
    elif error.errno == errno.EACCES:
        problem = "the process may not listen on a port below 1024"
    else:
        problem = error.strerror or str(error)
    setting = f"{section}.port"
    option = " or --port" if section == "server" else ""
    return (
        f"{setting}: cannot listen on {host}:{port}: {problem} "
        f"(set {get_variable(setting)}{option} to a free port)"
    )
