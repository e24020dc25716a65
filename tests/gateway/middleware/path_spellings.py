"""Ways to write a path that some program on the way may take for it."""

from urllib.parse import quote

_FULL_WIDTH = 0xFEE0  # from an ASCII character to its full-width form

_INVALID = [
    *(f"{{}}%{code:02x}" for code in (0, 9, 10, 13, 31, 127)),
    *("{}%0a%0d", "{}%C2%85", "{}%E2%80%A8"),
    *("{}%ff", "{}%C0%80", "{}%", "{}%u000a", "{}%zz"),
    *("/{}", "//{}", "{}//", "/x//..{}", "/x/..{}", "/.{}", "{}/.", "{}/..", "{}/x/.."),
    *("/x/%2e%2e{}", "/x/.%2E{}", "/%2e{}", "{}/%2E", "/x/..%2f{}", "/x%2f..{}", "/x/..%5c{}"),
    "/x\\..{}",
]


def write_invalid(path: str) -> list[str]:
    """Return spellings that the gateway refuses."""
    first = f"/%{ord(path[1]):02x}{path[2:]}"
    return [*(it.format(path) for it in _INVALID), first, first.upper()]


def write_similar(path: str) -> list[str]:
    """Return other paths, which are not `path` itself."""
    endings = ("/", "%20", ";", ";x=1", ".", "%3F", "%23", "+", "%EF%BB%BF", "/x", "%2F", "%252f")
    return [
        *(path + end for end in endings),
        path.upper(),
        "/" + quote(chr(ord(path[1]) + _FULL_WIDTH)) + path[2:],
        *("/x;" + path, "/..;" + path, "/%2F" + path[1:], "/x%2F.x" + path),
    ]
