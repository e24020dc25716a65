"""A resolver for tests: names with several addresses, some of which do not work."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NAME = "service.test"


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str, name: str = NAME) -> list[str]:
    """Let `name` have these addresses; return the list of lookups, which grows."""
    lookups: list[str] = []
    getaddrinfo = socket.getaddrinfo

    def look_up(host: str | bytes, port: int, *args: int, **options: int) -> object:
        text = host.decode() if isinstance(host, bytes) else host
        if text != name:
            return getaddrinfo(host, port, *args, **options)
        if options.get("flags", 0) & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        lookups.append(text)
        return [
            (family, socket.SOCK_STREAM, 6, "", sockaddr)
            for address in addresses
            for family, _, _, _, sockaddr in getaddrinfo(address, port, type=socket.SOCK_STREAM)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return lookups


@contextmanager
def black_hole(address: str, port: int) -> Iterator[None]:
    """Let connection attempts to an address of this machine get no response, as a firewall does.

    The kernel drops them while the backlog of the listening socket is full.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(0)
        fillers = [socket.socket(family) for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((address, port))
        try:
            yield
        finally:
            for filler in fillers:
                filler.close()
