"""TLS towards one service: its CAs, the certificate of the gateway, and their reload."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gateway.trust_store import (
    FileVersion,
    create_empty_context,
    create_ssl_context,
    get_version,
    load_ca_file,
    read_pem,
    share_ssl_context,
)

T = TypeVar("T")

_MISMATCH = "KEY_VALUES_MISMATCH"


class InvalidTlsFile(ValueError):
    """A file cannot be used; `name` is the field of `TlsFiles` that is wrong."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files that a TLS context is made of.

    `trusted_ca_file` has CAs that are trusted in addition to those of the system. `ca_file` has
    the only CAs that are trusted. `client_certificate_file` is the certificate that the gateway
    presents, with its chain; `client_key_file` None means that it has the key too.
    """

    trusted_ca_file: Path | None = None
    ca_file: Path | None = None
    client_certificate_file: Path | None = None
    client_key_file: Path | None = None
    client_key_password: str | None = field(default=None, repr=False)

    def load_context(self) -> ssl.SSLContext:
        """Create a context from the files. Blocks while it reads them.

        Raises:
            InvalidTlsFile: one of them cannot be used.
        """
        if self.ca_file is None and self.client_certificate_file is None:
            return _name_errors("trusted_ca_file", lambda: share_ssl_context(self.trusted_ca_file))
        if self.ca_file is None:
            context = _name_errors(
                "trusted_ca_file", lambda: create_ssl_context(self.trusted_ca_file)
            )
        else:
            context, ca_file = create_empty_context(), self.ca_file
            _name_errors("ca_file", lambda: load_ca_file(context, ca_file))
        if self.client_certificate_file is not None:
            self._load_certificate(context, self.client_certificate_file)
        return context

    def get_versions(self) -> tuple[FileVersion, ...]:
        """Return a value that changes when one of the files does. Blocks while it asks."""
        return tuple(map(get_version, self._iter_files()))

    def _iter_files(self) -> Iterator[Path]:
        certificate, key = self.client_certificate_file, self.client_key_file
        for file in (self.trusted_ca_file, self.ca_file, certificate, key):
            if file is not None:
                yield file

    def _load_certificate(self, context: ssl.SSLContext, file: Path) -> None:
        _name_errors("client_certificate_file", lambda: load_ca_file(create_empty_context(), file))
        certificate = _name_errors("client_certificate_file", lambda: read_pem(file))
        name, key = self._read_key(certificate)
        is_encrypted = b"ENCRYPTED" in key
        if is_encrypted and self.client_key_password is None:
            reason = f"is required: the key in {name} is encrypted"
            raise InvalidTlsFile("client_key_password", reason)
        password = self.client_key_password or ""
        try:
            # A password is always given, because OpenSSL would ask for one on the terminal.
            context.load_cert_chain(file, self.client_key_file, lambda: password)
        except (OSError, ValueError) as error:
            raise _explain(error, name, is_encrypted=is_encrypted) from None

    def _read_key(self, certificate: bytes) -> tuple[str, bytes]:
        """Return the name of the setting with the key, and the content of its file."""
        key_file = self.client_key_file
        if key_file is None:
            name, key, hint = "client_certificate_file", certificate, ": set client_key_file"
        else:
            name, hint = "client_key_file", ""
            key = _name_errors(name, lambda: read_pem(key_file))
        if b"PRIVATE KEY-----" not in key:
            raise InvalidTlsFile(name, f"has no private key{hint}")
        return name, key


class ClientTls:
    """The TLS context of the connections to a service, loaded again when a file changes.

    `server_name` replaces the host of the URL in SNI and in the verification of the certificate.
    A context given as `context` is used as it is, and without files the first context stays in
    use. If files cannot be loaded again, for example
    because only one of two has been replaced yet, the last context stays in use, and
    `on_error` is called once for each such state of the files.
    """

    def __init__(
        self,
        files: TlsFiles | None = None,
        *,
        server_name: str | None = None,
        context: ssl.SSLContext | None = None,
        on_error: Callable[[InvalidTlsFile], None] | None = None,
    ) -> None:
        self.server_name = server_name
        self._files = files or TlsFiles()
        self._context = context
        self._is_fixed = context is not None or self._files == TlsFiles()
        self._versions: tuple[FileVersion, ...] | None = None
        self._on_error = on_error
        self._lock = threading.Lock()

    async def get_context(self) -> ssl.SSLContext:
        """Return the context for a new connection.

        Raises:
            InvalidTlsFile: a file cannot be used, and there is no earlier context.
        """
        if self._is_fixed and self._context is not None:
            return self._context
        return await asyncio.to_thread(self.load_context)

    def load_context(self) -> ssl.SSLContext:
        """Load the context if a file has changed since the last time. Blocks.

        Raises:
            InvalidTlsFile: a file cannot be used, and there is no earlier context.
        """
        with self._lock:
            versions = self._files.get_versions()
            if self._context is None or versions != self._versions:
                self._versions = versions
                self._context = self._load_or_keep()
            return self._context

    def _load_or_keep(self) -> ssl.SSLContext:
        try:
            return self._files.load_context()
        except InvalidTlsFile as error:
            if self._context is None:
                raise
            if self._on_error is not None:
                self._on_error(error)
            return self._context


def _name_errors(name: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except ValueError as error:
        raise InvalidTlsFile(name, str(error)) from None


def _explain(error: Exception, name: str, *, is_encrypted: bool) -> InvalidTlsFile:
    if isinstance(error, ssl.SSLError) and error.reason == _MISMATCH:
        return InvalidTlsFile(name, "has a key that does not fit the certificate")
    if is_encrypted:
        return InvalidTlsFile("client_key_password", f"does not decrypt the key in {name}")
    reason = getattr(error, "reason", None) or "it is corrupt"
    return InvalidTlsFile(name, f"cannot be loaded: {reason}")
