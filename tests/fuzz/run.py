"""Runs the coverage-guided fuzzer (atheris): `make fuzz`, or one target alone with

`python -m tests.fuzz.run {parser,exchanges} SECONDS`. The run stops at the first finding.
"""

import asyncio
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

atheris = importlib.import_module("atheris")

with atheris.instrument_imports(include=["gateway.transport", "h11", "tests.fuzz"]):
    from tests.fuzz.exchanges import ExchangeHarness
    from tests.fuzz.invariants import check_parser, split
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


def _decode_input(data: bytes) -> tuple[list[int], bool, bytes]:
    """Decode the split offsets, whether the call is a HEAD, and the response."""
    head, response = data[: _SPLITS + 1], data[_SPLITS + 1 :]
    return [8 * offset for offset in head[1:]], head[:1] == b"H", response


def _make_findings_folder() -> Path:
    """Make the folder for failing inputs; libFuzzer prints the file name of a finding."""
    folder = Path(".fuzz_findings")
    folder.mkdir(exist_ok=True)
    return folder


def main(target_name: str, seconds: int) -> None:
    """Fuzz one target for `seconds`."""
    with TemporaryDirectory() as folder:
        corpus, dictionary = Path(folder) / "corpus", Path(folder) / "dictionary"
        corpus.mkdir()
        for number, seed in enumerate(iterate_seeds()):
            for method in (b"G", b"H"):
                start = method + bytes([number % 7, number % 31, number % 61])
                (corpus / f"{number}{method.decode()}").write_bytes(start + seed)
        dictionary.write_text("".join(f'"{word}"\n' for word in DICTIONARY))
        options = [f"-max_total_time={seconds}", "-max_len=4096", f"-dict={dictionary}"]
        options += [f"-artifact_prefix={_make_findings_folder()}/", "-print_final_stats=1"]
        target = fuzz_parser if target_name == "parser" else open_exchange_target()
        atheris.Setup([sys.argv[0], *options, str(corpus)], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
