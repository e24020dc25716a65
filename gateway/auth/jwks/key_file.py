"""Reads the key set of an issuer from its `jwks_file`."""

from collections.abc import Sequence
from json import JSONDecodeError
from pathlib import Path

from gateway.auth.jwks.key_set import MAX_DOCUMENT_BYTES, KeySet, parse_key_set
from gateway.bounded_file import read_bounded_file
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Issuer


def find_key_file_errors(issuers: Sequence[Issuer]) -> list[ConfigError]:
    """Find the key files that cannot be read or have no usable key. Blocks while it reads."""
    errors = []
    for index, issuer in enumerate(issuers):
        if issuer.jwks_file is not None:
            try:
                keys = read_key_file(issuer.jwks_file, issuer.algorithms)
            except ValueError as error:
                problem, hint = str(error), ""
            else:
                problem, hint = _describe_absence(keys), _describe_ignored(keys)
            if problem:
                message = f"{issuer.jwks_file}: {problem}"
                errors.append(ConfigError(f"issuers.{index}.jwks_file", message, hint))
    return errors


def read_key_file(path: Path, allowed: Sequence[str]) -> KeySet:
    """Read the keys for the `allowed` algorithms. Blocks.

    Raises:
        ValueError: the file cannot be read, or is not a JWK Set.
    """
    document = read_bounded_file(path, MAX_DOCUMENT_BYTES)
    if document.startswith(b"-----BEGIN "):
        raise ValueError("is PEM; convert the key to a JWK Set, which is JSON")
    try:
        return parse_key_set(document, allowed)
    except (JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"is not JSON: {error}") from None


def _describe_absence(keys: KeySet) -> str:
    return "" if keys.ids else "no usable key in the JWK Set"


def _describe_ignored(keys: KeySet) -> str:
    """Return why each of the first keys is not usable."""
    reasons = [
        f"key {key.key_id or number}: {key.reason}" for number, key in enumerate(keys.ignored, 1)
    ]
    return "; ".join(reasons[:3]) or "the list `keys` is empty"
