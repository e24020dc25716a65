"""A key file for a gateway that runs for a while only, such as the demo or a test."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.identity.key_file_rotation import rotate_key_file


@contextmanager
def create_temporary_key_file() -> Iterator[Path]:
    """Create a key file with one new key, and delete it after the block. Blocks for some ms."""
    with TemporaryDirectory(prefix="lockgate-") as folder:  # only its owner can enter it
        path = Path(folder, "signing.jwks")
        rotate_key_file(path, "ES256", time.time())
        yield path
