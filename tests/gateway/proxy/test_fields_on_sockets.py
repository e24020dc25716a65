"""The fields of proxied requests through the whole gateway, and behind nginx."""

from pathlib import Path

from gateway.proxy.fields.via import PSEUDONYM
from tests.e2e.proxy_process import run_nginx
from tests.gateway.proxy.recorded_proxy import list_statuses, send_all, serve_recorded

NGINX = """
    server {{
        listen 127.0.0.1:PORT0;
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
            proxy_bind 127.0.0.2;
        }}
    }}
"""


async def test_a_service_behind_gateway_and_nginx_gets_the_client_once(tmp_path: Path) -> None:
    request = (
        b"GET /public/a?q=%2f HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 203.0.113.9\r\n"
        b"X-Forwarded-Proto: gopher\r\nX-Real-IP: 203.0.113.9\r\nConnection: close\r\n\r\n"
    )
    server = {"trusted_proxies": ["127.0.0.2"]}
    async with serve_recorded(tmp_path, server=server) as proxy:
        with run_nginx(tmp_path, NGINX.format(port=proxy.port)) as nginx:
            (answer,) = await send_all(nginx.ports[0], [request])
        (received,) = proxy.recording.read()
    assert list_statuses(answer) == [200]
    assert received.target == b"/a?q=%2f"
    assert received.get_all(b"x-forwarded-for") == [b"127.0.0.1"]
    assert received.get_all(b"x-forwarded-proto") == [b"https"]
    assert received.get_all(b"x-forwarded-host") == [b"shop.example"]
    assert received.get_all(b"x-forwarded-port") == [b"443"]
    assert received.get_all(b"x-real-ip") == []


async def test_the_gateway_responds_to_options_with_no_hop_left(tmp_path: Path) -> None:
    line = b"OPTIONS /options/a HTTP/1.1\r\nHost: x\r\nMax-Forwards: %d\r\n\r\n"
    async with serve_recorded(tmp_path) as proxy:
        answers = await send_all(proxy.port, [line % 0, line % 1])
        (received,) = proxy.recording.read()
    assert [list_statuses(answer) for answer in answers] == [[204], [200]]
    assert b"\r\nallow: GET, OPTIONS, HEAD\r\n" in answers[0]
    assert received.get_all(b"max-forwards") == [b"0"]


async def test_a_request_that_comes_back_gets_508(tmp_path: Path) -> None:
    request = b"GET /public/public/public/a HTTP/1.1\r\nHost: x\r\nVia: 1.1 %b\r\n\r\n" % PSEUDONYM
    async with serve_recorded(tmp_path) as proxy:
        (answer,) = await send_all(proxy.port, [request])
        assert proxy.recording.read() == []
    assert list_statuses(answer) == [508]
