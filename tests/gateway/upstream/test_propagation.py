"""Header propagation: nested blocks."""

from gateway.upstream.call import Call
from gateway.upstream.propagation import propagate_headers, propagated_headers


def test_an_inner_block_adds_to_the_headers_of_an_outer_block() -> None:
    with propagate_headers({"X-A": "1", "X-B": "1"}):
        with propagate_headers({"x-b": "2"}):
            assert propagated_headers() == {"x-a": "1", "x-b": "2"}
            assert Call("GET", "/", {}).serialize()[1].endswith("x-a: 1\r\nx-b: 2\r\n")
        assert propagated_headers() == {"x-a": "1", "x-b": "1"}
    assert not propagated_headers()
