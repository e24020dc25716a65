"""Reads the value of one setting from a file, such as a secret of Docker or Kubernetes."""

from pathlib import Path

from gateway.settings.toml_file import describe_os_error

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
        with file.open("rb") as stream:
            content = stream.read(MAX_VALUE_BYTES + 1)
    except (OSError, ValueError) as error:
        problem = describe_os_error(file, error) if isinstance(error, OSError) else str(error)
        raise UnreadableValue(f"{file}: {problem}") from None
    if len(content) > MAX_VALUE_BYTES:
        raise UnreadableValue(f"{file}: is larger than {MAX_VALUE_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableValue(f"{file}: is not UTF-8") from None
    if not text.strip():
        raise UnreadableValue(f"{file}: is empty")
    return text.removesuffix("\n").removesuffix("\r")
