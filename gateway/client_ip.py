"""The IP address of the client, found behind trusted proxies.

Reads `Forwarded` (RFC 7239) and `X-Forwarded-For`, the nearest hop first.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import islice

from starlette.requests import HTTPConnection

IpAddress = IPv4Address | IPv6Address
IpNetworks = Sequence[IPv4Network | IPv6Network]

MAX_HEADER_CHARACTERS = 2_048
MAX_HOPS = 20

# The grammar of `Forwarded`, RFC 7239, sections 4 and 6.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token of HTTP
_QUOTED_STRING = r'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(rf"(?P<name>{_TOKEN})=(?P<value>{_TOKEN}|{_QUOTED_STRING})")
_ANY_PAIR = rf"{_TOKEN}=(?:{_TOKEN}|{_QUOTED_STRING})"
_ELEMENT = re.compile(rf"[ \t]*{_ANY_PAIR}(?:;{_ANY_PAIR})*[ \t]*")
_PORT = r"(?::(?:\d{1,5}|_[A-Za-z0-9._-]+))?"
_NODE = re.compile(rf"(?P<v4>\d+\.\d+\.\d+\.\d+){_PORT}|\[(?P<v6>[0-9A-Fa-f:.]+)\]{_PORT}")


def find_client_address(connection: HTTPConnection, trusted: IpNetworks) -> IpAddress | None:
    """Return the nearest address that is not a trusted proxy, or None without an IP peer.

    That is the peer, unless it is trusted: then the hops that it forwarded are read from the
    right, past trusted ones. A hop that is missing, malformed or ambiguous ends the search at the
    last known address.
    """
    address = _get_peer(connection)
    if address is None:
        return None
    hops = _read_hops(connection)
    while _is_in(address, trusted):
        hop = next(hops, None)
        if hop is None:
            break
        address = _unmap_ipv4(hop)
    return address


def parse_forwarded(header: str) -> Iterator[IpAddress | None]:
    """Yield the `for` nodes of `Forwarded` from right to left; None for a hop without address."""
    return islice(map(_parse_element, _split_elements(header)), MAX_HOPS)


def parse_x_forwarded_for(header: str) -> Iterator[IpAddress | None]:
    """Yield the hops of `X-Forwarded-For` from right to left; None for one that is no address."""
    return islice(map(_parse_hop, reversed(header.split(","))), MAX_HOPS)


def _get_peer(connection: HTTPConnection) -> IpAddress | None:
    try:
        return _unmap_ipv4(ip_address(connection.client.host)) if connection.client else None
    except ValueError:
        return None


def _read_hops(connection: HTTPConnection) -> Iterator[IpAddress | None]:
    """Read the hops of the header that is present. With both, it is unclear which to believe."""
    forwarded = ",".join(connection.headers.getlist("forwarded"))
    x_forwarded_for = ",".join(connection.headers.getlist("x-forwarded-for"))
    has_one = bool(forwarded) != bool(x_forwarded_for)
    if not has_one or len(forwarded + x_forwarded_for) > MAX_HEADER_CHARACTERS:
        return iter(())
    return parse_forwarded(forwarded) if forwarded else parse_x_forwarded_for(x_forwarded_for)


def _unmap_ipv4(address: IpAddress) -> IpAddress:
    """Turn an IPv4-mapped IPv6 address, such as `::ffff:192.0.2.1`, into the IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_in(address: IpAddress, networks: IpNetworks) -> bool:
    return any(address in network for network in networks)


def _split_elements(header: str) -> Iterator[str | None]:
    """Yield the elements from right to left; None for a part that is not an element.

    A trusted proxy appends its element on the right, and the text to the left of it comes from
    outside. So the shortest tail that is an element is cut off, again and again: nothing on the
    left, such as an unclosed quote, can change how an element on the right is read.
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


def _parse_element(element: str | None) -> IpAddress | None:
    if element is None:
        return None
    nodes = [pair["value"] for pair in _PAIR.finditer(element) if pair["name"].lower() == "for"]
    if len(nodes) != 1:
        return None
    node = nodes[0]
    return _parse_node(re.sub(r"\\(.)", r"\1", node[1:-1]) if node.startswith('"') else node)


def _parse_node(text: str) -> IpAddress | None:
    """Parse an IPv4 address, or an IPv6 address in brackets, each with or without a port."""
    match = _NODE.fullmatch(text)
    return _parse_address(match["v4"] or match["v6"]) if match else None


def _parse_hop(text: str) -> IpAddress | None:
    """Parse a hop of `X-Forwarded-For`, which may also be an IPv6 address without brackets."""
    text = text.strip(" \t")
    return _parse_node(text) or _parse_address(text)


def _parse_address(text: str) -> IpAddress | None:
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None
