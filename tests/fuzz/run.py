"""Runs the coverage-guided fuzzer (atheris): `make fuzz`, or one target alone with

`python -m tests.fuzz.run {parser,exchanges,proxied} SECONDS`. The run stops at the first finding.
"""

import asyncio
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

atheris = importlib.import_module("atheris")

_INSTRUMENTED = [
    "gateway.proxy", "gateway.request_path", "gateway.server", "gateway.transport", "h11",
    "tests.fuzz",
]  # fmt: skip

with atheris.instrument_imports(include=_INSTRUMENTED):
    from tests.fuzz.exchanges import ExchangeHarness
    from tests.fuzz.invariants import check_parser, split
    from tests.fuzz.proxied_requests import ProxiedRequestHarness
    from tests.fuzz.proxied_seeds import PROXIED_DICTIONARY, iterate_proxied_seeds
    from tests.fuzz.seeds import DICTIONARY, iterate_seeds

_SPLITS = 3


def fuzz_parser(data: bytes) -> None:
    """Check every invariant of the parser."""
    split_at, bodiless, response = _decode_input(data)
    check_parser(response, split_at, bodiless=bodiless)


def open_exchange_target() -> Callable[[bytes], None]:
    """Open a transport for the whole run, and return a target that sends responses to it."""
    runner = asyncio.Runner()
    harness = runner.run(ExchangeHarness().__aenter__())

    def exchange(data: bytes) -> None:
        split_at, bodiless, response = _decode_input(data)
        if response:
            runner.run(harness.exchange(split(response, split_at), bodiless=bodiless))

    return exchange


def open_proxied_target() -> Callable[[bytes], None]:
    """Open a gateway for the whole run, and return a target that sends requests to it."""
    runner = asyncio.Runner()
    harness = runner.run(ProxiedRequestHarness().__aenter__())

    def exchange(data: bytes) -> None:
        runner.run(harness.exchange(data))

    return exchange


def _decode_input(data: bytes) -> tuple[list[int], bool, bytes]:
    """Decode the split offsets, whether the call is a HEAD, and the response."""
    head, response = data[: _SPLITS + 1], data[_SPLITS + 1 :]
    return [8 * offset for offset in head[1:]], head[:1] == b"H", response


def _make_findings_folder() -> Path:
    """Make the folder for failing inputs; libFuzzer prints the file name of a finding."""
    folder = Path(".fuzz_findings")
    folder.mkdir(exist_ok=True)
    return folder


def _iterate_response_inputs() -> Iterator[bytes]:
    for number, seed in enumerate(iterate_seeds()):
        for method in (b"G", b"H"):
            yield method + bytes([number % 7, number % 31, number % 61]) + seed


def main(target_name: str, seconds: int) -> None:
    """Fuzz one target for `seconds`."""
    is_proxied = target_name == "proxied"
    inputs = iterate_proxied_seeds() if is_proxied else _iterate_response_inputs()
    words = PROXIED_DICTIONARY if is_proxied else DICTIONARY
    with TemporaryDirectory() as folder:
        corpus, dictionary = Path(folder) / "corpus", Path(folder) / "dictionary"
        corpus.mkdir()
        for number, data in enumerate(inputs):
            (corpus / str(number)).write_bytes(data)
        dictionary.write_text("".join(f'"{word}"\n' for word in words))
        options = [f"-max_total_time={seconds}", "-max_len=4096", f"-dict={dictionary}"]
        options += [f"-artifact_prefix={_make_findings_folder()}/", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], _open_target(target_name))
        atheris.Fuzz()


def _open_target(name: str) -> Callable[[bytes], None]:
    openers = {"exchanges": open_exchange_target, "proxied": open_proxied_target}
    return openers[name]() if name in openers else fuzz_parser


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
