"""How services read a path, apart from decoding it once as the gateway does."""

import re
from urllib.parse import unquote_to_bytes


def read_once(path: bytes) -> bytes:
    """Decode the escapes."""
    return unquote_to_bytes(path)


def read_as_tomcat(path: bytes) -> bytes:
    """Cut the parameters off each segment, then decode."""
    return unquote_to_bytes(re.sub(rb";[^/]*", b"", path))


def read_parameters_late(path: bytes) -> bytes:
    """Decode, then cut the parameters off."""
    return re.sub(rb";[^/]*", b"", unquote_to_bytes(path))


def read_twice(path: bytes) -> bytes:
    """Decode twice, as two programs in a row may do."""
    return unquote_to_bytes(unquote_to_bytes(path))


def read_as_windows(path: bytes) -> bytes:
    """Take a backslash for a slash, and dots with spaces for "..", as Windows does."""
    decoded = unquote_to_bytes(path).replace(b"\\", b"/")
    segments = [b".." if re.fullmatch(rb" *\.[. ]+", it) else it for it in decoded.split(b"/")]
    return b"/".join(segments)


READINGS = (read_once, read_as_tomcat, read_parameters_late, read_twice, read_as_windows)
