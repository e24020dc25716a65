"""What a newcomer does first: start the demo, paste the line, turn a dial, stop it."""

import asyncio
import shlex

import httpx

from tests.running_demo import Demo, ask

FIELDS = ["profile", "orders", "notifications", "recommendations", "degraded"]
PARTS = ["users", "orders", "notifications", "recommendations"]


def paste(demo: Demo) -> httpx.Response:
    """Do what the printed line does, without needing curl."""
    command, *_, header, url = shlex.split(demo.curl)
    assert command == "curl"
    name, _, value = header.partition(": ")
    return ask("GET", url, headers={name: value})


def test_the_pasted_line_brings_a_whole_dashboard(demo_as_delivered: Demo) -> None:
    answer = paste(demo_as_delivered)
    assert answer.status_code == 200
    page = answer.json()
    assert list(page) == FIELDS
    assert page["degraded"] == []
    assert all(page[field] for field in FIELDS[:-1])
    assert "server-timing" in answer.headers


def test_a_turned_dial_shows_in_the_answer(demo: Demo) -> None:
    demo.dial("orders", fault="status", code=503)
    demo.dial("notifications", fault="truncated")
    demo.dial("recommendations", fault="malformed")
    assert paste(demo).json()["degraded"] == [
        {"part": "orders", "reason": "unavailable"},
        {"part": "notifications", "reason": "unavailable"},
        {"part": "recommendations", "reason": "invalid"},
    ]
    demo.dial("users", fault="reset")
    answer = paste(demo)
    assert answer.status_code == 503, answer.text
    assert answer.json()["service"] == "users"


def test_a_client_that_leaves_takes_its_calls_with_it(demo: Demo) -> None:
    for name in PARTS:
        demo.dial(name, fault="hang")

    async def leave() -> None:
        host, port = demo.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /dashboard/42 HTTP/1.1\r\nHost: x\r\n")
        writer.write(f"Authorization: Bearer {demo.token}\r\n\r\n".encode())
        await asyncio.to_thread(demo.wait_until_seen, "users", in_flight=1)
        writer.close()
        await writer.wait_closed()

    asyncio.run(leave())
    for name in PARTS:
        demo.wait_until_seen(name, aborted=1, in_flight=0)


def test_a_stop_lets_a_running_request_finish(own_demo: Demo) -> None:
    own_demo.dial("orders", fault="slow", ms=600)

    async def stop_in_the_middle() -> httpx.Response:
        bearer = {"Authorization": f"Bearer {own_demo.token}"}
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as http:
            asking = asyncio.create_task(http.get(f"{own_demo.url}/dashboard/42", headers=bearer))
            await asyncio.to_thread(own_demo.wait_until_seen, "orders", in_flight=1)
            own_demo.process.terminate()
            return await asking

    answer = asyncio.run(stop_in_the_middle())
    assert answer.status_code == 200
    assert answer.json()["degraded"] == []
    assert own_demo.process.wait(20) == 0
