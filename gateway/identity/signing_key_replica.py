"""Keeps the signing keys of this process up to date with the database and the key file."""

from contextlib import suppress

from sqlalchemy import Connection

from gateway.identity.key_encryption import KeyEncryption, UndecryptableKey, parse_key_file
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.identity.stored_keys import StoredKey, decrypt_keys, has_changes, list_stored_keys


class SigningKeyReplica:
    """Decrypts the stored keys into a `SigningKeyProvider`.

    `stored` is what was read last, None before the first read. Keys that cannot be decrypted leave
    those before them in force.
    """

    def __init__(self, keys: SigningKeyProvider, encryption: KeyEncryption) -> None:
        self.encryption = encryption
        self.stored: list[StoredKey] | None = None
        self._keys = keys
        self._is_decrypted = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.encryption!r} {self._keys!r}>"

    def load(self, connection: Connection, after: int) -> list[StoredKey] | None:
        """Load the keys, without decrypting them; None if the journal has no change of them."""
        if after and not has_changes(connection, after):
            return None
        return list_stored_keys(connection)

    def apply(self, loaded: list[StoredKey] | None) -> None:
        """Put the loaded keys in force.

        A failure is not reported yet. `lockgate key-file rotate` changes the file, then the
        database, and this process may learn of the file last: `retry` comes after it.
        """
        if loaded is not None:
            self.stored = loaded
            with suppress(UndecryptableKey):
                self._decrypt()

    def use_key_file(self, content: bytes) -> None:
        """Decrypt with the keys of another key file from now on.

        Raises:
            InvalidKeyFile: it has no usable keys.
        """
        self.encryption = parse_key_file(content)
        self._is_decrypted = False

    def retry(self) -> None:
        """Decrypt what has not been decrypted with the present key file; report a failure."""
        if self._is_decrypted:
            return
        try:
            self._decrypt()
        except UndecryptableKey as error:
            self._keys.record_failure(str(error))

    def _decrypt(self) -> None:
        self._is_decrypted = False
        keys = decrypt_keys(self.stored or (), self.encryption)
        self._is_decrypted = True
        self._keys.record_success()
        if keys is not None and (not self._keys.is_loaded or self._keys.get_keys().ids != keys.ids):
            self._keys.use_keys(keys)
