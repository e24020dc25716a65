"""Reads a file of keys again when it has changed: signing keys, or those that encrypt them."""

import asyncio
import threading
from collections.abc import Callable
from logging import ERROR, getLogger
from pathlib import Path

from gateway.auth.clock import Clock
from gateway.identity.key_document import read_key_document
from gateway.telemetry.log import log_event

POLL_SECONDS = 1.0
MAX_READ_SECONDS = 5.0

log = getLogger("lockgate.identity")


class KeyFileWatcher:
    """Polls the key file; a file that cannot be used leaves the keys of the last one in force.

    `document` is the content of the file at the start. `use` puts the keys of each new content in
    force, and raises a ValueError if it has no usable ones. `error` is why the present file cannot
    be used, or "".
    """

    def __init__(
        self, path: Path, use: Callable[[bytes], None], *, document: bytes, clock: Clock
    ) -> None:
        self.error = ""
        self._path = path
        self._use = use
        self._document = document
        self._clock = clock
        self._reading: asyncio.Future[bytes] | None = None

    def __repr__(self) -> str:
        return f"<KeyFileWatcher {self._path} error={self.error!r}>"

    async def watch(self) -> None:
        """Check the file every `POLL_SECONDS` until cancelled."""
        while True:
            await self._clock.sleep(POLL_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Read the file, and use its keys if its content is another.

        A read that takes longer than `MAX_READ_SECONDS`, as on a network file system whose server
        is gone, is reported, and the next check waits for the same read.
        """
        if self._reading is None:
            self._reading = _start_read(self._path)
        done, _ = await asyncio.wait({self._reading}, timeout=MAX_READ_SECONDS)
        if not done:
            self._record_failure(f"a read of it takes more than {MAX_READ_SECONDS:g} s")
            return
        reading, self._reading = self._reading, None
        try:
            # The content is compared, not its time of change: the file is small, and two writes in
            # one tick of the file system have one time.
            document = reading.result()
            if document != self._document:
                self._use(document)
        except ValueError as error:
            self._record_failure(str(error))
            return
        self._document = document
        if self.error:
            log_event(log, "signing_keys.reload_recovered", file=str(self._path))
            self.error = ""

    def _record_failure(self, error: str) -> None:
        if error != self.error:
            log_event(log, "signing_keys.reload_failed", ERROR, file=str(self._path), reason=error)
        self.error = error


def _start_read(path: Path) -> asyncio.Future[bytes]:
    """Read the file in a thread that does not keep the process from ending.

    Python waits for the threads of an executor at its end, and a read can take for ever.
    """
    loop = asyncio.get_running_loop()
    reading: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        document, error = b"", None
        try:
            document = read_key_document(path)
        except Exception as raised:  # noqa: BLE001 - it is raised in the task that waits
            error = raised
        try:
            loop.call_soon_threadsafe(_finish, reading, document, error)
        except RuntimeError:  # the loop is closed: the gateway has stopped
            return

    threading.Thread(target=read, name="key file", daemon=True).start()
    return reading


def _finish(reading: asyncio.Future[bytes], document: bytes, error: Exception | None) -> None:
    if reading.cancelled():
        return
    if error is None:
        reading.set_result(document)
    else:
        reading.set_exception(error)
