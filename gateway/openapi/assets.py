"""The files of GET /docs: Swagger UI, as its publisher distributes it, and a script that starts it.

`swagger_ui/` is a copy of some files of the npm package `swagger-ui-dist`, which is licensed under
Apache-2.0; see `docs/decisions/docs-page.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Self

SWAGGER_UI_VERSION = "5.35.0"

# The name in the URL -> the file below this folder, and its type.
_FILES: Mapping[str, tuple[str, str]] = {
    "swagger-ui-bundle.js": ("swagger_ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("swagger_ui/swagger-ui.css", "text/css"),
    "favicon-32x32.png": ("swagger_ui/favicon-32x32.png", "image/png"),
    "LICENSE": ("swagger_ui/LICENSE", "text/plain"),
    "NOTICE": ("swagger_ui/NOTICE", "text/plain"),
    "swagger-ui-bundle.js.LICENSE.txt": (
        "swagger_ui/swagger-ui-bundle.js.LICENSE.txt",
        "text/plain",
    ),
    "docs.js": ("docs.js", "text/javascript"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, its media type, and an entity tag that changes with its content."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Self:
        """Build the file of a content; the tag is weak, because each coding has the same."""
        return cls(content, media_type, f'W/"{sha256(content).hexdigest()[:32]}"')


@cache
def load_assets() -> Mapping[str, Asset]:
    """Read all files once, by their names in the URL."""
    return MappingProxyType({name: _load(*entry) for name, entry in _FILES.items()})


def read_page() -> str:
    """Read the HTML of the page, with `$title` in it."""
    return files(__package__).joinpath("docs.html").read_text(encoding="utf-8")


def _load(path: str, media_type: str) -> Asset:
    return Asset.of(files(__package__).joinpath(path).read_bytes(), media_type)
