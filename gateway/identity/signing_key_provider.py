"""`SigningKeyProvider`: the signing keys in force, for all that signs or verifies with them."""

from collections.abc import Callable

from gateway.errors.tree import DatabaseUnavailable
from gateway.identity.key_timetable import SigningKeys

_RETRY_SECONDS = 1.0


class SigningKeyProvider:
    """Holds the keys of this process, and reports each change of them.

    Keys of a file are there from the start. Keys of the database are there once it has been read.
    """

    def __init__(self, keys: SigningKeys | None = None) -> None:
        self._keys = keys
        self._on_change = list[Callable[[], object]]()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._keys!r}>"

    def get_keys(self) -> SigningKeys:
        """Return the keys in force.

        Raises:
            DatabaseUnavailable: the keys have not been read yet.
        """
        if self._keys is None:
            raise DatabaseUnavailable(_RETRY_SECONDS, "the signing keys have not been read yet")
        return self._keys

    def use_keys(self, keys: SigningKeys) -> None:
        """Put other keys in force."""
        self._keys = keys
        for function in self._on_change:
            function()

    def call_on_change(self, function: Callable[[], object]) -> None:
        """Call a function after each change, as long as this provider exists."""
        self._on_change.append(function)
