"""Header propagation: nested blocks, and the trace context."""

import re

import pytest

from gateway.upstream.call import Call
from gateway.upstream.propagation import build_trace_headers, current_headers, propagate_headers

VALID = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STARTED = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00")
REQUEST_ID = "0af7651916cd43dd8448eb211c80319c"


def test_an_inner_block_adds_to_the_headers_of_an_outer_block() -> None:
    with propagate_headers({"X-A": "1", "X-B": "1"}):
        with propagate_headers({"x-b": "2"}):
            assert current_headers().fields == {"x-a": "1", "x-b": "2"}
            assert Call("GET", "/", {}).serialize()[1].endswith("x-a: 1\r\nx-b: 2\r\n")
        assert current_headers().fields == {"x-a": "1", "x-b": "1"}
    assert not current_headers().fields


def test_a_valid_trace_is_passed_on_unchanged() -> None:
    assert build_trace_headers(VALID, b"vendor=1", "r") == {
        "traceparent": VALID.decode(),
        "tracestate": "vendor=1",
    }
    assert build_trace_headers(VALID, None, "r") == {"traceparent": VALID.decode()}


@pytest.mark.parametrize("suffix", [b"", b"-", b"-extra", b"-extra-\xff, more"])
@pytest.mark.parametrize(("flags", "sent_flags"), [(b"01", "01"), (b"ff", "01"), (b"02", "00")])
def test_a_trace_of_a_later_version_is_passed_on_as_version_00(
    suffix: bytes, flags: bytes, sent_flags: str
) -> None:
    later = b"cc" + VALID[2:-2] + flags + suffix
    sent = build_trace_headers(later, b"vendor=1", "r")
    assert sent == {
        "traceparent": VALID[:-2].decode() + sent_flags,
        "tracestate": "vendor=1",
    }


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        b"",
        VALID.upper(),
        b"ff" + VALID[2:],
        b"00-" + b"0" * 32 + VALID[35:],
        VALID[:36] + b"0" * 16 + b"-01",
        VALID + b"\n",
        VALID + b"-extra",
        b"01" + VALID[2:] + b"extra",
        b"01" + VALID[2:-1],
        b"01-" + b"0" * 32 + VALID[35:] + b"-extra",
        VALID[:-1],
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, " + VALID,
    ],
)
def test_an_invalid_trace_is_replaced_by_a_new_one(traceparent: bytes | None) -> None:
    sent = build_trace_headers(traceparent, b"vendor=1", "not hexadecimal")
    assert set(sent) == {"traceparent"}
    assert STARTED.fullmatch(sent["traceparent"])


def test_a_trace_that_begins_here_has_the_id_of_the_request() -> None:
    sent = build_trace_headers(None, None, REQUEST_ID)["traceparent"]
    assert sent.startswith(f"00-{REQUEST_ID}-")
    assert STARTED.fullmatch(sent)


@pytest.mark.parametrize("tracestate", [b"", b"\xff", b"a\r\nb", b"a" * 513])
def test_a_state_that_cannot_be_sent_is_left_out(tracestate: bytes) -> None:
    assert set(build_trace_headers(VALID, tracestate, "r")) == {"traceparent"}
