"""The hosts in `server.allowed_hosts`, and the words for one that does not fit."""

from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator

from gateway.settings.host_names import is_host_name
from gateway.settings.setting_types import Text

WILDCARD = "*."
"""The beginning of a pattern: all subdomains of the domain that follows, but not the domain."""


def parse_host(text: str) -> str:
    """Return the host of a `Host` field as `allowed_hosts` has it: without port and brackets."""
    text = text.lower()
    if text.startswith("["):
        return _compress(text[1:].partition("]")[0])
    return text.partition(":")[0].removesuffix(".")


def _check_allowed_host(text: str) -> str:
    """Check a host name, an IP address or a pattern, and return it as `parse_host` does."""
    text = text.lower()
    address = _compress(text.removeprefix("[").removesuffix("]"))
    if _is_address(address):
        if "%" in address:
            raise ValueError("must be an address without a zone: no Host field has one")
        return address
    if text == "*":
        raise ValueError("must be a host, such as api.example.com; an empty list allows every host")
    if "/" in text:
        raise ValueError("must be a host alone, without scheme and path")
    name = text.removeprefix(WILDCARD)
    if "*" in name or (name != text and ("." not in name or _is_address(name))):
        raise ValueError("may have * only for the subdomains of a domain, such as *.example.com")
    if ":" in name:
        raise ValueError("must be a host without a port: every port is allowed")
    if not is_host_name(name) or name.rstrip(".").rpartition(".")[2].isdigit():
        raise ValueError("must be a host name, an IP address, or a pattern such as *.example.com")
    return text.removesuffix(".")


def _refuse_all_hosts(text: str) -> str:
    if text == "*":
        raise ValueError("must be a host: a page of any site could give a name to this address")
    return text


def _compress(text: str) -> str:
    """Return an IPv6 address in its shortest form; anything else as it is."""
    return str(ip_address(text)) if _is_address(text) else text


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


AllowedHost = Annotated[Text, AfterValidator(_check_allowed_host)]
OpsHost = Annotated[Text, AfterValidator(_refuse_all_hosts), AfterValidator(_check_allowed_host)]
