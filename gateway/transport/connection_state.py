"""The states of a connection to a service."""

from enum import Enum, auto


class ConnectionState(Enum):
    """The states of a connection; derived for `repr` and tests, never stored."""

    CONNECTING = auto()  # the event loop has not called `connection_made` yet
    IDLE = auto()  # no exchange in flight: the pool has it, or a caller just before or after one
    SENDING = auto()  # the request is in the write batch, or its body is being streamed
    AWAITING_FIRST_BYTE = auto()  # the request is written; nothing of the response has arrived
    RECEIVING = auto()  # part of the response has arrived; the request may still be in transit
    COMPLETE = auto()  # all of the response has arrived; its body has not been taken yet
    CLOSED = auto()  # either side has ended it; it is never used again
