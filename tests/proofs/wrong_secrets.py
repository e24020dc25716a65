"""Sends wrong secrets to a token endpoint at a steady rate, from a process of its own.

Arguments: port, requests per second, seconds, and 1 to send secrets, or 0 to send none. Prints the
number of responses by status.
"""

import asyncio
import base64
import json
import sys
from collections import Counter

BODY = b"grant_type=client_credentials"


def build_request(number: int, with_secret: int) -> bytes:
    """Return a request with a wrong secret: every second one for a client that exists."""
    client = "bff" if number % 2 else f"unknown-{number % 100}"
    pair = base64.b64encode(f"{client}:wrong-{number}".encode()).decode()
    lines = [
        "POST /oauth/token HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"Authorization: {'Basic' if with_secret else 'None'} {pair}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(BODY)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + BODY


async def send(port: int, number: int, with_secret: int) -> int:
    """Send one request, and return the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(build_request(number, with_secret))
    line = await reader.readline()
    await reader.read()
    writer.close()
    return int(line.split()[1])


async def send_all(port: int, rate: int, seconds: int, with_secret: int) -> Counter[int]:
    """Send the requests, each in its time, however long the responses take."""
    loop = asyncio.get_running_loop()
    started, tasks = loop.time(), []
    for number in range(rate * seconds):
        await asyncio.sleep(max(0.0, started + number / rate - loop.time()))
        tasks.append(asyncio.create_task(send(port, number, with_secret)))
    return Counter(await asyncio.gather(*tasks))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send_all(*map(int, sys.argv[1:])))))
