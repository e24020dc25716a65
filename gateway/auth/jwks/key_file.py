"""Reads the key set of an issuer from its `jwks_file`."""

from collections.abc import Sequence
from json import JSONDecodeError
from pathlib import Path

from gateway.auth.jwks.key_set import MAX_DOCUMENT_BYTES, KeySet, NoUsableKey, parse_key_set
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Issuer

_USABLE_KEY = (
    "a usable key has a kid of its own, one of the algorithms of the issuer, no use except "
    "sig, and no private members"
)


def find_key_file_errors(issuers: Sequence[Issuer]) -> list[ConfigError]:
    """Find the key files that cannot be read or have no usable key. Blocks while it reads."""
    errors = []
    for index, issuer in enumerate(issuers):
        if issuer.jwks_file is not None:
            try:
                read_key_file(issuer.jwks_file, issuer.algorithms)
            except ValueError as error:
                hint = _USABLE_KEY if isinstance(error, NoUsableKey) else ""
                message = f"{issuer.jwks_file}: {error}"
                errors.append(ConfigError(f"issuers.{index}.jwks_file", message, hint))
    return errors


def read_key_file(path: Path, allowed: Sequence[str]) -> KeySet:
    """Read the keys for the `allowed` algorithms.

    Raises:
        ValueError: there is no such file, it cannot be read, or it is not a usable key set.
    """
    try:
        with path.open("rb") as file:
            document = file.read(MAX_DOCUMENT_BYTES + 1)
    except FileNotFoundError:
        raise ValueError("there is no such file") from None
    except IsADirectoryError:
        raise ValueError("is a directory, not a file") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from None
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        return parse_key_set(document, allowed)
    except (JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"is not JSON: {error}") from None
