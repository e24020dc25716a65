"""User ids, and the problem documents of the demo services."""

import pytest

from gateway.demo.user_id import MAX_ID
from tests.shop.demo.in_process import PATHS, get


@pytest.mark.parametrize("service", PATHS)
@pytest.mark.parametrize("invalid_id", ["0", "-1", "007", "1.5", "one", "%D9%A1", str(MAX_ID + 1)])
async def test_an_invalid_user_id_is_not_found(service: str, invalid_id: str) -> None:
    response = await get(service, PATHS[service].format(invalid_id))

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 404


@pytest.mark.parametrize("path", ["/orders", "/notifications/unread"])
async def test_a_missing_user_id_is_an_error(path: str) -> None:
    response = await get(path.split("/")[1], path)

    assert response.status_code == 422
    assert "user_id" in response.json()["detail"]


async def test_an_unknown_path_is_a_problem_document() -> None:
    response = await get("users", "/nothing/here")

    assert response.status_code == 404
    assert response.json()["title"] == "Not Found"
