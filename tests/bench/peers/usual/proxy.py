"""A proxy as a FastAPI team usually writes it: httpx, StreamingResponse, python-jose."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import JWTError, jwt
from starlette.background import BackgroundTask

JWKS = json.loads(Path(os.environ["JWKS_FILE"]).read_text())
ISSUER, AUDIENCE = os.environ["ISSUER"], os.environ["AUDIENCE"]
SERVICES = {"catalog": os.environ["CATALOG_URL"], "files": os.environ["FILES_URL"]}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
NOT_FORWARDED = {
    b"authorization", b"connection", b"host", b"keep-alive", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"x-user-id",
}  # fmt: skip


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(timeout=10) as client:
        app.state.client = client
        yield


app = FastAPI(title="Proxy", lifespan=lifespan)
bearer = HTTPBearer()


async def current_user(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
) -> str:
    try:
        claims = jwt.decode(
            credentials.credentials, JWKS, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER
        )
    except JWTError as exc:
        raise HTTPException(401, "The token is not valid") from exc
    if "files:use" not in claims["scope"].split():
        raise HTTPException(403, "The scope is missing")
    return claims["sub"]


@app.api_route("/{service}/{path:path}", methods=METHODS)
async def proxy(
    service: str, path: str, request: Request, user: Annotated[str, Depends(current_user)]
) -> StreamingResponse:
    if service not in SERVICES:
        raise HTTPException(404)
    headers = [(name, value) for name, value in request.headers.raw if name not in NOT_FORWARDED]
    headers.append((b"x-user-id", user.encode()))
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    client: httpx.AsyncClient = request.app.state.client
    upstream_request = client.build_request(
        request.method,
        httpx.URL(f"{SERVICES[service]}/{path}", query=request.url.query.encode()),
        headers=headers,
        content=request.stream() if has_body else None,
    )
    upstream = await client.send(upstream_request, stream=True)
    response = StreamingResponse(
        upstream.aiter_raw(),
        status_code=upstream.status_code,
        background=BackgroundTask(upstream.aclose),
    )
    response.raw_headers = [
        (name.lower(), value)
        for name, value in upstream.headers.raw
        if name.lower() not in NOT_FORWARDED
    ]
    return response
