"""Reads the hops of `Forwarded` (RFC 7239) and `X-Forwarded-For`, the nearest one first."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice

Address = IPv4Address | IPv6Address

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


def forwarded(header: str) -> Iterator[Address | None]:
    """The `for` nodes of `Forwarded`, right to left; None is a hop that gives no address."""
    return islice(map(_for_node, _elements(header)), MAX_HOPS)


def x_forwarded_for(header: str) -> Iterator[Address | None]:
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


def _for_node(element: str | None) -> Address | None:
    if element is None:
        return None
    nodes = [pair["value"] for pair in _PAIRS.finditer(element) if pair["name"].lower() == "for"]
    if len(nodes) != 1:
        return None
    node = nodes[0]
    return _node(re.sub(r"\\(.)", r"\1", node[1:-1]) if node.startswith('"') else node)


def _node(text: str) -> Address | None:
    match = _NODE.fullmatch(text)
    return _address(match["v4"] or match["v6"]) if match else None


def _hop(text: str) -> Address | None:
    text = text.strip(" \t")
    return _node(text) or _address(text)


def _address(text: str) -> Address | None:
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None
