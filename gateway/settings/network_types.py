"""The types of settings that are hosts or networks."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from gateway.settings.host_names import is_host_name
from gateway.settings.setting_types import Text

_HOST_AND_PORT = re.compile(r"\[[0-9A-Fa-f:.]+\]:\d+|[^:]+:\d+")
_ALL_TRUSTED = (
    "must be the networks of the proxies: if all are trusted, a client can forge its address"
)

_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 addresses as an IPv6 socket sees them; the gateway turns them into IPv4."""


def _check_host(host: str) -> str:
    """Check that the server could listen on `host`: an IP address or a host name."""
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        return host
    if host.startswith("[") and host.endswith("]"):
        raise ValueError(f"must be an IPv6 address without brackets: {host[1:-1]}")
    if "/" in host:
        raise ValueError("must be a host alone, without scheme and path")
    if _HOST_AND_PORT.fullmatch(host):
        raise ValueError("must be a host without a port, which is a setting of its own")
    if not is_host_name(host) or _ends_in_digits(host):
        raise ValueError("must be an IP address or a host name")
    return host


def _check_host_name(name: str) -> str:
    """Check a name that a certificate may have: a host name without a trailing dot."""
    if not is_host_name(name) or name.endswith(".") or ":" in name:
        raise ValueError("must be a host name alone, such as orders.internal")
    return name


def _ends_in_digits(host: str) -> bool:
    """Whether the last label is a number, so that the host is an IPv4 address (RFC 3986, 3.2.2)."""
    return host.rstrip(".").rpartition(".")[2].isdigit()


def _parse_network(value: object) -> object:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str):
        # A ValueError, because pydantic reports no TypeError.
        raise ValueError("must be a network in quotes, such as 10.0.0.0/8")  # noqa: TRY004
    try:
        network = ip_network(value)
    except ValueError:
        raise ValueError(_describe_network_error(value)) from None
    if network.prefixlen == 0:
        raise ValueError(_ALL_TRUSTED)
    if isinstance(network, IPv6Network) and network.subnet_of(_IPV4_MAPPED):
        bits = network.prefixlen - _IPV4_MAPPED.prefixlen
        ipv4 = network.network_address.ipv4_mapped
        raise ValueError(f"must be an IPv4 network: did you mean {ipv4}/{bits}?")
    return network


def _describe_network_error(text: str) -> str:
    if text == "*":
        return _ALL_TRUSTED
    if text.startswith(("unix:", "/")):
        return "must be a network; a unix socket has no address to trust"
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        if any(char.isalpha() for char in text) and is_host_name(text):
            return "must be a network, such as 10.0.0.0/8; host names are not resolved"
        return "must be a network, such as 10.0.0.0/8"
    excess = "host bits" if text == text.strip() else "white space"
    return f"must be a network, without {excess}: did you mean {network}?"


Host = Annotated[Text, AfterValidator(_check_host)]
HostName = Annotated[Text, AfterValidator(_check_host_name)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_parse_network)]
