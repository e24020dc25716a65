"""Where the ops app is, and the token for it: options, variables, or the running demo."""

import argparse
import os
import sys
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from gateway.cli.running_demo import request_operator_token
from gateway.ops.ops_scopes import OPS_SCOPES
from gateway.settings.client_variables import OPS_TOKEN_VARIABLE, OPS_URL_VARIABLE
from gateway.startup_error import StartupError

DEFAULT_URL = "http://127.0.0.1:9000"

_MAX_TOKEN_LENGTH = 65_536
_ROUTES = frozenset({"limits", "usage", "status", "recording", "console"})
"""Ends of a URL that was copied from a browser or a log."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class InvalidAddress(StartupError):
    """The address of the ops app, or the token for it, cannot be used."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class OpsAddress:
    """The URL of the ops app, without a slash at its end, and a token.

    `token_source` names where the token is from; None if there is none.
    """

    url: str
    token: str | None = field(repr=False)
    token_source: str | None = field(default=None, compare=False)

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the URL names this machine."""
        return urlsplit(self.url).hostname in _LOOPBACK

    @property
    def is_that_of_the_demo(self) -> bool:
        """Whether a running demo serves its ops app there."""
        return self.is_on_this_machine and urlsplit(self.url).port == urlsplit(DEFAULT_URL).port


def find_ops_address(options: argparse.Namespace) -> OpsAddress:
    """Return the address that the options name; else the variables; else that of the demo.

    Raises:
        InvalidAddress: the URL or the token cannot be used; the message never has the token.
    """
    given = options.ops or os.environ.get(OPS_URL_VARIABLE)
    source = "--ops" if options.ops else OPS_URL_VARIABLE
    url = DEFAULT_URL if not given else _check_url(given.strip(), source)
    token, token_source = _find_token(options.token)
    address = OpsAddress(url, token, token_source)
    if token is None and address.is_that_of_the_demo:
        token = request_operator_token(OPS_SCOPES)
        return OpsAddress(url, token, None if token is None else "the running demo")
    return address


def _check_url(url: str, source: str) -> str:
    try:
        parts = urlsplit(url)
        is_valid = _is_address(parts)
    except ValueError:
        is_valid = False
    if not is_valid or not url.isprintable():
        # Without the text, which may have a password.
        message = f"{source} must be the URL of the ops app, such as {DEFAULT_URL}"
        raise InvalidAddress(message)
    if parts.path.rstrip("/").rpartition("/")[2] in _ROUTES:
        message = f"{source} must be the URL of the ops app, without {parts.path} at its end"
        raise InvalidAddress(message)
    return url.rstrip("/")


def _is_address(parts: SplitResult) -> bool:
    """Whether this is a URL with nothing but a scheme, a host, a port and a path."""
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and parts.port != 0
        and not parts.query
        and not parts.fragment
    )


def _find_token(option: str | None) -> tuple[str | None, str | None]:
    """Return the token and where it is from; an empty one is an error, as it was to be one."""
    text, source = os.environ.get(OPS_TOKEN_VARIABLE), OPS_TOKEN_VARIABLE
    if option is not None:
        text, source = option, "--token"
    if option == "-":
        text, source = sys.stdin.readline(_MAX_TOKEN_LENGTH), "standard input"
    if text is None:
        return None, None
    token = text.lstrip().removeprefix("Bearer ").strip()
    if not token:
        raise InvalidAddress(f"{source} is empty: it must have the token of an operator")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidAddress(f"{source} must have one token")
    return token, source
