"""Which `Authorization` headers hold a bearer token."""

import httpx
import pytest

from tests.gateway.auth.fake_verifier import READ, FakeVerifier


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ([], False),
        (["Basic dTE6cHc="], False),
        (["Digest x"], False),
        (["Bearer"], True),
        (["Bearer "], True),
        (["Bearer =" + READ], True),
        ([f"Bearer {READ} x"], True),
        ([f"Bearer {READ}, Bearer {READ}"], True),
        ([f"Bearer\t{READ}"], False),
        ([f"Bearer{READ}"], False),
        ([f"Bearer {READ}", f"Bearer {READ}"], True),
        ([f"Bearer {READ}", "Basic dTE6cHc="], True),
    ],
    ids=str,
)
async def test_requests_without_one_bearer_token(
    recorded_client: httpx.AsyncClient, fake_verifier: FakeVerifier, headers: list[str], sent: bool
) -> None:
    answer = await recorded_client.get(
        "/me", headers=[("Authorization", value) for value in headers]
    )
    assert answer.status_code == 401
    error = ', error="invalid_token"' if sent else ""
    assert answer.headers["www-authenticate"] == f'Bearer realm="lockgate"{error}'
    assert fake_verifier.verifications == 0


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
async def test_the_scheme_is_read_without_case(
    recorded_client: httpx.AsyncClient, scheme: str
) -> None:
    answer = await recorded_client.get("/me", headers={"Authorization": f"{scheme} {READ}"})
    assert answer.status_code == 200


async def test_a_token_in_the_query_is_ignored(recorded_client: httpx.AsyncClient) -> None:
    assert (await recorded_client.get("/me", params={"access_token": READ})).status_code == 401
