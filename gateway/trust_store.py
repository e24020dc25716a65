"""The trust store: the CA certificates that keys, services and Redis are verified against.

The certificates are those of the system, which `SSL_CERT_FILE` and `SSL_CERT_DIR` replace as in
OpenSSL, and those of `tls.ca_file`. Every function here reads files and blocks: call it at the
start or in a thread.
"""

import os
import ssl
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import certifi

from gateway.bounded_file import read_bounded_file

MAX_PEM_BYTES = 16_777_216

FileVersion = tuple[int, int, int] | None
"""Time of the last change, inode and size of a file; None if there is no such file."""

_BEGIN = b"-----BEGIN "
_BEGIN_CERTIFICATE = (b"-----BEGIN CERTIFICATE-----", b"-----BEGIN TRUSTED CERTIFICATE-----")


def create_ssl_context(ca_file: Path | None) -> ssl.SSLContext:
    """Create the context of a client that trusts the system and the CAs in `ca_file`.

    Raises:
        ValueError: `ca_file` cannot be used; the message gives the reason.
    """
    context = create_empty_context()
    load_trust_store(context, ca_file)
    return context


def share_ssl_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return the one context of the process for `ca_file`, a new one if a file has changed.

    Reading the roots of the system takes 10 to 50 ms.

    Raises:
        ValueError: `ca_file` cannot be used; the message gives the reason.
    """
    files = list(_iter_variable_paths())
    files += [] if ca_file is None else [ca_file]
    return _share_ssl_context(ca_file, tuple((file, get_version(file)) for file in files))


@lru_cache(maxsize=8)
def _share_ssl_context(
    ca_file: Path | None, _versions: tuple[tuple[Path, FileVersion], ...]
) -> ssl.SSLContext:
    return create_ssl_context(ca_file)


def create_empty_context() -> ssl.SSLContext:
    """Create the context of a client that verifies servers, but trusts no CA yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _set_verify_flags(context)
    context.set_alpn_protocols(["http/1.1"])
    return context


def load_trust_store(context: ssl.SSLContext, ca_file: Path | None) -> None:
    """Trust the system, or certifi if it has no certificates, and the CAs in `ca_file`.

    Raises:
        ValueError: `ca_file` cannot be used; the message gives the reason.
    """
    _set_verify_flags(context)
    context.set_default_verify_paths()
    if not _has_system_store():
        context.load_verify_locations(certifi.where())
    if ca_file is not None:
        load_ca_file(context, ca_file)


def load_ca_file(context: ssl.SSLContext, path: Path) -> None:
    """Trust the CAs in a PEM file.

    Raises:
        ValueError: the file has no usable certificate; the message gives the reason.
    """
    pem = read_pem(path)
    if not any(begin in pem for begin in _BEGIN_CERTIFICATE):
        raise ValueError(_describe_other_pem(pem))
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise ValueError(f"has a certificate that cannot be read: {error.reason}") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from None


def read_pem(path: Path) -> bytes:
    """Read a PEM file.

    Raises:
        ValueError: the file is missing, too large or not PEM; the message gives the reason.
    """
    content = read_bounded_file(path, MAX_PEM_BYTES)
    if not content.strip():
        raise ValueError("is empty")
    if _BEGIN not in content:
        kind = "DER, not PEM" if content[0] == 0x30 else "not PEM"
        raise ValueError(f"is {kind}: it has no line -----BEGIN CERTIFICATE-----")
    return content


def get_version(file: Path) -> FileVersion:
    """Return a value that changes when the file does, or when a link to it changes."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def find_variable_errors() -> Iterator[tuple[str, str]]:
    """Find errors in `SSL_CERT_FILE` and `SSL_CERT_DIR`, each with the name of the variable.

    OpenSSL ignores a wrong path, and then trusts no CA at all.
    """
    if file := os.environ.get("SSL_CERT_FILE"):
        try:
            load_ca_file(create_empty_context(), Path(file))
        except ValueError as error:
            yield "SSL_CERT_FILE", f"{file}: {error}"
    for folder in _list_folders(os.environ.get("SSL_CERT_DIR")):
        if not os.path.isdir(folder):  # noqa: PTH112 - Path may raise
            yield "SSL_CERT_DIR", f"{folder}: there is no such directory"


def _set_verify_flags(context: ssl.SSLContext) -> None:
    """Verify chains alike on every version of Python, as curl, nginx and Go do.

    An intermediate CA may be trusted without its root. A CA certificate without an Authority Key
    Identifier, as many private CAs have it, is accepted.
    """
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT


def _iter_variable_paths() -> Iterator[Path]:
    """Yield the file of `SSL_CERT_FILE` and the directories of `SSL_CERT_DIR`, if they are set."""
    if file := os.environ.get("SSL_CERT_FILE"):
        yield Path(file)
    yield from _list_folders(os.environ.get("SSL_CERT_DIR"))


def _list_folders(paths: str | None) -> list[Path]:
    return [Path(folder) for folder in (paths or "").split(os.pathsep) if folder]


def _has_system_store() -> bool:
    paths = ssl.get_default_verify_paths()  # those that exist, with the variables applied
    folders = _list_folders(paths.capath)
    return paths.cafile is not None or any(any(folder.glob("*.0")) for folder in folders)


def _describe_other_pem(pem: bytes) -> str:
    found = "a private key" if b"PRIVATE KEY-----" in pem else "something else"
    return f"has {found}, but no certificate: it has no line -----BEGIN CERTIFICATE-----"
