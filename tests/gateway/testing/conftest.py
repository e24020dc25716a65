"""A gateway in front of one small service, `books`, on the test kit."""

from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import APIRouter
from pydantic import BaseModel

from gateway.aggregation import Composed, Composite, Part
from gateway.app_loader import Application
from gateway.auth import Caller, requires
from gateway.resources import Upstream
from gateway.settings.schema import Service, Settings
from gateway.testing import TestGateway, lockgate
from gateway.upstream import PendingCall, ResponseModel, ServiceClient


class Book(ResponseModel):
    id: int
    title: str


class NewBook(BaseModel):
    title: str


class Books(ServiceClient, name="books"):
    def get_one(self, book_id: int) -> PendingCall[Book]:
        return self.get("/books/{id}", id=book_id, into=Book)

    def search(self, author: str) -> PendingCall[list[Book]]:
        return self.get("/books", params={"author": author, "limit": 10}, into=list[Book])

    def add(self, title: str) -> PendingCall[Book]:
        return self.post("/books", json={"title": title}, into=Book)


def fetch_book(book_id: int, books: Upstream[Books]) -> PendingCall[Book]:
    return books.get_one(book_id)


def fetch_others(books: Upstream[Books], author: str = "Woolf") -> PendingCall[list[Book]]:
    return books.search(author)


class BookPage(Composite, budget=2):
    book: Annotated[Book, Part(fetch_book)]
    others: Annotated[list[Book], Part(fetch_others)] = []  # noqa: RUF012 - pydantic copies it


router = APIRouter(dependencies=[requires("books:read")])


@router.get("/books/{book_id}")
async def get_book(view: Composed[BookPage]) -> BookPage:
    return view


@router.post("/books", status_code=201)
@router.put("/books", status_code=202)
@router.patch("/books", status_code=203)
async def add_book(new: NewBook, books: Upstream[Books]) -> Book:
    return await books.add(new.title)


@router.delete("/books")
async def describe_caller(caller: Caller) -> dict[str, str | None]:
    return {"subject": caller.subject, "user": caller.user_id, "service": caller.service}


BOOKSHOP = Application(clients={"books": Books}, policies={}, routers=[router])
SETTINGS = Settings(upstreams={"books": Service.model_validate({"url": "http://books/api/v2/"})})


@pytest.fixture
async def gateway() -> AsyncIterator[TestGateway]:
    """The gateway; the address of the service has the base path `/api/v2`."""
    async with lockgate(SETTINGS, application=BOOKSHOP) as running:
        yield running
