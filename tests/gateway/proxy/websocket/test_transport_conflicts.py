"""A WebSocket route needs the transport of the gateway."""

from dataclasses import replace

from gateway.proxy.websocket.transport_conflicts import find_websocket_conflicts
from gateway.settings.schema import Service
from tests.gateway.proxy.websocket.open_tunnel import PROXY


def test_another_transport_is_an_error_that_names_setting_and_route() -> None:
    service = Service.model_validate({"url": "http://a.test", "transport": "httpx"})
    plain = replace(PROXY, websocket=False)
    [error] = find_websocket_conflicts({"service": service}, [PROXY, plain])
    assert error.path == "upstreams.service.transport"
    assert "ANY /service/{path:path}" in error.message
    default = Service.model_validate({"url": "http://a.test"})
    assert not list(find_websocket_conflicts({"service": default}, [PROXY]))
    assert not list(find_websocket_conflicts({}, [PROXY]))
