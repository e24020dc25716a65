"""The first steps of a new user: start the demo, run the printed command, set a dial, stop."""

import asyncio
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from gateway.cli.main import main
from tests.running_demo import FAST, ROOT, Demo, run_demo, send_request

FIELDS = ["profile", "orders", "notifications", "recommendations", "degraded"]
PARTS = ["users", "orders", "notifications", "recommendations"]


@pytest.fixture
def own_demo() -> Iterator[Demo]:
    """A demo for this test only, without latency."""
    yield from run_demo(FAST)


@pytest.fixture
def default_demo() -> Iterator[Demo]:
    """The demo with the settings of `make run`, but on free ports."""
    yield from run_demo({})


def run_curl(demo: Demo) -> httpx.Response:
    """Send the request of the printed curl command, without curl."""
    command, *_, header, url = shlex.split(demo.curl)
    assert command == "curl"
    name, _, value = header.partition(": ")
    return send_request("GET", url, headers={name: value})


def test_the_printed_command_returns_a_complete_dashboard(default_demo: Demo) -> None:
    response = run_curl(default_demo)
    assert response.status_code == 200
    page = response.json()
    assert list(page) == FIELDS
    assert page["degraded"] == []
    assert all(page[field] for field in FIELDS[:-1])
    assert "server-timing" in response.headers


def run_command(command: str) -> str:
    """Run a printed command as a person does, and return its output."""
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def test_the_further_commands_show_a_proxied_call_a_stream_and_a_check(shop: Demo) -> None:
    call, stream, check, *_ = map(run_command, shop.commands[:3])
    assert call.startswith("HTTP/1.1 200 OK\n")
    assert '"sku":"TEA-2004"' in call
    assert stream.count("data: ") == 3
    assert check.startswith("HTTP/1.1 200 OK\n")
    assert "\nx-user-id: 42\n" in check


def test_further_commands_send_a_message_over_a_websocket_with_a_ticket(shop: Demo) -> None:
    get_ticket, connect = shop.commands[3:5]
    connect = connect.replace(".venv/bin/websockets", f"{sys.executable} -m websockets")
    output = run_command(f"{get_ticket}; {connect}")
    assert "< hello" in output


def test_the_client_gets_a_token_of_its_own(shop: Demo) -> None:
    token = json.loads(run_command(shop.find_line("curl -s -u")))
    assert token["token_type"] == "Bearer"
    assert "catalog:read" in token["scope"].split()


def test_six_commands_call_for_the_client_and_for_the_user_until_the_revocation(
    shop: Demo,
) -> None:
    get_token, call, exchange, call_for_user, revoke, call_again = shop.commands[5:11]
    called = run_command(f"{get_token}; {call}")
    assert called.startswith("HTTP/1.1 200 OK\n")
    assert '"sku":"TEA-2004"' in called
    revoked = run_command(f"{exchange}; {call_for_user}; {revoke}; {call_again}")
    assert re.findall(r"HTTP/1\.1 (\d+)", revoked) == ["200", "200", "401"]


def test_on_any_ports_the_printed_command_of_operators_is_for_this_demo(shop: Demo) -> None:
    """Not for one at the usual port, which may be of another gateway."""
    variables = shop.find_line("export LOCKGATE_OPS_URL=")
    assert f"LOCKGATE_OPS_URL={shop.ops} " in variables
    command = shop.output.partition(f"{variables}\n")[2].partition("\n")[0]
    assert command.endswith(" limits list")
    assert "dashboards" in run_command(f"{variables}; {command}")


def test_an_operator_tightens_the_limit_of_the_dashboard_and_rolls_it_back(shop: Demo) -> None:
    tighten, call, roll_back = [
        command.replace(".venv/bin/lockgate", f"{sys.executable} -m gateway.cli")
        for command in shop.commands[11:]
    ]

    def get_policy() -> str:
        return run_curl(shop).headers["ratelimit-policy"]

    assert "5/minute" in run_command(tighten)
    assert '"dashboards";q=5;w=60' in run_command(call)
    assert get_policy() == '"dashboards";q=5;w=60'
    run_command(roll_back)
    assert get_policy() == '"dashboards";q=120;w=60'


def test_a_service_that_is_only_proxied_can_be_real(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--real", "ecko"]) == 2
    assert capsys.readouterr().err == (
        "lockgate: --real: no such service: ecko (did you mean echo?)\n"
    )


def test_a_dial_changes_the_response(shop: Demo) -> None:
    shop.set_dial("orders", fault="status", code=503)
    shop.set_dial("notifications", fault="truncated")
    shop.set_dial("recommendations", fault="malformed")
    assert run_curl(shop).json()["degraded"] == [
        {"part": "orders", "reason": "unavailable"},
        {"part": "notifications", "reason": "unavailable"},
        {"part": "recommendations", "reason": "invalid"},
    ]
    shop.set_dial("users", fault="reset")
    response = run_curl(shop)
    assert response.status_code == 503, response.text
    assert response.json()["service"] == "users"


def test_a_client_disconnect_cancels_its_calls(shop: Demo) -> None:
    for name in PARTS:
        shop.set_dial(name, fault="hang")

    async def disconnect() -> None:
        host, port = shop.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /dashboard/42 HTTP/1.1\r\nHost: x\r\n")
        writer.write(f"Authorization: Bearer {shop.token}\r\n\r\n".encode())
        await asyncio.to_thread(shop.wait_for_counts, "users", in_flight=1)
        writer.close()
        await writer.wait_closed()

    asyncio.run(disconnect())
    for name in PARTS:
        shop.wait_for_counts(name, aborted=1, in_flight=0)


def test_shutdown_waits_for_requests_in_flight(own_demo: Demo) -> None:
    own_demo.set_dial("orders", fault="slow", ms=600)

    async def stop_during_request() -> httpx.Response:
        headers = {"Authorization": f"Bearer {own_demo.token}"}
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=120) as http:
            request = asyncio.create_task(http.get(f"{own_demo.url}/dashboard/42", headers=headers))
            await asyncio.to_thread(own_demo.wait_for_counts, "orders", in_flight=1)
            own_demo.process.terminate()
            return await request

    response = asyncio.run(stop_during_request())
    assert response.status_code == 200
    assert response.json()["degraded"] == []
    assert own_demo.process.wait(20) == 0
