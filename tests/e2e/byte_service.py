"""A service that sends and receives large bodies and events, at little cost.

`python -m tests.e2e.byte_service` prints its port, and serves with one thread for each connection:

GET /bytes/N     N bytes
PUT /bytes       receives a body that has a Content-Length; responds with its size
GET /events/N    N server-sent events; the data of each is the time at which it was sent, in ns

The connection is kept, unless the query of a GET is `close`.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.running_demo import ROOT

PIECE = 1 << 18
EVENT_INTERVAL_SECONDS = 0.01

_ZEROS = memoryview(bytes(PIECE))


class ByteService(BaseHTTPRequestHandler):
    """Serves the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Send bytes or events."""
        path, _, query = self.path.partition("?")
        kind, _, count = path.strip("/").partition("/")
        self.close_connection |= query == "close"
        if kind == "bytes":
            self._send_bytes(int(count))
        elif kind == "events":
            self._send_events(int(count))
        else:
            self.send_error(404)

    def do_PUT(self) -> None:
        """Receive a body into one buffer, and respond with its size."""
        size = remaining = int(self.headers["Content-Length"])
        buffer = memoryview(bytearray(PIECE))
        while remaining:
            received = self.rfile.readinto1(buffer[: min(PIECE, remaining)])
            if not received:
                self.close_connection = True
                return
            remaining -= received
        body = b'{"received": %d}' % size
        self._send_head("application/json", ("Content-Length", str(len(body))))
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Log nothing: the service shares its core with the load generator."""

    def _send_bytes(self, size: int) -> None:
        self._send_head("application/octet-stream", ("Content-Length", str(size)))
        for _ in range(size // PIECE):
            self.wfile.write(_ZEROS)
        self.wfile.write(_ZEROS[: size % PIECE])

    def _send_events(self, count: int) -> None:
        self._send_head("text/event-stream", ("Transfer-Encoding", "chunked"))
        for _ in range(count):
            time.sleep(EVENT_INTERVAL_SECONDS)
            event = b"data: %d\n\n" % time.monotonic_ns()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, media_type: str, framing: tuple[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header(*framing)
        self.end_headers()


class _Server(ThreadingHTTPServer):
    request_queue_size = 1_024

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing about a client that has closed its connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serve_bytes() -> Iterator[int]:
    """Serve in threads of this process until the block ends; yields the port."""
    with _Server(("127.0.0.1", 0), ByteService) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def run_byte_service() -> Iterator[int]:
    """Serve in a process of its own until the block ends; yields the port."""
    command = [sys.executable, "-m", "tests.e2e.byte_service"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main() -> None:
    """Serve until the process is killed."""
    with _Server(("127.0.0.1", 0), ByteService) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
