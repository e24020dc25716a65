"""The TLS settings of the gateway and of its services, and the errors in them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.settings.errors import ConfigError
from gateway.settings.schema import Service, Settings
from gateway.transport.tls import ClientTls, InvalidTlsFile, TlsFiles
from gateway.trust_store import (
    create_empty_context,
    find_variable_errors,
    load_ca_file,
    read_pem,
)


def create_client_tls(
    service: Service,
    trusted_ca_file: Path | None,
    on_error: Callable[[InvalidTlsFile], None] | None = None,
) -> ClientTls:
    """Create the TLS of the connections to a service; `on_error` is called if a reload fails."""
    files = _get_files(service, trusted_ca_file)
    return ClientTls(files, server_name=service.tls.server_name, on_error=on_error)


def find_tls_errors(settings: Settings) -> list[ConfigError]:
    """Find the certificate files that cannot be used. Blocks while it reads them."""
    errors = [ConfigError(name, message) for name, message in find_variable_errors()]
    if (ca_file := settings.tls.ca_file) is not None:
        try:
            load_ca_file(create_empty_context(), ca_file)
        except ValueError as error:
            errors.append(ConfigError("tls.ca_file", f"{ca_file}: {error}"))
    for name, service in settings.upstreams.items():
        errors += _find_service_errors(name, service)
    return errors


def find_expired_certificate(service: Service) -> datetime | None:
    """Return the end of the validity of the gateway's certificate if it has passed. Blocks.

    The service refuses such a certificate, but all others work: it is no error of the settings.
    A certificate that cannot be parsed, although OpenSSL has loaded it, does not count as expired.
    """
    file = service.tls.client_certificate_file
    if file is None:
        return None
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - takes 30 ms

    try:
        end = load_pem_x509_certificates(read_pem(file))[0].not_valid_after_utc
    except ValueError:
        return None
    return end if end < datetime.now(UTC) else None


def _get_files(service: Service, trusted_ca_file: Path | None) -> TlsFiles:
    tls = service.tls
    password = tls.client_key_password
    return TlsFiles(
        trusted_ca_file=trusted_ca_file,
        ca_file=tls.ca_file,
        client_certificate_file=tls.client_certificate_file,
        client_key_file=tls.client_key_file,
        client_key_password=None if password is None else password.get_secret_value(),
    )


def _find_service_errors(name: str, service: Service) -> Iterator[ConfigError]:
    try:
        _get_files(service, None).load_context()
    except InvalidTlsFile as error:
        file = getattr(service.tls, error.name)
        place = f"{file}: " if isinstance(file, Path) else ""
        yield ConfigError(f"upstreams.{name}.tls.{error.name}", f"{place}{error}")
