"""What became of the requests to a service: a test of cancellation reads it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.demo.fault_call import ClientLeft


@dataclass(slots=True)
class RequestCounts:
    """Requests started, finished, aborted by the client, and in flight now.

    One that the service itself broke off, as a fault has it, is finished.
    """

    started: int = 0
    finished: int = 0
    aborted: int = 0
    in_flight: int = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request, and how it ends."""
        self.started += 1
        self.in_flight += 1
        try:
            yield
            self.finished += 1
        except ClientLeft:
            self.aborted += 1
        finally:
            self.in_flight -= 1
