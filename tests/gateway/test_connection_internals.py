"""One test per inner name of Starlette's connections, and the effect of a change to it."""

from starlette.requests import Request
from starlette.types import Message

from gateway.fastapi_internals import forget_query, get_parsed_json, get_send


async def test_json_of_a_request() -> None:
    """Without it a lone surrogate that a client sends is a 500, and in the log."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b'{"a": "\\ud800"}', "more_body": False}

    request = Request({"type": "http", "headers": []}, receive)
    assert get_parsed_json(request) is None
    await request.json()
    assert get_parsed_json(request) == {"a": "\ud800"}


async def test_send_of_a_request() -> None:
    """Without it no interim response of a service reaches the caller."""

    async def receive() -> Message:
        raise AssertionError

    async def send(_: Message) -> None:
        raise AssertionError

    assert get_send(Request({"type": "http", "headers": []}, receive, send)) is send


def test_the_query_of_a_request_is_read_anew() -> None:
    """Without it the endpoint of a general route sees the ticket of its request."""
    scope = {"type": "http", "path": "/", "headers": [], "query_string": b"ticket=x&a=1"}
    request = Request(scope)
    assert (request.query_params["ticket"], request.url.query) == ("x", "ticket=x&a=1")
    scope["query_string"] = b"a=1"
    forget_query(request)
    assert (dict(request.query_params), request.url.query) == ({"a": "1"}, "a=1")
