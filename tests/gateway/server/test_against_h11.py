"""Differential test: an app gets the requests that h11 parses from the same bytes, and no more."""

import asyncio
import re
from dataclasses import dataclass
from itertools import pairwise

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.gateway.server.in_memory import Client, Echo

REFUSED = re.compile(rb"HTTP/1\.1 (?:400|417|431|501|505) ")
AWKWARD = b"\r\n \t\0:;,/?#%*0159aAfF\x7f\x80\xff\x0b"


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as an app should get it."""

    method: str
    target: tuple[bytes, bytes]
    fields: list[tuple[bytes, bytes]]
    body: bytes


def normalize_fields(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the fields without those that are ignored, and normalized."""
    return [
        (name, value.lower() if name == b"transfer-encoding" else value)
        for name, value in fields
        if name != b"upgrade"
    ]


def parse_with_h11(data: bytes) -> list[ReceivedRequest]:
    """Parse with h11, with each request answered at once."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data)
    parsed: list[ReceivedRequest] = []
    request, content = None, b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                request, content = event, b""
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                parsed.append(_convert(request, content))
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                    return parsed
                connection.start_next_cycle()
            else:
                return parsed
    except h11.RemoteProtocolError:
        return parsed


def _convert(request: h11.Request, content: bytes) -> ReceivedRequest:
    method = request.method.decode()
    fields = normalize_fields(list(request.headers))
    path, _, query = request.target.partition(b"?")
    return ReceivedRequest(method, (path, query), fields, content)


async def _receive(pieces: list[bytes]) -> tuple[list[ReceivedRequest], bytes]:
    app = Echo()
    client = Client(app)
    response = await client.send(*pieces)
    await client.disconnect()
    return [
        ReceivedRequest(
            scope["method"],
            (scope["raw_path"], scope["query_string"]),
            normalize_fields(scope["headers"]),
            content,
        )
        for scope, content in app.seen
    ], response


def receive_with_lockgate(pieces: list[bytes]) -> tuple[list[ReceivedRequest], bytes]:
    return asyncio.run(_receive(pieces))


tokens = st.text("abcXYZ019-_!", min_size=1, max_size=8).map(str.encode)
values = st.text('abc XYZ09,;="()\t\xe4', max_size=12).map(lambda text: text.encode("latin-1"))
contents = st.lists(st.binary(min_size=1, max_size=20), max_size=4)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"DELETE"]))
    target = b"/" + draw(st.sampled_from([b"", b"a", b"a%20b", b"?x=y", b"a?b?c", b"/e"]))
    fields = [b"Host: x", *(b"x-%b:%b" % (draw(tokens), draw(values)) for _ in range(draw(counts)))]
    upgrade = [b"Connection: Upgrade", b"Upgrade: h2c"]
    fields += draw(st.sampled_from([[], [], [], [b"Connection: close"], upgrade]))
    framing, content = _frame_body(draw, draw(contents))
    fields += framing
    head = b"%b %b HTTP/1.%b" % (method, target, draw(st.sampled_from([b"1", b"1", b"1", b"0"])))
    return b"\r\n".join([head, *draw(st.permutations(fields)), b"", content])


counts = st.integers(0, 3)


def _frame_body(draw: st.DrawFn, parts: list[bytes]) -> tuple[list[bytes], bytes]:
    kind = draw(st.sampled_from(["none", "length", "chunks"]))
    if kind == "none":
        return [], b""
    if kind == "length":
        whole = b"".join(parts)
        return [b"Content-Length: %d" % len(whole)], whole
    extension = draw(st.sampled_from([b"", b";a", b';a="b"', b";a=b"]))
    trailer = draw(st.sampled_from([b"", b"", b"x-t: u\r\n"]))
    chunks = [b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts]
    return [b"Transfer-Encoding: chunked"], b"".join([*chunks, b"0\r\n", trailer, b"\r\n"])


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    where = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[begin:end] for begin, end in pairwise([0, *where, len(data)]) if begin < end]


sequences = st.lists(requests(), min_size=1, max_size=5).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(st.data(), sequences)
def test_requests_in_any_pieces_arrive_as_they_were_sent(data: st.DataObject, sent: bytes) -> None:
    seen, response = receive_with_lockgate(data.draw(cut(sent)))
    assert seen == parse_with_h11(sent)
    assert response.count(b"HTTP/1.1 200 OK") == len(seen)
    assert not REFUSED.findall(response)


@settings(max_examples=200, deadline=None)
@given(
    st.data(), sequences, st.lists(st.tuples(st.integers(0, 600), st.integers(0, 2)), max_size=3)
)
def test_damaged_requests_are_never_taken_for_other_requests(
    data: st.DataObject, sent: bytes, faults: list[tuple[int, int]]
) -> None:
    for where, how in faults:
        at = where % (len(sent) + 1)
        put = bytes([data.draw(st.sampled_from(AWKWARD))]) if how else b""
        sent = sent[:at] + put + sent[at + (how != 1) :]
    seen, response = receive_with_lockgate(data.draw(cut(sent)))
    reference = parse_with_h11(sent)
    least = min(len(seen), len(reference))
    assert seen[:least] == reference[:least]
    assert len(REFUSED.findall(response)) <= 1
    assert b"HTTP/1.1 500" not in response


@example(b"\0")
@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=60))
def test_garbage_is_refused_once_or_incomplete(rubbish: bytes) -> None:
    seen, response = receive_with_lockgate([rubbish, b"\r\n\r\n"])
    assert seen == []
    assert len(REFUSED.findall(response)) == response.count(b"HTTP/1.1 ") <= 1
