"""Which address a request comes from, and as which one it is counted."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import HTTPConnection

from gateway.limits.forwarded import (
    MAX_CHARACTERS,
    Address,
    forwarded,
    x_forwarded_for,
)

Networks = Sequence[IPv4Network | IPv6Network]

_SUBSCRIBER_BITS = 64


def client_address(connection: HTTPConnection, trusted: Networks) -> Address | None:
    """The nearest address that is not a proxy of ours; None without an IP peer.

    The peer counts, unless it is trusted: then what it forwarded, read from the right past
    trusted hops. What is missing, malformed or ambiguous ends the walk where one still knows.
    """
    known = _peer(connection)
    if known is None:
        return None
    hops = _hops(connection)
    while _is_in(known, trusted):
        hop = next(hops, None)
        if hop is None:
            break
        known = _plain(hop)
    return known


def counted_as(address: Address | None) -> str:
    """The text one address is counted under: IPv6 by /64, which is what one subscriber has."""
    if isinstance(address, IPv6Address):
        network = IPv6Network((address, _SUBSCRIBER_BITS), strict=False)
        return str(network.network_address)
    return str(address) if address else "unknown"


def _peer(connection: HTTPConnection) -> Address | None:
    try:
        return _plain(ip_address(connection.client.host)) if connection.client else None
    except ValueError:
        return None


def _hops(connection: HTTPConnection) -> Iterator[Address | None]:
    """Hops from the one header that is there; with both, nobody can say which one is true."""
    standard = ",".join(connection.headers.getlist("forwarded"))
    customary = ",".join(connection.headers.getlist("x-forwarded-for"))
    if bool(standard) == bool(customary) or len(standard + customary) > MAX_CHARACTERS:
        return iter(())
    return forwarded(standard) if standard else x_forwarded_for(customary)


def _plain(address: Address) -> Address:
    """An IPv4 address that came as IPv6 is the IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_in(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)
