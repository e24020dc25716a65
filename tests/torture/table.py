"""All cases, grouped into the sections of the page."""

from collections.abc import Mapping

from tests.torture.case import Case
from tests.torture.chunked import CHUNKED_BODIES
from tests.torture.extra_bytes import EXTRA_BYTES
from tests.torture.framing import BODY_LENGTH
from tests.torture.heads import FIELDS, STATUS_LINES
from tests.torture.incomplete import INCOMPLETE_RESPONSES
from tests.torture.informational import INFORMATIONAL
from tests.torture.stale_connections import STALE_CONNECTIONS
from tests.torture.tls import TLS

SECTIONS: Mapping[str, tuple[Case, ...]] = {
    "Body length": BODY_LENGTH,
    "Chunked bodies": CHUNKED_BODIES,
    "Status lines": STATUS_LINES,
    "Header fields": FIELDS,
    "Informational (1xx) responses": INFORMATIONAL,
    "Incomplete and slow responses": INCOMPLETE_RESPONSES,
    "Bytes after the response": EXTRA_BYTES,
    "Stale keep-alive connections": STALE_CONNECTIONS,
    "TLS": TLS,
}

CASES: Mapping[str, Case] = {
    f"{title}: {case.name}": case for title, cases in SECTIONS.items() for case in cases
}
