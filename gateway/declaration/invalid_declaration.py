"""A declaration with mistakes: an exception, or a record while a package is loaded.

The exception would end the import of a module at its first mistake. So the loader of a package
keeps the invalid declarations, and reports the mistakes of all of them in one run.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

_is_loading = ContextVar("_is_loading", default=False)


class InvalidDeclaration(ValueError):
    """A declaration has mistakes. The message has all of them."""

    def __init__(self, name: str, mistakes: Sequence[str]) -> None:
        super().__init__(f"{name}: {'; '.join(mistakes)}")


@contextmanager
def keep_invalid_declarations() -> Iterator[None]:
    """Let declarations record their mistakes instead of raising them, within the context."""
    token = _is_loading.set(True)
    try:
        yield
    finally:
        _is_loading.reset(token)


def report_mistakes(name: str, mistakes: Sequence[str]) -> None:
    """Report the mistakes of a declaration, which are also in its `mistakes`.

    Raises:
        InvalidDeclaration: there is a mistake, and no package is being loaded.
    """
    if mistakes and not _is_loading.get():
        raise InvalidDeclaration(name, mistakes)
