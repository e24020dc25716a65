"""`SigningKeyProvider`: the signing keys in force, for all that signs or verifies with them."""

from collections.abc import Callable
from logging import ERROR, WARNING, getLogger

from gateway.auth.clock import Clock
from gateway.errors.tree import DatabaseUnavailable
from gateway.identity.key_timetable import SigningKeys
from gateway.telemetry.log import log_event

log = getLogger("lockgate.identity")


class SigningKeyProvider:
    """Holds the keys of this process, logs and reports each change of them.

    Keys of a file are there from the start. Keys of the database are there once it has been read.
    `source` is the file, or the database, for the log. `error` is why the newest keys cannot be
    used, or "": those before them stay in force.
    """

    def __init__(
        self, keys: SigningKeys | None = None, *, source: str = "", clock: Clock | None = None
    ) -> None:
        self.error = ""
        self._keys = keys
        self._source = source
        self._clock = clock or Clock()
        self._on_change = list[Callable[[], object]]()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._keys!r} error={self.error!r}>"

    @property
    def is_loaded(self) -> bool:
        """Whether there are keys."""
        return self._keys is not None

    def get_keys(self) -> SigningKeys:
        """Return the keys in force.

        Raises:
            DatabaseUnavailable: the keys have not been read yet.
        """
        if self._keys is None:
            raise DatabaseUnavailable.before_first_read("the signing keys")
        return self._keys

    def use_keys(self, keys: SigningKeys) -> None:
        """Put other keys in force; warn of each whose tokens services could still get to see."""
        former, self._keys = self._keys, keys
        dropped = former.list_dropped(keys, self._clock.now()) if former is not None else ()
        for key_id in dropped:
            log_event(log, "signing_keys.dropped", WARNING, source=self._source, key_id=key_id)
        log_event(log, "signing_keys.changed", source=self._source, key_ids=", ".join(keys.ids))
        self.record_success()
        for function in self._on_change:
            function()

    def record_failure(self, error: str) -> None:
        """Log that the newest keys cannot be used, once for each reason."""
        if error != self.error:
            log_event(log, "signing_keys.reload_failed", ERROR, file=self._source, reason=error)
        self.error = error

    def record_success(self) -> None:
        """Log that the newest keys can be used again."""
        if self.error:
            log_event(log, "signing_keys.reload_recovered", file=self._source)
        self.error = ""

    def call_on_change(self, function: Callable[[], object]) -> None:
        """Call a function after each change, as long as this provider exists."""
        self._on_change.append(function)
