"""Lone surrogates: characters of a `str` that no encoding can represent.

Python's parser of JSON accepts them in a request body, whereas pydantic's, which decodes responses
of services, does not.
"""

_REASON = "surrogates not allowed"  # of Python's UnicodeEncodeError, which pydantic quotes

NO_LONE_SURROGATES = "must not contain lone surrogates"
"""The message about a value that contains one."""


def is_lone_surrogate_error(error: BaseException) -> bool:
    """Whether Python or pydantic could not encode a text because of a lone surrogate."""
    return _REASON in str(error)


def has_lone_surrogate(value: object) -> bool:
    """Whether a JSON value has a lone surrogate in one of its texts or names."""
    pending = [value]
    while pending:
        match pending.pop():
            case str() as text if not _is_encodable(text):
                return True
            case list() as items:
                pending += items
            case dict() as members:
                pending += members.keys()
                pending += members.values()
    return False


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
