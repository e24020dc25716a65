"""The dashboard as a FastAPI team usually writes it: httpx and gather, slowapi, python-jose."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import JWTError, jwt
from pydantic import BaseModel
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded

JWKS = json.loads(Path(os.environ["JWKS_FILE"]).read_text())
ISSUER, AUDIENCE = os.environ["ISSUER"], os.environ["AUDIENCE"]
LIMIT = os.environ["LIMIT_PER_MINUTE"] + "/minute"


class Address(BaseModel):
    city: str
    country: str
    postcode: str


class User(BaseModel):
    id: int
    email: str
    full_name: str
    is_active: bool
    plan: str
    created_at: str
    locale: str
    avatar_url: str
    address: Address
    loyalty_points: int


class OrderItem(BaseModel):
    sku: str
    name: str
    quantity: int
    price: float


class Order(BaseModel):
    id: int
    user_id: int
    status: str
    total: float
    currency: str
    items: list[OrderItem]
    created_at: str
    tracking: str | None = None
    carrier: str | None = None
    paid: bool


class Notification(BaseModel):
    id: int
    type: str
    title: str
    body: str
    read: bool
    at: str


class Recommendation(BaseModel):
    sku: str
    name: str
    price: float
    score: float
    image: str
    reason: str


class Dashboard(BaseModel):
    profile: User
    orders: list[Order]
    notifications: list[Notification]
    recommendations: list[Recommendation]
    degraded: list[str] = []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(timeout=10) as client:
        app.state.client = client
        yield


def caller(request: Request) -> str:
    return request.state.user_id


limiter = Limiter(key_func=caller, storage_uri=os.environ["REDIS_URL"])
app = FastAPI(title="Dashboard", lifespan=lifespan)
app.state.limiter = limiter
app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
bearer = HTTPBearer()


async def current_user(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]
) -> str:
    try:
        claims = jwt.decode(
            credentials.credentials, JWKS, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER
        )
    except JWTError as exc:
        raise HTTPException(401, "The token is not valid") from exc
    if "dashboard:read" not in claims["scope"].split():
        raise HTTPException(403, "The scope is missing")
    request.state.user_id = claims["sub"]
    return claims["sub"]


async def fetch(client: httpx.AsyncClient, url: str, **params: Any) -> Any:
    response = await client.get(url, params=params)
    response.raise_for_status()
    return response.json()


@app.get("/dashboard/{user_id}")
@limiter.limit(LIMIT)
async def dashboard(
    request: Request, user_id: int, user: Annotated[str, Depends(current_user)]
) -> Dashboard:
    if user != str(user_id):
        raise HTTPException(403, "Not your dashboard")
    client, at = request.app.state.client, os.environ
    profile, orders, notifications, recommendations = await asyncio.gather(
        fetch(client, f"{at['USERS_URL']}/users/{user_id}"),
        fetch(client, f"{at['ORDERS_URL']}/orders", user_id=user_id, limit=10),
        fetch(client, f"{at['NOTIFICATIONS_URL']}/notifications/unread", user_id=user_id),
        fetch(client, f"{at['RECOMMENDATIONS_URL']}/recommendations/{user_id}"),
    )
    return Dashboard(
        profile=profile,
        orders=orders,
        notifications=notifications,
        recommendations=recommendations,
    )
