"""The IP address of the client, found behind trusted proxies."""

from collections.abc import Mapping, Sequence
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

IpNetworks = Sequence[IPv4Network | IPv6Network]

_MAX_CACHED_PEERS = 1_024

_LISTS = {"forwarded": parse_forwarded, "x-forwarded-for": parse_x_forwarded_for}
"""Fields to which each proxy appends a hop; any other field has one address."""

_LIST_NAMES = frozenset(name.encode() for name in _LISTS)


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
    if peer is None or not _is_in(peer, server.trusted_proxies):
        return ClientAddress(peer)
    name = server.client_address_header
    fields = _read_fields(connection, name)
    if name is None:
        return _find_agreed_client(fields, peer, server.trusted_proxies)
    if name in _LISTS:
        return _follow_hops(name, ",".join(fields.get(name, ())), peer, server.trusted_proxies)
    return _read_single(name, fields.get(name, []), peer)


def is_from_proxy(connection: HTTPConnection, server: Server) -> bool:
    """Whether the peer is one of `server.trusted_proxies`."""
    peer = _parse_peer(connection.client.host) if connection.client else None
    return peer is not None and _is_in(peer, server.trusted_proxies)


def explain_ignored_fields(connection: HTTPConnection, server: Server) -> str:
    """Say which field of a peer that is not trusted is ignored; "" if there is none."""
    if is_from_proxy(connection, server):
        return ""
    for name in _read_fields(connection, server.client_address_header):
        return f"{name} is not from one of server.trusted_proxies"
    return ""


def _read_fields(connection: HTTPConnection, name: str | None) -> dict[str, list[str]]:
    """Read the values of the field that is set, or of both lists."""
    names = _LIST_NAMES if name is None else (name.encode(),)
    fields: dict[str, list[str]] = {}
    for field, value in connection.scope["headers"]:
        if field in names:
            fields.setdefault(str(field, "latin-1"), []).append(str(value, "latin-1"))
    return fields


def _find_agreed_client(
    fields: Mapping[str, Sequence[str]], peer: IpAddress, trusted: IpNetworks
) -> ClientAddress:
    """Read each list that is present. If they disagree, one of them is forged, or both are wrong.

    A proxy that appends to one of them passes the other on as the client sent it.
    """
    lists = {name: ",".join(lines) for name, lines in fields.items()}
    if not has_for(lists.get("forwarded", "")):
        lists.pop("forwarded", None)
    found = [_follow_hops(name, text, peer, trusted) for name, text in lists.items() if text]
    if len({client.ip for client in found}) > 1:
        return ClientAddress(peer, "forwarded and x-forwarded-for name different clients")
    return found[0] if found else ClientAddress(peer)


def _follow_hops(name: str, text: str, peer: IpAddress, trusted: IpNetworks) -> ClientAddress:
    """Follow the hops of a list from the peer outwards, to the first that is not trusted."""
    address = peer
    for hop in _LISTS[name](text):
        if hop is None:
            return ClientAddress(address, f"{name} has a hop that is not an address")
        address = hop
        if not _is_in(address, trusted):
            break
    return ClientAddress(address)


def _read_single(name: str, values: Sequence[str], peer: IpAddress) -> ClientAddress:
    if len(values) != 1:
        return ClientAddress(peer, f"{name} is {'sent twice' if values else 'missing'}")
    address = parse_single(name, values[0])
    if address is None:
        return ClientAddress(peer, f"{name} is not an address")
    return ClientAddress(address)


@lru_cache(maxsize=_MAX_CACHED_PEERS)
def _parse_peer(host: str) -> IpAddress | None:
    return parse_node(host)


def _is_in(address: IpAddress, networks: IpNetworks) -> bool:
    return any(address in network for network in networks)
