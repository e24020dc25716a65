"""Checks the path of a proxied route, and its path below the base path of the service."""

import re
from collections.abc import Iterator

from starlette.convertors import PathConvertor
from starlette.routing import compile_path

from gateway.fastapi_internals import SegmentConvertor
from gateway.settings.errors import suggest_nearest

_PARAMETER = re.compile(r"\{[^{}]*\}")
_TARGET_PARAMETER = re.compile(r"\{(\w+)\}")
_ADJACENT = re.compile(r"\{[^{}]*\}\{[^{}]*\}")
_NAMED = re.compile(r"(?<=/):(\w+)(?=/|$)")  # `/:id`, as in Express
_REST = re.compile(
    r"/(?:\*\*?|\*\w+)$"
)  # `/*`, `/**` and `/*rest`, as in nginx, Spring and Express
_OUTSIDE_A_PATH = re.compile(r"[?#\\\x00-\x20\x7f]")
_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:/|$)")


def derive_target(path: str) -> str:
    """Return the path of a route from its first parameter on: `/{path}` of `/a/{path:path}`."""
    _, path_format, _ = compile_path(path)
    before, brace, after = path_format.partition("{")
    return f"{before[before.rindex('/') :]}{brace}{after}" if brace else path_format


def find_parameters(path: str) -> dict[str, bool]:
    """Find the parameters of a path, and whether each can have several segments."""
    return {name: isinstance(it, PathConvertor) for name, it in compile_path(path)[2].items()}


def find_path_errors(path: str, target: str | None) -> Iterator[str]:
    """Yield the errors of the path, and then those of the target."""
    errors = list(_iter_path_errors(path))
    yield from errors
    if errors:
        return
    names = list(find_parameters(path))
    if target is not None:
        yield from _iter_target_errors(target, names)
    elif not names:
        yield (
            "target is missing: a path without a parameter does not say which path of the service "
            f'it stands for; give target="/" or, for the same path, target="{path}"'
        )


def _iter_path_errors(path: str) -> Iterator[str]:
    if error := _find_start_error(path) or _find_text_error(_PARAMETER.sub("x", path)):
        yield f"path is {path!r}; {error}"
        return
    try:
        _, _, convertors = compile_path(path)
    except (AssertionError, ValueError) as error:
        yield (
            f"path is {path!r}: {error}; each parameter has a name of its own, as {{name}}, or "
            "{name:path} for several segments"
        )
        return
    for name, convertor in convertors.items():
        if not isinstance(convertor, SegmentConvertor | PathConvertor):
            yield (
                f"path has the parameter {name!r} with a convertor; a proxied path takes "
                f"{{{name}}}, or {{{name}:path}} for several segments"
            )
    several = [name for name, is_path in find_parameters(path).items() if is_path]
    if len(several) > 1:
        yield (
            f"path has {' and '.join(several)} with :path; only the last parameter can have "
            "several segments"
        )
    elif several and not path.endswith(f"/{{{several[0]}:path}}"):
        yield f"path has {{{several[0]}:path}} inside; it must be the last segment"
    else:
        yield from _iter_adjacent("path", path)


def _iter_adjacent(name: str, text: str) -> Iterator[str]:
    """Yield an error for two parameters that the gateway and a service may divide differently."""
    if adjacent := _ADJACENT.search(text):
        yield (
            f"{name} has {adjacent[0]}; put a character between them, because it is not clear "
            "where the first one ends"
        )


def _find_start_error(path: str) -> str:
    """Return an error if a path has no leading slash, or parameters as other routers have them."""
    if not path.startswith("/"):
        return 'it must begin with "/"'
    if _NAMED.search(path) or _REST.search(path):
        hint = _REST.sub("/{path:path}", _NAMED.sub(r"{\1}", path))
        return f"a parameter is written in braces: did you mean {hint}?"
    return ""


def _iter_target_errors(target: str, names: list[str]) -> Iterator[str]:
    if not target.startswith("/"):
        yield f'target is {target!r}; it must begin with "/"'
    elif error := _find_text_error(_TARGET_PARAMETER.sub("x", target)):
        yield f"target is {target!r}; {error}"
    else:
        yield from _iter_adjacent("target", target)
    for name in _TARGET_PARAMETER.findall(target):
        if name not in names:
            hint = suggest_nearest(name, names)
            yield f"target has {{{name}}}, which is not a parameter of the path ({hint})"


def _find_text_error(text: str) -> str:
    """Return what is wrong with a path whose parameters are replaced; "" if nothing is."""
    if "{" in text or "}" in text:
        return "write a parameter as {name}; in `path`, the last one may be {name:path}"
    if "%" in text:
        return "write the characters themselves instead of percent-escapes"
    if _OUTSIDE_A_PATH.search(text):
        return 'a space, a control character, "?", "#" or "\\" cannot stand in a path'
    if "//" in text:
        return "it has an empty segment (//)"
    if _DOT_SEGMENT.search(text):
        return 'it has a segment "." or ".."'
    return ""
