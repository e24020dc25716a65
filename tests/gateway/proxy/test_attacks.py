"""Attacks through the whole gateway: each is refused, or sent on in one form."""

import re
from pathlib import Path

import pytest

from tests.e2e.proxy_process import run_nginx
from tests.gateway.proxy.attacks import FORWARDED, build_attacks
from tests.gateway.proxy.recorded_proxy import (
    RecordedProxy,
    list_statuses,
    send_all,
    serve_recorded,
)

REFUSALS = frozenset({400, 403, 405, 417, 431, 501, 505})
_CASE = re.compile(rb"/case(\d{3})(?:[/?].*)?")

# As lenient as nginx can be: what it lets through is for the gateway to judge.
NGINX = """
    upstream gateway {{ server 127.0.0.1:{port}; keepalive 8; }}
    server {{
        listen 127.0.0.1:PORT0;
        underscores_in_headers on;
        ignore_invalid_headers off;
        merge_slashes off;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_pass_request_headers on;
        proxy_request_buffering off;
        location / {{ proxy_pass http://gateway; }}
    }}
"""


def read_received(proxy: RecordedProxy) -> dict[int, list[bytes]]:
    """Return the targets that the service has received, by the number of the case.

    Raises:
        AmbiguousBytes: programs could read what it has received differently.
    """
    received: dict[int, list[bytes]] = {}
    for request in proxy.recording.read():
        case = _CASE.fullmatch(request.target)
        assert case, request
        received.setdefault(int(case[1]), []).append(request.target)
    return received


@pytest.mark.parametrize("transport", ["lockgate", "httpx"])
async def test_an_attack_is_refused_or_sent_on_in_one_form(tmp_path: Path, transport: str) -> None:
    attacks = build_attacks()
    async with serve_recorded(tmp_path, transport=transport) as proxy:
        answers = await send_all(proxy.port, list(attacks.values()))
        received = read_received(proxy)
    for number, (name, data) in enumerate(attacks.items()):
        statuses, targets = list_statuses(answers[number]), received.get(number, [])
        if name not in FORWARDED:
            assert (set(statuses) <= REFUSALS, targets) == (True, []), (name, statuses)
            continue
        assert statuses[0] == 200, name
        assert len(targets) == 1, name
        assert b"/public" + targets[0] in data, name


async def test_an_attack_through_nginx_is_refused_or_sent_on_in_one_form(tmp_path: Path) -> None:
    attacks = build_attacks()
    async with serve_recorded(tmp_path) as proxy:
        with run_nginx(tmp_path, NGINX.format(port=proxy.port)) as nginx:
            answers = await send_all(nginx.ports[0], list(attacks.values()))
        received = read_received(proxy)
    passed = 0
    for number, (name, data) in enumerate(attacks.items()):
        statuses, targets = list_statuses(answers[number]), received.get(number, [])
        assert 500 not in statuses, name
        assert len(targets) <= 1, name
        assert all(b"/public" + target in data for target in targets), name
        assert bool(targets) == (200 in statuses), (name, statuses)
        passed += bool(targets)
    assert passed >= 20
