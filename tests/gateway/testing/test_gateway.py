"""Requests to the gateway of the test kit: methods, bodies, tokens, and unexpected requests."""

from pathlib import Path

import pytest
from fastapi import APIRouter

from gateway.app_loader import Application
from gateway.auth import requires
from gateway.settings.schema import Identity, Issuer, Server, Settings
from gateway.testing import BOUND, TestGateway, UnexpectedRequest, lockgate
from tests.gateway.testing.conftest import BOOKSHOP, SETTINGS

READER = {"user": "42", "scopes": ["books:read"]}


async def test_a_page_of_two_endpoints(gateway: TestGateway) -> None:
    books = gateway.service("books")
    one = books.on("GET", "/books/{id}").answers({"id": 7, "title": "Orlando"})
    search = books.on("GET", "/books", params={"author": "Woolf"}).fails(503)
    page = await gateway.get("/books/7", user="42", scopes=["books:read"])
    assert page.json() == {
        "book": {"id": 7, "title": "Orlando"},
        "others": [],
        "degraded": [{"part": "others", "reason": "unavailable"}],
    }
    assert [request.path for request in one.requests] == ["/books/7"]
    assert search.requests[0].params["limit"] == "10"


async def test_query_and_headers_of_a_request(gateway: TestGateway) -> None:
    books = gateway.service("books")
    books.on("GET", "/books/7").answers({"id": 7, "title": "Emma"})
    books.on("GET", "/books", params={"author": "Jane Austen"}).answers([])
    page = await gateway.get(
        "/books/7?x=1", user="42", scopes=["books:read"], params={"author": "Jane Austen"},
        headers={"X-Request-Id": "request-1"},
    )  # fmt: skip
    assert page.json()["degraded"] == []
    assert books.requests[0].headers["x-request-id"] == "request-1"


@pytest.mark.parametrize(("method", "status"), [("post", 201), ("put", 202), ("patch", 203)])
async def test_a_body_is_sent_as_json(gateway: TestGateway, method: str, status: int) -> None:
    added = gateway.service("books").on("POST", "/books")
    added.answers_by(lambda request: {"id": 8, **request.json()})
    response = await getattr(gateway, method)("/books", json={"title": "Emma"}, **READER)
    assert (response.status_code, response.json()) == (status, {"id": 8, "title": "Emma"})
    assert added.sent_json == [{"title": "Emma"}]


async def test_bytes_and_other_methods_can_be_sent(gateway: TestGateway) -> None:
    malformed = await gateway.post(
        "/books", content=b"{", headers={"Content-Type": "application/json"}, user="42",
        scopes=["books:read"],
    )  # fmt: skip
    assert malformed.status_code == 422
    assert (await gateway.request("OPTIONS", "/books")).status_code == 204


async def test_claims_are_added_to_the_token(gateway: TestGateway) -> None:
    async def describe(**options: object) -> object:
        return (await gateway.delete("/books", **options)).json()  # type: ignore[arg-type]

    reads = {"scopes": ["books:read"]}
    assert await describe(user="42", **reads) == {"subject": "42", "user": "42", "service": None}
    assert await describe(user="42", claims={"client_id": "web"}, **reads) == {
        "subject": "42", "user": "42", "service": "web",
    }  # fmt: skip
    assert (await gateway.delete("/books")).status_code == 401
    assert (await gateway.delete("/books", user="42")).status_code == 403
    expired = await gateway.delete("/books", user="42", claims={"exp": 1})
    assert expired.status_code == 401
    with pytest.raises(ValueError, match="name a user, or the subject in claims"):
        await gateway.get("/books/7", claims={"client_id": "web"})


async def test_the_claims_have_the_names_of_the_issuer_in_the_settings() -> None:
    machines, people = (
        Issuer(issuer="https://id.test", audience="a", jwks_file=Path("keys.json"), **names)
        for names in ({"user_claim": ""}, {"user_claim": "uid", "scope_claim": "roles"})
    )
    settings = SETTINGS.model_copy(update={"issuers": (machines, people)})
    async with lockgate(settings, application=BOOKSHOP) as gateway:
        person = await gateway.delete("/books", user="42", scopes=["books:read"])
        service = await gateway.delete("/books", claims={"sub": "batch"}, scopes=["books:read"])
    assert person.json() == {"subject": "42", "user": "42", "service": None}
    assert service.json() == {"subject": "batch", "user": None, "service": None}


async def test_an_unexpected_request_fails_the_test_where_it_was_caused(
    gateway: TestGateway,
) -> None:
    gateway.service("books").on("GET", "/books/{id}").answers({"id": 7, "title": "Emma"})
    with pytest.raises(UnexpectedRequest, match=r"books received GET /books\?author=Woolf&limit"):
        await gateway.get("/books/7", user="42", scopes=["books:read"])
    gateway.service("books").behaves()
    page = await gateway.get("/books/7", user="42", scopes=["books:read"])
    assert page.json()["degraded"] == [{"part": "others", "reason": "refused"}]


async def test_an_unexpected_request_of_the_http_client_fails_the_test_at_its_end() -> None:
    async def run() -> None:
        async with lockgate(SETTINGS, application=BOOKSHOP) as gateway:
            gateway.service("books").on("GET", "/books").answers([])
            token = gateway.token("42", ["books:read"])
            bearer = {"Authorization": f"Bearer {token}"}
            assert (await gateway.http.get("/books/7", headers=bearer)).status_code == 500

    with pytest.raises(UnexpectedRequest, match="books received GET /books/7"):
        await run()


async def test_a_service_without_an_address_is_scripted_too() -> None:
    async with lockgate(Settings(), application=BOOKSHOP) as gateway:
        gateway.service("books").answers([]).on("GET", "/books/7").answers({"id": 7, "title": "T"})
        page = await gateway.get("/books/7", user="42", scopes=["books:read"])
    assert page.status_code == 200
    assert page.json()["degraded"] == []


def test_an_unknown_service_is_an_error_with_the_known_ones(gateway: TestGateway) -> None:
    with pytest.raises(LookupError, match="no service 'films'; services of the package: books"):
        gateway.service("films")


async def test_the_test_client_is_served_whatever_hosts_are_allowed() -> None:
    server = Server(allowed_hosts=("api.example.com",))
    settings = SETTINGS.model_copy(update={"server": server})
    async with lockgate(settings, application=BOOKSHOP) as gateway:
        assert (await gateway.get("/healthz")).status_code == 200
        assert (await gateway.get("/nowhere")).status_code == 404
        other = await gateway.get("/nowhere", headers={"Host": "other.test"})
        assert other.status_code == 421


async def test_a_route_that_asks_for_dpop_gets_a_bound_token() -> None:
    router = APIRouter()

    @router.get("/bound", dependencies=[requires("books:read", dpop=True)])
    async def get_bound() -> str:
        return "bound"

    application = Application(clients={}, policies={}, routers=[router])
    async with lockgate(Settings(), application=application) as gateway:
        assert (await gateway.get("/bound", claims=BOUND, **READER)).json() == "bound"  # type: ignore[arg-type]
        assert (await gateway.get("/bound", **READER)).status_code == 401  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", ["signing_key_file", "key_file"])
async def test_a_key_file_of_another_machine_is_replaced(setting: str, tmp_path: Path) -> None:
    missing = {"issuer": "https://gateway.example.com", setting: tmp_path / "missing.jwks"}
    url = f"sqlite:///{tmp_path}/lockgate.db"
    settings = Settings(identity=Identity.model_validate(missing), database_url=url)
    async with lockgate(settings, application=BOOKSHOP) as gateway:
        keys = (await gateway.get("/.well-known/jwks.json")).json()["keys"]
    assert len(keys) == 1
