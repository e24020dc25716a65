"""A client that goes away while the server does not read from its connection."""

import asyncio
import socket
import struct
from contextlib import closing
from unittest.mock import Mock

from gateway.server.paused_connection_watch import PausedConnectionWatch


def open_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def create_transport(connection: socket.socket) -> Mock:
    """Create a transport as far as the watch needs it."""
    transport = Mock()
    transport.get_extra_info.return_value = connection
    return transport


async def test_an_end_is_reported_once_behind_unread_data(no_leaks: None) -> None:
    watch = PausedConnectionWatch()
    client, connection = open_pair()
    other_client, other = open_pair()
    reported = asyncio.Event()
    with closing(connection), closing(other_client), closing(other):
        gone, alive = create_transport(connection), create_transport(other)
        gone.get_protocol.return_value.eof_received.side_effect = reported.set
        watch.add(gone)
        watch.add(alive)
        client.sendall(b"unread")
        client.close()
        await asyncio.wait_for(reported.wait(), 60)
        await asyncio.sleep(0.15)
        gone.get_protocol.return_value.eof_received.assert_called_once_with()
        alive.get_protocol.assert_not_called()
        watch.discard(alive)


async def test_a_reset_is_reported_unless_the_server_reads_again(no_leaks: None) -> None:
    watch = PausedConnectionWatch()
    pairs = [open_pair(), open_pair()]
    reported = asyncio.Event()
    transports = [create_transport(connection) for _, connection in pairs]
    transports[0].get_protocol.return_value.eof_received.side_effect = reported.set
    for transport in transports:
        watch.add(transport)
    watch.discard(transports[1])
    for client, _ in pairs:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    await asyncio.wait_for(reported.wait(), 60)
    transports[1].get_protocol.assert_not_called()
    for _, connection in pairs:
        connection.close()
