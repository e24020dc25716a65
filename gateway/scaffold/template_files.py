"""Renders the files `*.template` below `templates/`: `{{name}}` in their text, and their paths."""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

_SUFFIX = ".template"
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")

# A name that begins with a dot would be hidden, and a tool that packs the wheel may leave it out.
_FILE_NAMES = {"gitignore": ".gitignore", "dockerignore": ".dockerignore"}


def render_templates(
    template: str, values: Mapping[str, str], paths: Mapping[str, str]
) -> dict[str, str]:
    """Render the files of a template, by relative path.

    `values` replace the placeholders of the texts. `paths` replace the steps of the paths, such as
    `package`, and words of their names, such as `service` in `test_service.py`.
    """
    folder = files("gateway.scaffold") / "templates" / template
    return {
        "/".join(_rename(step, paths) for step in path): _PLACEHOLDER.sub(
            lambda found: values[found[1]], text
        )
        for path, text in _iter_files(folder, ())
    }


def _iter_files(
    folder: Traversable, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _iter_files(entry, (*path, entry.name))
        elif entry.name.endswith(_SUFFIX):
            yield (*path, entry.name.removesuffix(_SUFFIX)), entry.read_text(encoding="utf-8")


def _rename(step: str, paths: Mapping[str, str]) -> str:
    stem, dot, suffix = _FILE_NAMES.get(step, step).partition(".py")
    prefix = "test_" if stem.startswith("test_") else ""
    name = stem.removeprefix(prefix)
    return prefix + paths.get(name, name) + dot + suffix
