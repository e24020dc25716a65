"""Finds the parts of a path that two services may read differently.

The gateway has one reading of a path (`gateway/request_path.py`), with which it matches routes and
owners. A service may have another: it may take `%2F` for a slash, cut `;` off, or decode twice.
`docs/decisions/proxied-paths.md` has the reasons.
"""

import re

_ESCAPED_SLASH = re.compile(rb"%2[Ff]")
_SLASH = re.compile(rb"/|%(?:25)?2[Ff]")
_ESCAPED_BACKSLASH = re.compile(rb"%5[Cc]")
_ESCAPED_TWICE = re.compile(rb"%25(?=[0-9A-Fa-f]{2})")
_SLASH_ESCAPED_TWICE = re.compile(rb"%252[Ff]")
_PATH_PARAMETERS = re.compile(rb";|%3[Bb]")
_DOTS = re.compile(rb"(?:%20)*(?:\.|%2[Ee])(?:\.|%2[Ee]|%20)*")


def find_ambiguity(path: bytes, *, encoded_slashes: bool, path_parameters: bool) -> str:
    """Return why services may differ in what this path means; "" if they do not.

    The text completes the sentence "The path ...". `decode_path` has accepted the path.
    """
    if _is_plain(path):
        return ""
    if _ESCAPED_BACKSLASH.search(path):
        return "has an escaped backslash (%5C)"
    if not encoded_slashes and _ESCAPED_SLASH.search(path):
        return "has an escaped slash (%2F), which this route does not accept"
    decoded_once = _SLASH_ESCAPED_TWICE.sub(b"", path) if encoded_slashes else path
    if _ESCAPED_TWICE.search(decoded_once):
        return "has an escape that is escaped again (%25 before two hexadecimal digits)"
    if not path_parameters and _PATH_PARAMETERS.search(path):
        return 'has a ";", which this route does not accept'
    return _find_ambiguous_segment(path)


def _is_plain(path: bytes) -> bool:
    """Whether a path has no escape, no path parameters and no segment that ends with a dot."""
    return not (b"%" in path or b";" in path or b"./" in path or path.endswith(b"."))


def _find_ambiguous_segment(path: bytes) -> str:
    """Find a segment that is "." or ".." for a service that cuts parameters, dots or spaces off.

    Tomcat reads `..;x` as `..`, and Windows reads `.. ` and `...` so.
    """
    for segment in _SLASH.split(path):
        name, *parameters = _PATH_PARAMETERS.split(segment, maxsplit=1)
        if parameters and not name:
            return "has a segment of path parameters alone"
        if _DOTS.fullmatch(name):
            return "has a segment of dots alone"
    return ""
