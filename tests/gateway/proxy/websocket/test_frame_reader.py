"""Frames pass as they are, in whatever pieces they arrive; what no endpoint may send does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.websocket.frame_reader import (
    ALL_RESERVED_BITS,
    COMPRESSED_BIT,
    MAX_FRAMES,
    FrameReader,
)
from tests.gateway.proxy.websocket.frames import (
    CLOSE,
    CONTINUATION,
    FIN,
    MASK,
    PING,
    RSV1,
    TEXT,
    build_frame,
    iter_corpus,
    iter_violations,
)

MASKS = {"client": MASK, "server": b""}
CORPUS = {mask: b"".join(frames for _, frames in iter_corpus(mask)) for mask in MASKS.values()}


def read(reader: FrameReader, data: bytes, step: int) -> bytes:
    """Feed `data` in pieces of this length, and return what is passed on."""
    pieces = [data[begin : begin + step] for begin in range(0, len(data), step)]
    return b"".join(reader.feed(piece) for piece in pieces)


@pytest.mark.parametrize("role", MASKS)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 126, 4_096, 1_000_000])
def test_the_corpus_passes_byte_for_byte(role: str, step: int) -> None:
    reader = FrameReader(is_masked=role == "client", reserved_bits=COMPRESSED_BIT)
    corpus = CORPUS[MASKS[role]]
    assert read(reader, corpus, step) == corpus
    assert reader.remaining == 0
    assert not reader.has_ended


@given(st.lists(st.tuples(st.sampled_from([TEXT, PING]), st.binary(max_size=125)), max_size=8))
def test_what_is_passed_on_ends_between_frames_or_in_a_payload(
    messages: list[tuple[int, bytes]],
) -> None:
    frames = [build_frame(opcode, payload, mask=MASK) for opcode, payload in messages]
    data = b"".join(frames)
    ends = [len(b"".join(frames[: count + 1])) for count in range(len(frames))]
    for cut in range(len(data)):
        reader = FrameReader(is_masked=True)
        passed = reader.feed(data[:cut])
        assert data.startswith(passed)
        if reader.remaining:
            assert len(passed) + reader.remaining in ends
        else:
            assert len(passed) == max([end for end in ends if end <= cut], default=0)
        assert passed + reader.feed(data[cut:]) == data


@pytest.mark.parametrize("step", [1, 3, 1_000])
@pytest.mark.parametrize("role", MASKS)
@pytest.mark.parametrize(
    ("payload", "code"), [(b"\x03\xe8bye", 1000), (b"\x0f\xa0", 4000), (b"", 1005)]
)
def test_a_close_frame_is_the_last_and_its_code_is_read(
    role: str, payload: bytes, code: int, step: int
) -> None:
    mask = MASKS[role]
    reader = FrameReader(is_masked=role == "client")
    frames = build_frame(TEXT, b"last", mask=mask) + build_frame(CLOSE, payload, mask=mask)
    assert read(reader, frames + build_frame(TEXT, b"dropped", mask=mask), step) == frames
    assert reader.has_ended
    assert reader.close_code == code
    assert not reader.violation


def test_a_close_frame_is_held_back_until_it_is_whole() -> None:
    frame = build_frame(CLOSE, b"\x03\xe8bye")
    reader = FrameReader(is_masked=False)
    assert read(reader, frame[:-1], 1) == b""
    assert reader.close_code is None
    assert reader.feed(frame[-1:]) == frame


@pytest.mark.parametrize("step", [1, 1_000])
@pytest.mark.parametrize("role", MASKS)
@pytest.mark.parametrize("name", [name for name, _ in iter_violations(MASK)])
def test_a_frame_that_is_not_allowed_is_not_passed_on(name: str, role: str, step: int) -> None:
    mask = MASKS[role]
    bad = dict(iter_violations(mask))[name]
    good = build_frame(TEXT, b"good", mask=mask)
    reader = FrameReader(is_masked=role == "client")
    passed = read(reader, good + bad + good, step)
    first = build_frame(TEXT, b"x", is_last=False, mask=mask)
    assert passed == good + (first if name == "message between fragments" else b"")
    assert reader.violation
    assert reader.has_ended


@pytest.mark.parametrize(
    ("reserved_bits", "frames", "is_allowed"),
    [
        (0, build_frame(TEXT, b"x", bits=RSV1), False),
        (COMPRESSED_BIT, build_frame(TEXT, b"x", bits=RSV1), True),
        (COMPRESSED_BIT, build_frame(TEXT, b"x", bits=0x20), False),
        (COMPRESSED_BIT, build_frame(PING, b"x", bits=RSV1), False),
        (
            COMPRESSED_BIT,
            build_frame(TEXT, b"x", is_last=False) + build_frame(CONTINUATION, b"", bits=RSV1),
            False,
        ),
        (ALL_RESERVED_BITS, build_frame(TEXT, b"x", bits=0x30), True),
        (ALL_RESERVED_BITS, build_frame(PING, b"x", bits=0x10), True),
    ],
)
def test_reserved_bits_are_allowed_as_the_extensions_use_them(
    reserved_bits: int, frames: bytes, *, is_allowed: bool
) -> None:
    reader = FrameReader(is_masked=False, reserved_bits=reserved_bits)
    reader.feed(frames)
    assert bool(reader.violation) is not is_allowed


def test_a_large_payload_is_passed_on_without_a_copy() -> None:
    reader = FrameReader(is_masked=False)
    assert reader.feed(bytes([FIN | TEXT, 127]) + (200_000).to_bytes(8)) != b""
    piece = b"x" * 100_000
    assert reader.feed(piece) is piece
    assert reader.remaining == 100_000


def test_no_more_than_the_bound_of_frames_is_read_at_once() -> None:
    ping = build_frame(PING, b"", mask=MASK)
    reader = FrameReader(is_masked=True)
    assert reader.feed(ping * (2 * MAX_FRAMES + 1) + ping[:3]) == ping * MAX_FRAMES
    assert reader.has_more
    assert reader.feed() == ping * MAX_FRAMES
    assert reader.has_more
    assert reader.feed() == ping
    assert not reader.has_more
    assert reader.feed(ping[3:]) == ping


def test_a_close_frame_after_the_bound_ends_the_direction() -> None:
    ping, close = build_frame(PING, b"", mask=MASK), build_frame(CLOSE, b"", mask=MASK)
    reader = FrameReader(is_masked=True)
    assert reader.feed(ping * MAX_FRAMES + close + ping) == ping * MAX_FRAMES
    assert reader.feed() == close
    assert reader.has_ended
    assert not reader.has_more
