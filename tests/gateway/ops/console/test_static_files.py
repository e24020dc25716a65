"""The files of the console: uPlot as it is published, and nothing of another host."""

import re
from hashlib import sha256
from importlib.resources import files

from gateway.ops.console.static_files import UPLOT_VERSION, load_console

# Of the files in the archive of `uplot` with this version: `npm pack uplot`.
VERSION = "1.6.32"
SHA256 = {
    "uplot/LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uplot/uPlot.esm.js": "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
    "uplot/uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
# Each would turn a string into markup or code, or keep a token.
FORBIDDEN = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "new Function",
    "localStorage",
    "sessionStorage",
    "document.cookie",
    "indexedDB",
)


def test_every_file_of_uplot_is_that_of_the_version() -> None:
    assert UPLOT_VERSION == VERSION
    found = {
        name: sha256(asset.content).hexdigest()
        for name, asset in load_console().assets.items()
        if name.startswith("uplot/")
    }
    assert found == SHA256


def test_the_digest_of_the_urls_is_in_the_page() -> None:
    console = load_console()
    links = re.findall(r'(?:href|src)="([^"]+)"', console.page)
    folder = f"console/{console.digest}/"
    assert links
    assert {it.removeprefix(folder) for it in links} <= set(console.assets)


def test_every_import_of_a_script_is_a_file_of_the_console() -> None:
    assets = load_console().assets
    for name, asset in assets.items():
        if name.endswith(".js") and "/" not in name:
            imported = re.findall(r'from "\./([^"]+)"', asset.content.decode())
            assert set(imported) <= set(assets), name


def test_scripts_and_style_sheets_name_no_host_no_storage_and_no_markup() -> None:
    folder = files("gateway.ops.console").joinpath("static")
    for it in folder.iterdir():
        if it.name.endswith((".js", ".css", ".html")):
            text = it.read_text(encoding="utf-8")
            assert "//" not in text.replace("// ", ""), it.name
            assert [word for word in FORBIDDEN if word in text] == [], it.name
