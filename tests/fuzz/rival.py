"""A second opinion: what h11, the reader under httpx, makes of the same bytes."""

import h11

from tests.fuzz.reference import Reading


def rival(data: bytes, *, bodiless: bool) -> Reading:
    """Read the response to one request; after `data` the server closes the connection."""
    connection = h11.Connection(h11.CLIENT)
    method = b"HEAD" if bodiless else b"GET"
    connection.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a")]))
    connection.send(h11.EndOfMessage())
    reading = Reading()
    try:
        if data:
            connection.receive_data(data)
        connection.receive_data(b"")
        _read(connection, reading)
    except h11.RemoteProtocolError:
        reading.state = "none"
    return reading


def _read(connection: h11.Connection, reading: Reading) -> None:
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            reading.status = event.status_code
            reading.version = event.http_version.decode()
            reading.fields = list(event.headers.raw_items())
        elif isinstance(event, h11.Data):
            reading.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            reading.state = "whole"
            return
        elif (
            event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed)
        ):
            return
