"""Responses of a hostile or broken service reach the caller in one form, or not at all."""

import re

import h11

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.proxy.declaration.proxy import Proxy
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Settings
from tests.gateway.proxy.hostile_responses import MALFORMED, PASSED
from tests.gateway.proxy.recorded_proxy import send_all
from tests.gateway.transport.scripted_server import Peer, serve_script

RESPONSES = [*MALFORMED.items(), *PASSED.items()]
PROXY = Proxy("/public/{path:path}", to="service", public="a test")


async def respond(peer: Peer) -> None:
    """Send the response whose number is the path, and close the connection."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    number = re.match(rb"[A-Z]+ /(\d+)", head)
    assert number is not None
    peer.send(RESPONSES[int(number[1])][1])


def read_response(data: bytes, method: str) -> h11.Response:
    """Read one response by the grammar of another library; nothing may follow it."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    response = client.next_event()
    assert isinstance(response, h11.Response)
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data), data
    assert client.trailing_data[0] == b"", data
    return response


async def test_no_response_has_a_second_reading() -> None:
    failures = []
    async with serve_script(respond) as service:
        settings = Settings.model_validate(
            {
                "server": {"host": "127.0.0.1", "port": 0},
                "upstreams": {"service": {"url": service.url}},
            }
        )
        app = build_app(settings, Application(proxies=[PROXY]))
        async with open_server(app, settings.server) as running:
            port = int(running.url.rpartition(":")[2])
            for method in ("GET", "POST"):
                line = f"{method} /public/%d HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                requests = [line % number for number in range(len(RESPONSES))]
                answers = await send_all(port, requests)
                for (name, sent), answer in zip(RESPONSES, answers, strict=True):
                    response = read_response(answer, method)
                    is_refused = name in MALFORMED
                    if (response.status_code in {502, 503}) != is_refused or b"x-evil" in answer:
                        failures.append((method, name, sent, answer))
    assert failures == []
