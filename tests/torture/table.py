"""Every case, by what it tries."""

from collections.abc import Mapping

from tests.torture.case import Case
from tests.torture.chunks import CHUNKS
from tests.torture.ends import ENDS
from tests.torture.extra import EXTRA
from tests.torture.framing import FRAMING
from tests.torture.heads import FIELDS, STATUS_LINES
from tests.torture.interim import INTERIM
from tests.torture.kept import KEPT
from tests.torture.tls import TLS

SECTIONS: Mapping[str, tuple[Case, ...]] = {
    "Where a body ends": FRAMING,
    "Chunks": CHUNKS,
    "Status lines": STATUS_LINES,
    "Header fields": FIELDS,
    "Interim answers": INTERIM,
    "Answers that break off, come slowly, or never": ENDS,
    "More than an answer": EXTRA,
    "A kept connection that closes": KEPT,
    "TLS": TLS,
}

CASES: Mapping[str, Case] = {
    f"{title}: {case.name}": case for title, cases in SECTIONS.items() for case in cases
}
