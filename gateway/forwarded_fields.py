"""The header fields in which proxies forward addresses: `Forwarded`, `X-Forwarded-For` and others.

Lists are read from right to left. A trusted proxy appends on the right; the text to the left of it
comes from outside and must not change how the right end is read.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from itertools import islice

IpAddress = IPv4Address | IPv6Address

MAX_LIST_CHARACTERS = 2_048
MAX_HOPS = 20

# The grammar of `Forwarded`, RFC 7239, sections 4 and 6. Pairs may be empty, as in `for=a;`. Two
# forms are accepted that it does not allow and some proxies send: white space around `;`, and IPv6
# addresses without quotes.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token of HTTP
_VALUE = r"(?:\"(?:[^\"\\]|\\.)*\"|[!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+)"
_PAIR = re.compile(rf"(?P<name>{_TOKEN})=(?P<value>{_VALUE})")
_ANY_PAIR = rf"[ \t]*(?:{_TOKEN}={_VALUE}[ \t]*)?"
_ELEMENT = re.compile(rf"{_ANY_PAIR}(?:;{_ANY_PAIR})*")  # one way to match: no backtracking
_HAS_FOR = re.compile(r"(?:^|[,; \t])for=", re.IGNORECASE)

_PORT = r"(?::(?:\d{1,5}|_[A-Za-z0-9._-]+))?"
_ZONE = r"(?:%[A-Za-z0-9._~%-]{1,32})?"
_NODE = re.compile(
    rf"(?P<v4>\d+\.\d+\.\d+\.\d+){_PORT}"
    rf"|\[(?P<v6>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*){_ZONE}\]{_ZONE}{_PORT}"
    rf"|(?P<bare>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*){_ZONE}"
)

_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 clients of a network that has IPv6 alone (RFC 6052); one /64 holds all of them."""

_WITH_PORT = frozenset({"cloudfront-viewer-address"})
"""Fields whose address always has a port, an IPv6 address without brackets too."""


def has_for(header: str) -> bool:
    """Whether a `Forwarded` names a client at all; some have the protocol and the host only."""
    return _HAS_FOR.search(header) is not None


def parse_forwarded(header: str) -> Iterator[IpAddress | None]:
    """Yield the `for` nodes of `Forwarded` from right to left; None for a hop without address."""
    elements = islice(_split_elements(_cut(header)), MAX_HOPS)
    return (_parse_element(it) for it in elements if it is None or it.strip(" \t;"))


def parse_x_forwarded_for(header: str) -> Iterator[IpAddress | None]:
    """Yield the hops of `X-Forwarded-For` from right to left; None for one without an address."""
    hops = islice(reversed(_cut(header).split(",")), MAX_HOPS)
    return (parse_node(hop) for hop in hops if hop.strip(" \t"))


def parse_single(name: str, value: str) -> IpAddress | None:
    """Parse a field that has one address, such as `CF-Connecting-IP`; None if it has not."""
    if name in _WITH_PORT:
        value = value.rpartition(":")[0]
    return parse_node(value)


def parse_node(text: str) -> IpAddress | None:
    """Parse an address, with or without brackets, port and zone.

    An IPv4 address that is written as IPv6 (IPv4-mapped, NAT64) becomes IPv4. A zone, as in
    `fe80::1%eth0`, is dropped: it has a meaning on the host of the proxy only.
    """
    match = _NODE.fullmatch(text.strip(" \t"))
    try:
        address = ip_address(match["v4"] or match["v6"] or match["bare"]) if match else None
    except ValueError:
        return None
    return _unmap_ipv4(address) if isinstance(address, IPv6Address) else address


def _unmap_ipv4(address: IPv6Address) -> IpAddress:
    """Return the IPv4 address of a client whose packets a host or a network translates to IPv6."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def _cut(header: str) -> str:
    """Return the last MAX_LIST_CHARACTERS of a list, without the element that the cut goes through.

    A client can make a list as long as it wants, and the hops that count are on the right.
    """
    if len(header) <= MAX_LIST_CHARACTERS:
        return header
    return header[-MAX_LIST_CHARACTERS:].partition(",")[2]


def _split_elements(header: str) -> Iterator[str | None]:
    """Yield the elements from right to left; None for a part that is not an element.

    The shortest tail that is an element is cut off, again and again: nothing on the left, such as
    an unclosed quote, can change how an element on the right is read.
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
    return parse_node(re.sub(r"\\(.)", r"\1", node[1:-1]) if node.startswith('"') else node)
