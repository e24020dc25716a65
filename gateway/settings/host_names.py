"""The grammar of host names, as URLs and settings have them."""

import re

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_MAX_CHARACTERS = 253


def is_host_name(text: str) -> bool:
    """Whether `text` can be the name of a host, or an IPv4 address."""
    return len(text) <= _MAX_CHARACTERS and _HOST_NAME.fullmatch(text) is not None
