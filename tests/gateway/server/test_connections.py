"""Which connection gives way at the limit, and what a timeout of a queue does."""

import asyncio
from dataclasses import dataclass, field

from gateway.server.connections import (
    LINGER_SECONDS,
    MAX_CANDIDATES,
    MIN_SILENT_SECONDS,
    ClientTimeouts,
    OpenConnections,
    Room,
)

TIMEOUTS = ClientTimeouts(idle=75, head=15, stall=30)


@dataclass(eq=False)
class FakeConnection:
    """Records what is done to it."""

    is_unread: bool = False
    events: list[str] = field(default_factory=list)

    def has_unread_data(self) -> bool:
        return self.is_unread

    def expire_idle(self) -> None:
        self.events.append("idle")

    def expire_head(self) -> None:
        self.events.append("head")

    def expire_closing(self) -> None:
        self.events.append("closing")

    def check_body(self, seconds: float) -> None:
        self.events.append(f"body {seconds}")

    def check_reader(self, seconds: float) -> None:
        self.events.append(f"reader {seconds}")

    def abort(self) -> None:
        self.events.append("abort")


def open_connections(max_connections: int = 10) -> OpenConnections:
    return OpenConnections(TIMEOUTS, max_connections)


def test_each_queue_has_its_own_timeout() -> None:
    connections, one = open_connections(), FakeConnection()
    queues = [
        (connections.new, 75, "idle"),
        (connections.idle, 75, "idle"),
        (connections.heads, 15, "head"),
        (connections.closing, LINGER_SECONDS, "closing"),
        (connections.bodies, 30, "body 30"),
        (connections.readers, 30, "reader 30"),
    ]
    for queue, seconds, event in queues:
        queue.add(one, 1_000)
        connections.expire(1_000 + seconds - 0.1)
        assert one.events == []
        connections.expire(1_000 + seconds)
        assert one.events.pop() == event
        assert not len(queue)


def test_only_those_that_waited_long_enough_expire() -> None:
    connections = open_connections()
    old, young = FakeConnection(), FakeConnection()
    connections.idle.add(young, 0)
    connections.idle.add(old, 0)
    connections.idle.add(young, 10)  # it had a request meanwhile
    connections.expire(80)
    assert (old.events, young.events) == (["idle"], [])


def test_the_longest_silent_connection_gives_way_whatever_it_waits_for() -> None:
    connections = open_connections()
    queues = (connections.heads, connections.idle, connections.new, connections.closing)
    silent = [FakeConnection() for _ in queues]
    for since, (queue, connection) in enumerate(zip(queues, silent, strict=True)):
        queue.add(connection, since)
    for expected in silent:
        assert not expected.events
        assert connections.make_room(100) is Room.MADE
        assert expected.events == ["abort"]
    assert connections.make_room(100) is Room.NONE


def test_new_connections_give_way_first_while_they_are_more_than_half() -> None:
    connections = open_connections(max_connections=4)
    kept = FakeConnection()
    connections.idle.add(kept, 0)
    new = [FakeConnection() for _ in range(3)]
    for since, connection in enumerate(new, start=1):
        connections.new.add(connection, since)
    assert connections.make_room(10) is Room.MADE
    assert new[0].events == ["abort"]
    assert connections.make_room(10) is Room.MADE
    assert kept.events == ["abort"]


def test_a_connection_with_data_on_its_way_does_not_give_way() -> None:
    connections = open_connections()
    busy, silent = FakeConnection(is_unread=True), FakeConnection()
    connections.idle.add(busy, 0)
    connections.idle.add(silent, 1)
    assert connections.make_room(10) is Room.MADE
    assert (busy.events, silent.events) == ([], ["abort"])
    assert connections.make_room(10) is Room.SOON
    assert busy.events == []


def test_the_search_for_a_silent_connection_is_bounded() -> None:
    connections = open_connections()
    looked_at: list[FakeConnection] = []

    class Counted(FakeConnection):
        def has_unread_data(self) -> bool:
            looked_at.append(self)
            return True

    for since in range(1_000):
        connections.idle.add(Counted(), since)
    assert connections.make_room(2_000) is Room.SOON
    assert len(looked_at) == MAX_CANDIDATES


def test_each_client_has_time_to_send_its_request() -> None:
    connections, silent = open_connections(), FakeConnection()
    connections.new.add(silent, 10)
    assert connections.make_room(10 + MIN_SILENT_SECONDS - 0.01) is Room.SOON
    assert silent.events == []
    assert connections.make_room(10 + MIN_SILENT_SECONDS) is Room.MADE


def test_connections_that_are_being_opened_are_new_ones() -> None:
    connections = open_connections(max_connections=4)
    kept = FakeConnection()
    connections.idle.add(kept, 0)
    connections.opening.update(asyncio.Protocol() for _ in range(3))
    assert connections.make_room(10) is Room.SOON
    assert kept.events == []
    connections.opening.pop()
    assert connections.make_room(10) is Room.MADE
    assert kept.events == ["abort"]
    assert connections.make_room(10) is Room.SOON
    connections.opening.clear()
    assert connections.make_room(10) is Room.NONE
