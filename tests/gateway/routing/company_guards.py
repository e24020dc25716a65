"""Guards as a company writes them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, HTTPException, Request

from gateway.head_guard import HeadGuard


@dataclass(frozen=True)
class ApiKey(HeadGuard):
    """Admits requests with the key."""

    key: str

    async def __call__(self, request: Request) -> None:
        """Raise a 403 for another key."""
        if request.headers.get("x-api-key") != self.key:
            raise HTTPException(403, "wrong key")


@dataclass(frozen=True)
class KeyParameter(HeadGuard):
    """Asks for more than the connection; admits every key."""

    async def __call__(self, key: Annotated[str, Header()]) -> None:
        """Do nothing."""
