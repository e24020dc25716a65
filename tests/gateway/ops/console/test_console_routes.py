"""GET / and its files, as a browser gets them from the ops port."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.ops.console.static_files import load_console
from tests.gateway.ops.ops_server import make_settings, run_ops


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    with make_settings(has_database=False) as settings:
        async with (
            run_ops(settings) as ops,
            httpx.AsyncClient(
                base_url=ops.url, trust_env=False, verify=False, timeout=120
            ) as client,
        ):
            yield client


def find_url(name: str) -> str:
    return f"/console/{load_console().digest}/{name}"


async def test_the_page_needs_no_token_and_has_a_strict_policy(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.status_code == 200
    policy = dict(
        it.strip().partition(" ")[::2]
        for it in response.headers["content-security-policy"].split(";")
    )
    assert policy.pop("require-trusted-types-for") == "'script'"
    own = {f"{it}-src" for it in ("script", "style", "img", "connect")}
    assert {name for name, value in policy.items() if value == "'self'"} == own
    assert {name for name, value in policy.items() if value == "'none'"} == {
        "default-src",
        "base-uri",
        "form-action",
        "frame-ancestors",
        "trusted-types",
    }
    assert len(policy) == 9
    headers = response.headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "camera=()" in headers["permissions-policy"]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("theme.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("uplot/uPlot.esm.js", "text/javascript; charset=utf-8"),
        ("uplot/LICENSE", "text/plain; charset=utf-8"),
    ],
)
async def test_a_file_is_kept_for_good(
    client: httpx.AsyncClient, name: str, media_type: str
) -> None:
    response = await client.get(find_url(name))
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    condition = {"If-None-Match": response.headers["etag"]}
    again = await client.get(find_url(name), headers=condition)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/console/0000000000000000/main.js",
        find_url("index.html"),
        find_url("missing.js"),
        find_url("uplot"),
        find_url("..%2fassets.py"),
        "/console/",
    ],
)
async def test_there_is_no_other_file(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code in {400, 404}
    assert response.headers["cache-control"] == "no-store"
