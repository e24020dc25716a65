"""The IP address of the client, found behind trusted proxies."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from starlette.requests import HTTPConnection

from gateway.forwarded_fields import (
    IpAddress,
    has_for,
    parse_forwarded,
    parse_node,
    parse_single,
    parse_x_forwarded_for,
)
from gateway.settings.schema import Server

_MAX_CACHED_PEERS = 1_024

_LISTS = {"forwarded": parse_forwarded, "x-forwarded-for": parse_x_forwarded_for}
"""Fields to which each proxy appends a hop; any other field has one address."""


class ClientAddress(NamedTuple):
    """The nearest address that is not a trusted proxy; `ip` is None if the peer has no IP address.

    `doubt` says why an address that a trusted proxy forwarded is not believed; else it is empty.
    """

    ip: IpAddress | None
    doubt: str = ""


def find_client_address(connection: HTTPConnection, server: Server) -> ClientAddress:
    """Find the address of the client: the peer, or what a trusted peer forwards.

    `server.client_address_header` names the field to read. Without it, `Forwarded` and
    `X-Forwarded-For` are read, and with both, they must name the same client. A hop that is missing
    or malformed ends the search at the last known address.
    """
    peer = _parse_peer(connection.client.host) if connection.client else None
    name = server.client_address_header
    if peer is None or not _is_in(peer, server.trusted_proxies):
        return ClientAddress(peer, _find_ignored(connection, name))
    if name is None:
        return _find_agreed_client(connection, peer, server.trusted_proxies)
    if name in _LISTS:
        return _follow_hops(connection, name, peer, server.trusted_proxies)
    return _read_single(connection, name, peer)


def _find_ignored(connection: HTTPConnection, name: str | None) -> str:
    """Say which field of a peer that is not trusted is ignored; "" if it sends none."""
    for ignored in _LISTS if name is None else (name,):
        if ignored in connection.headers:
            return f"{ignored} is not from one of server.trusted_proxies"
    return ""


def _find_agreed_client(
    connection: HTTPConnection, peer: IpAddress, trusted: Sequence[IPv4Network | IPv6Network]
) -> ClientAddress:
    """Read each list that is present. If they disagree, one of them is forged, or both are wrong.

    A proxy that appends to one of them passes the other on as the client sent it.
    """
    found = [
        _follow_hops(connection, name, peer, trusted)
        for name in _LISTS
        if (header := _join_lines(connection, name)) and (name != "forwarded" or has_for(header))
    ]
    if len({client.ip for client in found}) > 1:
        return ClientAddress(peer, "forwarded and x-forwarded-for name different clients")
    return found[0] if found else ClientAddress(peer)


def _follow_hops(
    connection: HTTPConnection,
    name: str,
    peer: IpAddress,
    trusted: Sequence[IPv4Network | IPv6Network],
) -> ClientAddress:
    """Follow the hops of a list from the peer outwards, to the first that is not trusted."""
    address = peer
    hops: Iterator[IpAddress | None] = _LISTS[name](_join_lines(connection, name))
    for hop in hops:
        if hop is None:
            return ClientAddress(address, f"{name} has a hop that is no address")
        address = hop
        if not _is_in(address, trusted):
            break
    return ClientAddress(address)


def _read_single(connection: HTTPConnection, name: str, peer: IpAddress) -> ClientAddress:
    values = connection.headers.getlist(name)
    if len(values) != 1:
        return ClientAddress(peer, f"{name} is {'sent twice' if values else 'missing'}")
    address = parse_single(name, values[0])
    if address is None:
        return ClientAddress(peer, f"{name} is no address")
    return ClientAddress(address)


def _join_lines(connection: HTTPConnection, name: str) -> str:
    """Join the lines of a field: several are one list (RFC 9110, section 5.3)."""
    return ",".join(connection.headers.getlist(name))


@lru_cache(maxsize=_MAX_CACHED_PEERS)
def _parse_peer(host: str) -> IpAddress | None:
    return parse_node(host)


def _is_in(address: IpAddress, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)
