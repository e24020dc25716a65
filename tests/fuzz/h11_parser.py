"""Parses bytes with h11, the HTTP/1.1 parser that httpx uses."""

import h11

from tests.fuzz.reference_parser import ParseResult


def parse_with_h11(data: bytes, *, bodiless: bool) -> ParseResult:
    """Parse the response to one request; after `data` the server closes the connection."""
    connection = h11.Connection(h11.CLIENT)
    method = b"HEAD" if bodiless else b"GET"
    connection.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
    connection.send(h11.EndOfMessage())
    result = ParseResult()
    try:
        if data:
            connection.receive_data(data)
        connection.receive_data(b"")
        _read_events(connection, result)
    except h11.RemoteProtocolError:
        result.state = "invalid"
    return result


def _read_events(connection: h11.Connection, result: ParseResult) -> None:
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            result.status = event.status_code
            result.version = event.http_version.decode()
            result.fields = list(event.headers.raw_items())
        elif isinstance(event, h11.Data):
            result.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            result.state = "complete"
            return
        elif (
            event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed)
        ):
            return
