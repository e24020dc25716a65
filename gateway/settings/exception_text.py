"""Describes an exception that code of a company raised, for a line of output or of a log.

The text of an exception may be long, and may quote a value that is a secret.
"""

import re
from traceback import extract_tb

from pydantic import ValidationError

_CREDENTIALS = re.compile(r"(?<=://)\S+@")  # of a URL
_MAX_LENGTH = 300
_MAX_ERRORS = 5


def describe_exception(error: BaseException) -> str:
    """Return the type and the text on one line, bounded, without the credentials of a URL in it.

    Of pydantic's errors no value is quoted.
    """
    name = type(error).__name__
    try:
        text = _describe_invalid(error) if isinstance(error, ValidationError) else str(error)
    except Exception:  # noqa: BLE001 - a `__str__` of the company may raise anything
        text = ""
    line = _CREDENTIALS.sub("***@", " ".join(text[: 2 * _MAX_LENGTH].split()))
    described = f"{name}: {line}" if line else name
    return described if len(described) <= _MAX_LENGTH else f"{described[: _MAX_LENGTH - 4]} ..."


def find_module_line(error: BaseException) -> str:
    """Return file and line of the last statement at module level that led to the error.

    It is "" if no module raised the error.
    """
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    lines = [frame for frame in extract_tb(error.__traceback__) if frame.name == "<module>"]
    return f"{lines[-1].filename}, line {lines[-1].lineno}" if lines else ""


def _describe_invalid(error: ValidationError) -> str:
    """Return the path and the type of each error: the messages of some types quote the value."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{'.'.join(map(str, it['loc'])) or '(root)'} ({it['type']})" for it in found]
    more = ", ..." if len(shown) > _MAX_ERRORS else ""
    return f"invalid values for {error.title}: {', '.join(shown[:_MAX_ERRORS])}{more}"
