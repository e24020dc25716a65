"""Reads the signing keys again when their file has changed."""

import asyncio
from collections.abc import Callable
from logging import ERROR, getLogger
from pathlib import Path

from gateway.auth.clock import Clock
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key_file import parse_signing_keys, read_key_document
from gateway.telemetry.log import log_event

POLL_SECONDS = 1.0

log = getLogger("lockgate.identity")


class KeyFileWatcher:
    """Polls the key file; a file that cannot be used leaves the keys of the last one in force.

    `on_change` is called with the keys of each new content. `error` is why the present file cannot
    be used, or "".
    """

    def __init__(
        self,
        path: Path,
        on_change: Callable[[SigningKeys], None],
        *,
        document: bytes,
        clock: Clock,
    ) -> None:
        self.error = ""
        self._path = path
        self._on_change = on_change
        self._document = document
        self._clock = clock

    def __repr__(self) -> str:
        return f"<KeyFileWatcher {self._path} error={self.error!r}>"

    async def watch(self) -> None:
        """Check the file every `POLL_SECONDS` until cancelled."""
        while True:
            await self._clock.sleep(POLL_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Read the file, and use its keys if they are others."""
        try:
            # The content is compared, not its time of change: the file is small, and two writes in
            # one tick of the file system have one time.
            document = await asyncio.to_thread(read_key_document, self._path)
            keys = None if document == self._document else parse_signing_keys(document)
        except ValueError as error:
            self._record_failure(str(error))
            return
        if self.error:
            log_event(log, "signing_keys.reload_recovered", file=str(self._path))
            self.error = ""
        if keys is not None:
            self._document = document
            self._on_change(keys)
            key_ids = ", ".join(keys.ids)
            log_event(log, "signing_keys.changed", file=str(self._path), key_ids=key_ids)

    def _record_failure(self, error: str) -> None:
        if error != self.error:
            log_event(log, "signing_keys.reload_failed", ERROR, file=str(self._path), reason=error)
        self.error = error
