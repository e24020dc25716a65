"""Reads the value of one setting from a file, such as a secret of Docker or Kubernetes."""

from pathlib import Path

from gateway.bounded_file import UnreadableFile, read_bounded_file

MAX_VALUE_BYTES = 65_536


class UnreadableValue(Exception):
    """The file cannot be read, or does not hold one value."""


def read_value(file: Path) -> str:
    """Return the text of a file, without the line break at its end that an editor adds.

    Raises:
        UnreadableValue: there is no such file, or it is empty, too large or not UTF-8. The message
            does not quote the value.
    """
    try:
        text = read_bounded_file(file, MAX_VALUE_BYTES).decode("utf-8-sig")
    except UnreadableFile as error:
        raise UnreadableValue(f"{file}: {error}") from None
    except UnicodeDecodeError:
        raise UnreadableValue(f"{file}: is not UTF-8") from None
    if not text.strip():
        raise UnreadableValue(f"{file}: is empty")
    return text.removesuffix("\n").removesuffix("\r")
