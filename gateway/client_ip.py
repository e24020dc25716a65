"""The IP address of the client, found behind trusted proxies.

Reads `Forwarded` (RFC 7239) and `X-Forwarded-For`, the nearest hop first.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import islice

from starlette.requests import HTTPConnection

IpAddress = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]

MAX_CHARACTERS = 2_048
MAX_HOPS = 20

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PAIR = rf"(?P<name>{_WORD})=(?P<value>{_WORD}|{_QUOTED})"
_ANONYMOUS_PAIR = rf"{_WORD}=(?:{_WORD}|{_QUOTED})"
_ELEMENT = re.compile(rf"[ \t]*{_ANONYMOUS_PAIR}(?:;{_ANONYMOUS_PAIR})*[ \t]*")
_PAIRS = re.compile(_PAIR)
_PORT = r"(?::(?:\d{1,5}|_[A-Za-z0-9._-]+))?"
_NODE = re.compile(rf"(?P<v4>\d+\.\d+\.\d+\.\d+){_PORT}|\[(?P<v6>[0-9A-Fa-f:.]+)\]{_PORT}")
_SUBSCRIBER_BITS = 64


def client_address(connection: HTTPConnection, trusted: Networks) -> IpAddress | None:
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


def counted_as(address: IpAddress | None) -> str:
    """The text one address is counted under: IPv6 by /64, which is what one subscriber has."""
    if isinstance(address, IPv6Address):
        network = IPv6Network((address, _SUBSCRIBER_BITS), strict=False)
        return str(network.network_address)
    return str(address) if address else "unknown"


def _peer(connection: HTTPConnection) -> IpAddress | None:
    try:
        return _plain(ip_address(connection.client.host)) if connection.client else None
    except ValueError:
        return None


def _hops(connection: HTTPConnection) -> Iterator[IpAddress | None]:
    """Hops from the one header that is there; with both, nobody can say which one is true."""
    standard = ",".join(connection.headers.getlist("forwarded"))
    customary = ",".join(connection.headers.getlist("x-forwarded-for"))
    if bool(standard) == bool(customary) or len(standard + customary) > MAX_CHARACTERS:
        return iter(())
    return forwarded(standard) if standard else x_forwarded_for(customary)


def _plain(address: IpAddress) -> IpAddress:
    """An IPv4 address that came as IPv6 is the IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_in(address: IpAddress, networks: Networks) -> bool:
    return any(address in network for network in networks)


def forwarded(header: str) -> Iterator[IpAddress | None]:
    """The `for` nodes of `Forwarded`, right to left; None is a hop that gives no address."""
    return islice(map(_for_node, _elements(header)), MAX_HOPS)


def x_forwarded_for(header: str) -> Iterator[IpAddress | None]:
    """The hops of `X-Forwarded-For`, right to left; None is one that is no address."""
    return islice(map(_hop, reversed(header.split(","))), MAX_HOPS)


def _elements(header: str) -> Iterator[str | None]:
    """Cut off the shortest tail that is an element, again and again.

    What a proxy we trust wrote stands on the right; nothing left of it, an open quote for
    instance, may change how it is read.
    """
    end = len(header)
    while end >= 0:
        comma = end
        element = None
        for _ in range(MAX_HOPS):
            comma = header.rfind(",", 0, comma)
            element = _ELEMENT.fullmatch(header, comma + 1, end)
            if element or comma < 0:
                break
        yield element[0] if element else None
        end = comma


def _for_node(element: str | None) -> IpAddress | None:
    if element is None:
        return None
    nodes = [pair["value"] for pair in _PAIRS.finditer(element) if pair["name"].lower() == "for"]
    if len(nodes) != 1:
        return None
    node = nodes[0]
    return _node(re.sub(r"\\(.)", r"\1", node[1:-1]) if node.startswith('"') else node)


def _node(text: str) -> IpAddress | None:
    match = _NODE.fullmatch(text)
    return _address(match["v4"] or match["v6"]) if match else None


def _hop(text: str) -> IpAddress | None:
    text = text.strip(" \t")
    return _node(text) or _address(text)


def _address(text: str) -> IpAddress | None:
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None
