"""The TLS settings of the gateway and of its services, and the errors in them."""

from gateway.settings.errors import ConfigError
from gateway.settings.schema import Settings
from gateway.trust_store import create_empty_context, find_variable_errors, load_ca_file


def find_tls_errors(settings: Settings) -> list[ConfigError]:
    """Find the certificate files that cannot be used. Blocks while it reads them."""
    errors = [ConfigError(name, message) for name, message in find_variable_errors()]
    if (ca_file := settings.tls.ca_file) is not None:
        try:
            load_ca_file(create_empty_context(), ca_file)
        except ValueError as error:
            errors.append(ConfigError("tls.ca_file", f"{ca_file}: {error}"))
    return errors
