"""Fuzzes with coverage for a guide (atheris): `make fuzz`, or

`python -m tests.fuzz.run {parser,exchanges} SECONDS`. A finding is printed and ends the run.
"""

import asyncio
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

atheris = importlib.import_module("atheris")

with atheris.instrument_imports(include=["gateway.transport", "h11", "tests.fuzz"]):
    from tests.fuzz.exchanges import Exchanges
    from tests.fuzz.invariants import check, cut
    from tests.fuzz.seeds import WORDS, seeds

_CUTS = 3


def parser(data: bytes) -> None:
    """Check every invariant of the parser."""
    cuts, bodiless, answer = _input(data)
    check(answer, cuts, bodiless=bodiless)


def exchanges() -> Callable[[bytes], None]:
    """Put answers to a transport that lives as long as the run."""
    runner = asyncio.Runner()
    opened = runner.run(Exchanges().__aenter__())

    def exchange(data: bytes) -> None:
        cuts, bodiless, answer = _input(data)
        if answer:
            runner.run(opened.put(cut(answer, cuts), bodiless=bodiless))

    return exchange


def _input(data: bytes) -> tuple[list[int], bool, bytes]:
    """Where to cut, if the call was a HEAD, and the answer."""
    head, answer = data[: _CUTS + 1], data[_CUTS + 1 :]
    return [8 * place for place in head[1:]], head[:1] == b"H", answer


def _findings() -> Path:
    """Where an input that breaks something is kept; libFuzzer prints its name."""
    folder = Path(".fuzz_findings")
    folder.mkdir(exist_ok=True)
    return folder


def main(kind: str, seconds: int) -> None:
    """Fuzz one of the two for so many seconds."""
    with TemporaryDirectory() as folder:
        corpus, words = Path(folder) / "corpus", Path(folder) / "words"
        corpus.mkdir()
        for number, seed in enumerate(seeds()):
            for method in (b"G", b"H"):
                start = method + bytes([number % 7, number % 31, number % 61])
                (corpus / f"{number}{method.decode()}").write_bytes(start + seed)
        words.write_text("".join(f'"{word}"\n' for word in WORDS))
        options = [f"-max_total_time={seconds}", "-max_len=4096", f"-dict={words}"]
        options += [f"-artifact_prefix={_findings()}/", "-print_final_stats=1"]
        target = parser if kind == "parser" else exchanges()
        atheris.Setup([sys.argv[0], *options, str(corpus)], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
