"""The methods of proxied routes are those that the server parses."""

import pytest
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from gateway.proxy.declaration.methods import PROXIED_METHODS

# Methods of RFC 9110, of its registry (IANA), and of UPnP and caches.
KNOWN = """
ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK M-SEARCH
MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE NOTIFY OPTIONS ORDERPATCH PATCH
POST PRI PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND
UNCHECKOUT UNLINK UNLOCK UNSUBSCRIBE UPDATE UPDATEREDIRECTREF VERSION-CONTROL
"""


class Ignore:
    """Ignores the events of the parser."""


@pytest.mark.parametrize("method", KNOWN.split())
def test_a_method_is_proxied_if_the_server_parses_it(method: str) -> None:
    parser = HttpRequestParser(Ignore())
    try:
        parser.feed_data(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        is_parsed = True
    except HttpParserUpgrade:
        is_parsed = True  # CONNECT
    except HttpParserError:
        is_parsed = False
    assert (method in PROXIED_METHODS) == (is_parsed and method not in {"CONNECT", "TRACE"})
