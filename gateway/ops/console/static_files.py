"""The files of the console: its page, scripts and style sheets, and uPlot for the curves.

`static/uplot/` is a copy of some files of the npm package `uplot`, which is licensed under MIT;
see `docs/decisions/console.md`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from types import MappingProxyType

from gateway.openapi.assets import Asset

UPLOT_VERSION = "1.6.32"

_PAGE = "index.html"
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_TEXT = "text/plain"  # of a licence


@dataclass(frozen=True, slots=True)
class ConsoleFiles:
    """The page, and its files by their path below the folder `digest`.

    The digest is that of all files, so a browser may keep a file for good: another version of the
    console has other URLs.
    """

    page: str
    digest: str
    assets: Mapping[str, Asset]


@cache
def load_console() -> ConsoleFiles:
    """Read all files once."""
    contents = dict(_read_files(files(__package__).joinpath("static")))
    template = Template(contents.pop(_PAGE).decode())
    all_files = b"".join(name.encode() + contents[name] for name in sorted(contents))
    digest = sha256(all_files).hexdigest()[:16]
    assets = {name: Asset.of(it, _find_media_type(name)) for name, it in contents.items()}
    page = template.substitute(base=f"console/{digest}")
    return ConsoleFiles(page, digest, MappingProxyType(assets))


def _read_files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for it in folder.iterdir():
        if it.is_dir():
            yield from _read_files(it, f"{prefix}{it.name}/")
        else:
            yield prefix + it.name, it.read_bytes()


def _find_media_type(name: str) -> str:
    _, dot, extension = name.rpartition(".")
    return _MEDIA_TYPES.get(dot + extension, _TEXT)
